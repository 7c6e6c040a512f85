//! Reliable delivery over streams of a real hub.

use postern_hub::{Hub, HubConfig};
use postern_node::identity::{Identity, Timestamp};
use postern_node::reliable::{
    BODY_SIZE_MAX, DELIVERY_NOTICE, DeliveryOptions, DeliveryStore, Handler, MemoryDeliveryStore, Received,
    ReliableDelivery, StorageKey, Usage,
};
use postern_node::session::HubSession;
use postern_node::stream::Stream;
use postern_node::vault::{MemoryStore, MemoryVault};
use postern_node::{Limits, Node, SecureChannelOptions, WorkerError};
use postern_testkit::in_time;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Passes on what comes, and sends back what is no reply.
#[derive(Clone)]
struct Echo(mpsc::UnboundedSender<Vec<u8>>);

impl<S: DeliveryStore> Handler<S> for Echo {
    async fn handle(&mut self, message: &mut Received<'_, S>) -> Result<(), WorkerError> {
        let body = message.body().clone();
        if !body.starts_with(b"re ") {
            message.reply([b"re ", &body[..]].concat())?;
        }
        Ok(self.0.send(body.to_vec())?)
    }
}

/// What outlives a program.
struct Program {
    vault: Arc<MemoryVault>,
    identity: Identity,
    secrets: MemoryStore,
    store: MemoryDeliveryStore,
    /// Of the stream that it sends to, and of the one it receives from.
    names: [&'static str; 2],
    options: DeliveryOptions,
}

struct Running {
    node: Node,
    delivery: ReliableDelivery,
    heard: mpsc::UnboundedReceiver<Vec<u8>>,
    _stream: Stream,
    _hub: HubSession,
}

impl Program {
    async fn new(names: [&'static str; 2]) -> Self {
        let vault = Arc::new(MemoryVault::in_memory());
        let identity = Identity::create(vault.clone(), Timestamp::now()).await.unwrap();
        Self {
            vault,
            identity,
            secrets: MemoryStore::new(),
            store: MemoryDeliveryStore::new(),
            names,
            options: DeliveryOptions::default(),
        }
    }

    async fn start(&self, hub: &Hub, peer: &Program, connects: bool) -> Running {
        let node = Node::with(self.vault.clone(), Limits::default());
        let session = node.keep_connected(hub.local_addr().to_string(), None);
        let (passed_on, heard) = mpsc::unbounded_channel();
        let key = StorageKey::open(&self.identity, &self.secrets).await.unwrap();
        let (store, handler) = ((self.store.clone(), key), Echo(passed_on));
        let delivery = ReliableDelivery::start_with(&node, &self.identity, store, handler, self.options).await.unwrap();
        let peer = peer.identity.identifier();
        let streams = Stream::new(&node).client_id(self.names[0]);
        let [to, from] = self.names;
        let stream = match connects {
            true => {
                let stream = streams.expose(DELIVERY_NOTICE).connect(&session, to, from).await.unwrap();
                delivery.connect_over(&peer, &stream, "listener").unwrap();
                stream
            }
            false => {
                let only = SecureChannelOptions::trust_only([peer]);
                let listener = node.create_secure_channel_listener(&self.identity, "listener", only).await.unwrap();
                let stream = streams.expose("listener").connect(&session, to, from).await.unwrap();
                delivery.accept_over(&peer, &stream, &listener).unwrap();
                stream
            }
        };
        Running { node, delivery, heard, _stream: stream, _hub: session }
    }
}

impl Running {
    async fn send(&self, to: &Program, bodies: &[Vec<u8>]) {
        let bodies = bodies.iter().map(|body| body.clone().into()).collect();
        self.delivery.send_all(&to.identity.identifier(), bodies).await.unwrap();
    }

    async fn hears(&mut self, bodies: &[Vec<u8>]) {
        for body in bodies {
            let heard = in_time(self.heard.recv()).await.unwrap();
            assert!(heard == *body, "{} bytes instead of {}", heard.len(), body.len());
        }
    }

