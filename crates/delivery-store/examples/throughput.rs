//! How many messages a second are delivered between two nodes over a connection, each with a store in a file.
//!
//! ```sh
//! cargo run --release -p postern-delivery-store --example throughput -- DIRECTORY BYTES MESSAGES
//! ```
#![allow(clippy::disallowed_methods, reason = "it measures with the real clock")]

use bytes::Bytes;
use postern_delivery_store::SqliteDeliveryStore;
use postern_node::reliable::{DeliveryPath, DeliveryStore, Handler, Received, ReliableDelivery, StorageKey, Usage};
use postern_node::vault::MemoryStore;
use postern_node::{Node, SecureChannelOptions, WorkerError, route};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

#[derive(Clone, Default)]
struct Counter(Arc<(AtomicU64, Notify)>);

impl<S: DeliveryStore> Handler<S> for Counter {
    async fn handle(&mut self, _: &mut Received<'_, S>) -> Result<(), WorkerError> {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.1.notify_one();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let size: usize = arguments.next().ok_or("how many bytes?")?.parse()?;
    let all: u64 = arguments.next().ok_or("how many messages?")?.parse()?;
    let (alices, bobs) = (Node::new(), Node::new());
    let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
    let counter = Counter::default();
    let store = |name: &str| SqliteDeliveryStore::open(Path::new(&directory).join(name));
    let key = StorageKey::open(&bob, &MemoryStore::new()).await?;
    let bobs_delivery = ReliableDelivery::start(&bobs, &bob, store("bob.db").await?, key, counter.clone()).await?;
    let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
    let listener = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
    bobs_delivery.accept(&listener);
    let tcp = bobs.tcp_listen("127.0.0.1:0").await?;
    bobs.expose("listener", &tcp)?;
    let key = StorageKey::open(&alice, &MemoryStore::new()).await?;
    let delivery = ReliableDelivery::start(&alices, &alice, store("alice.db").await?, key, Counter::default()).await?;
    let hub = alices.keep_connected(tcp.local_addr().to_string(), None);
    delivery.connect(&bob.identifier(), DeliveryPath::through(&hub, route!["listener"]))?;

    let begun = Instant::now();
    let (to, sender) = (bob.identifier(), delivery.clone());
    tokio::spawn(async move {
        let body = Bytes::from(vec![7; size]);
        for _ in 0..all / 64 {
            sender.send_all(&to, vec![body.clone(); 64]).await.expect("there is room");
        }
    });
    let expected = all / 64 * 64;
    while counter.0.0.load(Ordering::Relaxed) < expected {
        counter.0.1.notified().await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let mut state = delivery.watch(&bob.identifier())?;
    state.wait_for(|state| state.outstanding == Usage::default()).await?;
    println!("{expected} messages of {size} bytes: {:.0} a second", expected as f64 / seconds);
    Ok(())
}
