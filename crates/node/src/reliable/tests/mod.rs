//! Two programs over a pair of simulated logs: faults of the logs, restarts at any await point, restored backups.

mod attacks;
mod backups;
mod log;
mod marks;
mod restarts;

use super::*;
use crate::Limits;
use crate::identity::Timestamp;
use crate::node::Node;
use crate::route;
use crate::secure_channel::SecureChannelOptions;
use crate::sync::lock;
use crate::vault::{MemoryStore, MemoryVault};
use crate::worker::WorkerError;
use log::{Faults, Logs, Side, TO_PEER};
use postern_testkit::eventually;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Longest wait for a state whose time is not tested.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Short times, so that a test takes no longer than it must.
fn quick() -> DeliveryOptions {
    let ms = Duration::from_millis;
    DeliveryOptions {
        window: DeliveryWindow { messages: 16, bytes: 4096 },
        first_probe: ms(50),
        longest_probe: ms(400),
        first_handshake_retry: ms(50),
        longest_handshake_retry: ms(200),
        first_handler_retry: ms(1),
        longest_handler_retry: ms(10),
        ..DeliveryOptions::default()
    }
}

/// One call of a handler.
#[derive(Debug, Clone)]
struct Call {
    id: MessageId,
    redelivered: bool,
    body: String,
}

/// What outlives a program: its identity, its store, and what its handler did outside of the store.
struct Program {
    vault: Arc<MemoryVault>,
    identity: Identity,
    secrets: Arc<MemoryStore>,
    store: MemoryDeliveryStore,
    calls: Arc<Mutex<Vec<Call>>>,
    /// The handler fails so often with each message.
    failures: u32,
    /// The handler waits for ever with this one.
    blocked: Arc<Mutex<Option<String>>>,
    /// Which side of the logs it is on. Side 0 connects.
    side: usize,
}

/// A program that runs. Dropping it ends it at whatever await points its tasks are, as SIGKILL would.
struct Process {
    runtime: Option<Runtime>,
    node: Node,
    delivery: ReliableDelivery,
    notices: broadcast::Receiver<DeliveryNotice>,
}

#[derive(Clone)]
struct Recorder {
    calls: Arc<Mutex<Vec<Call>>>,
    blocked: Arc<Mutex<Option<String>>>,
    failures: u32,
    store: MemoryDeliveryStore,
}

/// The name of the value that counts a message's effects.
fn effect(id: MessageId) -> Vec<u8> {
    [&id.epoch.as_bytes()[..], &id.counter.to_be_bytes()].concat()
}

impl Handler<MemoryDeliveryStore> for Recorder {
    async fn handle(&mut self, message: &mut Received<'_, MemoryDeliveryStore>) -> Result<(), WorkerError> {
        let body = String::from_utf8(message.body().to_vec())?;
        let id = message.id();
        let before = lock(&self.calls).iter().filter(|call| call.id == id).count();
        lock(&self.calls).push(Call { id, redelivered: message.redelivered(), body: body.clone() });
        tokio::task::yield_now().await;
        if lock(&self.blocked).as_ref() == Some(&body) {
            std::future::pending::<()>().await;
        }
        assert!(!(body == "panic" && before == 0), "as wanted");
        let effects = self.store.value(&effect(id)).map_or(0, |value| value[0]);
        message.transaction().await?.put(effect(id), [effects + 1]);
        tokio::task::yield_now().await;
        if body.starts_with("echo ") {
            message.reply(body.replacen("echo ", "reply ", 1))?;
        }
        match before < self.failures as usize {
            true => Err("as wanted".into()),
            false => Ok(()),
        }
    }
}

impl Program {
    fn new(side: usize) -> Self {
        let vault = Arc::new(MemoryVault::in_memory());
        let identity = block_on(Identity::create(vault.clone(), Timestamp::now())).unwrap();
        let (secrets, store) = (Arc::default(), MemoryDeliveryStore::new());
        let (calls, blocked) = Default::default();
        Self { vault, identity, secrets, store, calls, failures: 0, blocked, side }
    }

