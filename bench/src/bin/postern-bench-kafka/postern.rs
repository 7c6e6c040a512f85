//! Two programs with a secure channel through Kafka, without and with reliable delivery.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use postern_delivery_store::SqliteDeliveryStore;
use postern_node::identity::Identity;
use postern_node::reliable::{DeliveryStore, Handler, PeerState, Received, ReliableDelivery, StorageKey, Usage};
use postern_node::stream::Stream;
use postern_node::vault::MemoryStore;
use postern_node::{Context, Echoer, Node, Routed, SecureChannelOptions, Worker, WorkerError, route};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Messages that are stored by one call, and so by one sync of the disk; fewer where they are large.
const BATCH: usize = 256;
/// Bytes of messages that one call stores, about.
const BATCH_BYTES: usize = 1 << 20;
/// Messages and bytes that wait to be acknowledged before the next are sent: the store would take all, and what is on the way is
/// bounded. A delivery has as many in memory; more would have to be read from the store again.
const OUTSTANDING_MAX: u64 = 8_192;
const OUTSTANDING_BYTES_MAX: u64 = 8 << 20;

pub(crate) struct Postern {
    hub: String,
    runtime: Runtime,
}

/// Two programs with a stream through the hub.
struct Pair {
    alice: (Node, Identity, Stream),
    bob: (Node, Identity, Stream),
}

impl Postern {
    pub(crate) fn start(hub: &str) -> Result<Self> {
        Ok(Self { hub: hub.to_owned(), runtime: Runtime::new()? })
    }

    /// From the first message sent to the last handled, over a secure channel.
    pub(crate) fn channel(&self, bytes: usize, messages: usize) -> Result<Duration> {
        self.runtime.block_on(async {
            let pair = self.pair().await?;
            let (sink, mut counted) = Sink::new();
            let channel = pair.channel("sink", sink).await?;
            let mut context = pair.alice.0.context()?;
            let payload = Bytes::from(vec![7; bytes]);
            let started = Instant::now();
            for _ in 0..messages {
                context.send(route![&channel, "sink"], payload.clone()).await?;
            }
            counted.wait_for(|count| *count >= messages as u64).await?;
            let took = started.elapsed();
            pair.stop().await;
            Ok(took)
        })
    }

    /// The same with a store on each side.
    pub(crate) fn reliable(&self, bytes: usize, messages: usize) -> Result<Duration> {
        self.runtime.block_on(async {
            let pair = self.pair().await?;
            let directory = tempfile::tempdir()?;
            let (counter, mut counted) = Counter::new();
            let [alice, bob] = pair.deliveries(directory.path(), &counter).await?;
            let peer = pair.bob.1.identifier();
            let mut state = alice.watch(&peer)?;
            state.wait_for(|state| state.connected_since.is_some()).await?;
            let payload = Bytes::from(vec![7; bytes]);
            let started = Instant::now();
            let mut sent = 0;
            while sent < messages {
                let batch = BATCH.min(BATCH_BYTES / bytes).min(messages - sent);
                alice.send_all(&peer, vec![payload.clone(); batch]).await?;
                sent += batch;
                let has_room = |state: &PeerState| {
                    let Usage { messages, bytes } = state.outstanding;
                    messages < OUTSTANDING_MAX && bytes < OUTSTANDING_BYTES_MAX
                };
                state.wait_for(has_room).await?;
            }
            counted.wait_for(|count| *count >= messages as u64).await?;
            let took = started.elapsed();
            drop((alice, bob));
            pair.stop().await;
            Ok(took)
        })
    }

    /// One after the other, over a secure channel.
    pub(crate) fn echo(&self, echoes: usize) -> Result<Vec<Duration>> {
        self.runtime.block_on(async {
            let pair = self.pair().await?;
            let channel = pair.channel("echoer", Echoer).await?;
            let context = pair.alice.0.context()?;
            let mut times = Vec::new();
            for _ in 0..=echoes {
                let started = Instant::now();
                context.send_and_receive::<Bytes>(route![&channel, "echoer"], vec![7; 64]).await?;
                times.push(started.elapsed());
            }
            times.remove(0);
            pair.stop().await;
            Ok(times)
        })
    }