    async fn is_acknowledged(&self, by: &Program) {
        let mut state = self.delivery.watch(&by.identity.identifier()).unwrap();
        in_time(state.wait_for(|state| state.outstanding == Usage::default())).await.unwrap();
    }
}

fn bodies(range: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    range.map(|number| format!("message {number}").into_bytes()).collect()
}

fn replies(bodies: &[Vec<u8>]) -> Vec<Vec<u8>> {
    bodies.iter().map(|body| [b"re ", &body[..]].concat()).collect()
}

async fn hub() -> Hub {
    Hub::start(&HubConfig::parse("listen = '127.0.0.1:0'\ndrain_seconds = 0").unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_go_through_streams_and_restarts_of_both_programs() {
    let hub = hub().await;
    let (alice, bob) = (Program::new(["a_to_b", "b_to_a"]).await, Program::new(["b_to_a", "a_to_b"]).await);
    let mut alices = alice.start(&hub, &bob, true).await;
    let mut bobs = bob.start(&hub, &alice, false).await;
    let all = bodies(0..40);
    alices.send(&bob, &all[..10]).await;
    bobs.hears(&all[..10]).await;
    alices.hears(&replies(&all[..10])).await;
    alices.is_acknowledged(&bob).await;
    bobs.is_acknowledged(&alice).await;

    // Bob is away, and comes back without the keys of the channel.
    bobs.node.shutdown().await;
    drop(bobs);
    alices.send(&bob, &all[10..20]).await;
    let mut bobs = bob.start(&hub, &alice, false).await;
    bobs.hears(&all[10..20]).await;
    alices.hears(&replies(&all[10..20])).await;

    // Alice sends something, and is gone before it is delivered.
    alices.send(&bob, &all[20..30]).await;
    alices.node.shutdown().await;
    drop(alices);
    let alices = alice.start(&hub, &bob, true).await;
    bobs.hears(&all[20..30]).await;
    alices.send(&bob, &all[30..]).await;
    bobs.hears(&all[30..]).await;
    bobs.is_acknowledged(&alice).await;
    alices.is_acknowledged(&bob).await;
    hub.stop().await;
}

/// With probes and handshakes that are hours apart, only the notice of the one that came back can lead to another channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notice_of_a_responder_that_came_back_is_followed() {
    let hour = std::time::Duration::from_secs(3_600);
    let hub = hub().await;
    let (mut alice, bob) = (Program::new(["a_to_b", "b_to_a"]).await, Program::new(["b_to_a", "a_to_b"]).await);
    alice.options.first_probe = hour;
    alice.options.longest_probe = hour;
    // Bob is there first, so that the first handshake is answered.
    let mut bobs = bob.start(&hub, &alice, false).await;
    alice.options.first_handshake_retry = hour;
    alice.options.longest_handshake_retry = hour;
    let alices = alice.start(&hub, &bob, true).await;
    let all = bodies(0..20);
    alices.send(&bob, &all[..10]).await;
    bobs.hears(&all[..10]).await;
    alices.is_acknowledged(&bob).await;
    bobs.is_acknowledged(&alice).await;
    bobs.node.shutdown().await;
    drop(bobs);
    alices.send(&bob, &all[10..]).await;
    let mut bobs = bob.start(&hub, &alice, false).await;
    bobs.hears(&all[10..]).await;
    alices.is_acknowledged(&bob).await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_messages_fit_a_record() {
    let hub = hub().await;
    let (alice, bob) = (Program::new(["a_to_b", "b_to_a"]).await, Program::new(["b_to_a", "a_to_b"]).await);
    let alices = alice.start(&hub, &bob, true).await;
    let mut bobs = bob.start(&hub, &alice, false).await;
    let mut large = vec![b'x'; BODY_SIZE_MAX];
    large[..3].copy_from_slice(b"re ");
    let all = vec![large; 8];
    alices.send(&bob, &all).await;
    bobs.hears(&all).await;
    alices.is_acknowledged(&bob).await;
    hub.stop().await;
}