    fn start(&self, logs: &Arc<Logs>, peer: &Program) -> Process {
        self.start_with(logs, peer, quick())
    }

    fn start_with(&self, logs: &Arc<Logs>, peer: &Program, options: DeliveryOptions) -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let node = Node::with(self.vault.clone(), Limits::default());
        let handler = Recorder {
            calls: self.calls.clone(),
            blocked: self.blocked.clone(),
            failures: self.failures,
            store: self.store.clone(),
        };
        let (peer, logs) = (peer.identity.identifier(), logs.clone());
        let started = async {
            let key = StorageKey::open(&self.identity, &*self.secrets).await.unwrap();
            let store = (self.store.clone(), key);
            let delivery = ReliableDelivery::start_with(&node, &self.identity, store, handler, options).await.unwrap();
            let notices = delivery.notices();
            let side = Side::new(node.core(), &logs, self.side);
            if self.side == 0 {
                delivery.accept_notices(&side);
                delivery.connect(&peer, route![TO_PEER, "listener"]).unwrap();
            } else {
                let only = SecureChannelOptions::trust_only([peer]);
                let listener = node.create_secure_channel_listener(&self.identity, "listener", only).await.unwrap();
                node.expose("listener", &side).unwrap();
                delivery.accept(&listener);
                delivery.notify_along(&peer, route![TO_PEER, DELIVERY_NOTICE]).unwrap();
            }
            tokio::spawn(side.consume(delivery.0.peers.peer(&peer).unwrap().events));
            (delivery, notices)
        };
        let (delivery, notices) = runtime.block_on(started);
        Process { runtime: Some(runtime), node, delivery, notices }
    }

    fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// The bodies that were handled, each once, in the order of their first calls.
    fn handled(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        self.calls().into_iter().map(|call| call.body).filter(|body| seen.insert(body.clone())).collect()
    }

    fn wait_for(&self, what: &str, bodies: &[String]) {
        eventually(what, TIMEOUT, || (self.handled() == bodies).then_some(()));
    }
}

impl Process {
    fn send(&self, to: &Program, bodies: &[String]) {
        let bodies = bodies.iter().map(|body| Bytes::from(body.clone())).collect();
        self.block_on(self.delivery.send_all(&to.identity.identifier(), bodies)).unwrap();
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    fn state(&self, peer: &Program) -> PeerState {
        self.delivery.state(&peer.identity.identifier()).unwrap()
    }

    fn wait_until_acknowledged(&self, peer: &Program) {
        eventually("everything is acknowledged", TIMEOUT, || {
            (self.state(peer).outstanding == Usage::default()).then_some(())
        });
    }

    fn wait_for_notice(&mut self, what: &str, is_it: impl Fn(&DeliveryNotice) -> bool) -> DeliveryNotice {
        eventually(what, TIMEOUT, || self.notices.try_recv().ok().filter(&is_it))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Every task is dropped where it waits.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn numbered(prefix: &str, range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("{prefix}{number}")).collect()
}

/// What must hold of all calls of one program: in order, flagged truthfully, and with one effect each.
fn check(program: &Program, kills: usize) {
    let (mut last, mut called, mut only_announced) = (HashMap::new(), HashSet::new(), 0);
    for Call { id, redelivered, .. } in program.calls() {
        if called.insert(id) {
            let last = last.entry(id.epoch).or_insert(0);
            assert_eq!(id.counter, *last + 1, "in order");
            *last = id.counter;
            only_announced += usize::from(redelivered);
        } else {
            assert!(redelivered, "a repetition of {id} is flagged");
        }
        assert_eq!(program.store.value(&effect(id)), Some(vec![1]), "{id} took effect once");
    }
    assert!(only_announced <= kills, "{only_announced} messages flagged without a call before, by {kills} ends");
}