    async fn pair(&self) -> Result<Pair> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let [there, back] = ["there", "back"].map(|way| format!("bench-{way}-{}-{number}", std::process::id()));
        let connect = async |node: &Node, to: &str, from: &str| {
            let hub = node.tcp_connect(&self.hub).await?;
            let stream = Stream::new(node).stream_service("stream_kafka").index_service("stream_kafka_index");
            anyhow::Ok(stream.client_id(to).connect(&hub, to, from).await?)
        };
        let (a, b) = (Node::new(), Node::new());
        let (alice, bob) = (a.create_identity().await?, b.create_identity().await?);
        let streams = (connect(&a, &there, &back).await?, connect(&b, &back, &there).await?);
        Ok(Pair { alice: (a, alice, streams.0), bob: (b, bob, streams.1) })
    }
}

impl Pair {
    /// A channel to a worker of Bob's.
    async fn channel(&self, name: &str, worker: impl Worker) -> Result<postern_node::SecureChannel> {
        let (node, identity, stream) = &self.bob;
        let trust = SecureChannelOptions::trust_only([self.alice.1.identifier()]);
        let listener = node.create_secure_channel_listener(identity, "listener", trust).await?;
        node.start_worker(name, worker)?;
        node.expose(name, &listener)?;
        node.expose("listener", stream)?;
        let (node, identity, stream) = &self.alice;
        let trust = SecureChannelOptions::trust_only([self.bob.1.identifier()]);
        Ok(node.create_secure_channel(identity, route![stream, "listener"], trust).await?)
    }

    async fn deliveries(&self, directory: &std::path::Path, handler: &Counter) -> Result<[ReliableDelivery; 2]> {
        let start = async |program: &(Node, Identity, Stream), name: &str| {
            let (node, identity, _) = program;
            let store = SqliteDeliveryStore::open(directory.join(name)).await?;
            let key = StorageKey::open(identity, &MemoryStore::new()).await?;
            anyhow::Ok(ReliableDelivery::start(node, identity, store, key, handler.clone()).await?)
        };
        let (alice, bob) = (start(&self.alice, "alice.db").await?, start(&self.bob, "bob.db").await?);
        let (node, identity, stream) = &self.bob;
        let trust = SecureChannelOptions::trust_only([self.alice.1.identifier()]);
        let listener = node.create_secure_channel_listener(identity, "listener", trust).await?;
        node.expose("listener", stream)?;
        bob.accept_over(&self.alice.1.identifier(), stream, &listener)?;
        alice.connect_over(&identity.identifier(), &self.alice.2, "listener")?;
        Ok([alice, bob])
    }

    async fn stop(self) {
        self.alice.0.shutdown().await;
        self.bob.0.shutdown().await;
    }
}

/// Counts messages.
struct Sink(watch::Sender<u64>);

impl Sink {
    fn new() -> (Self, watch::Receiver<u64>) {
        let (count, counted) = watch::channel(0);
        (Self(count), counted)
    }
}

impl Worker for Sink {
    type Message = Bytes;

    async fn handle_message(&mut self, _: &mut Context, _: Routed<Bytes>) -> Result<(), WorkerError> {
        self.0.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// The same as a handler.
#[derive(Clone)]
struct Counter(Arc<watch::Sender<u64>>);

impl Counter {
    fn new() -> (Self, watch::Receiver<u64>) {
        let (count, counted) = watch::channel(0);
        (Self(Arc::new(count)), counted)
    }
}

impl<S: DeliveryStore> Handler<S> for Counter {
    async fn handle(&mut self, _: &mut Received<'_, S>) -> Result<(), WorkerError> {
        self.0.send_modify(|count| *count += 1);
        Ok(())
    }
}
