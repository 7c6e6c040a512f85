//! Marks that are written while the handler goes on: fewer writes than messages, and truthful flags after the end of a process.

use super::super::marks::Marks;
use super::super::shared::Shared;
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A store whose commits wait for permission, and are counted.
#[derive(Clone)]
struct Gated {
    inner: MemoryDeliveryStore,
    gate: Arc<Semaphore>,
    commits: Arc<AtomicUsize>,
}

impl Gated {
    fn new() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let it = Self { inner: MemoryDeliveryStore::new(), gate, commits: Arc::default() };
        it.open();
        it
    }

    fn open(&self) {
        self.gate.add_permits(1_000_000);
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }
}

type Result<T> = std::result::Result<T, StoreError>;

impl DeliveryStore for Gated {
    type Transaction = MemoryTransaction;

    async fn peers(&self) -> Result<Vec<Identifier>> {
        self.inner.peers().await
    }

    async fn outgoing(&self, peer: &Identifier) -> Result<Outgoing> {
        self.inner.outgoing(peer).await
    }

    async fn append(&self, peer: &Identifier, groups: Vec<Vec<Draft>>) -> Result<Appended> {
        self.inner.append(peer, groups).await
    }

    async fn read(&self, peer: &Identifier, after: u64, messages: usize, bytes: usize) -> Result<Vec<StoredMessage>> {
        self.inner.read(peer, after, messages, bytes).await
    }

    async fn stamp(&self, peer: &Identifier, sequence: u64) -> Result<Option<Stamp>> {
        self.inner.stamp(peer, sequence).await
    }

    async fn acknowledge(&self, peer: &Identifier, sequence: u64, stamp: Stamp) -> Result<Usage> {
        self.inner.acknowledge(peer, sequence, stamp).await
    }

    async fn new_epoch(&self, peer: &Identifier) -> Result<Outgoing> {
        self.inner.new_epoch(peer).await
    }

    async fn incoming(&self, peer: &Identifier, epoch: &Epoch) -> Result<Incoming> {
        self.inner.incoming(peer, epoch).await
    }

    async fn begin(&self) -> Result<MemoryTransaction> {
        self.inner.begin().await
    }

    async fn commit(
        &self,
        transaction: Option<MemoryTransaction>,
        progress: Progress,
        drafts: Vec<Draft>,
    ) -> Result<Vec<u64>> {
        let permit = self.gate.acquire().await.map_err(StoreError::failed)?;
        permit.forget();
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.commit(transaction, progress, drafts).await
    }

    async fn sync(&self) -> Result<()> {
        self.inner.sync().await
    }
}

/// Keeps the calls, and uses no transaction.
#[derive(Clone, Default)]
struct Plain(Arc<Mutex<Vec<(u64, bool)>>>);

impl<S: DeliveryStore> Handler<S> for Plain {
    async fn handle(&mut self, message: &mut Received<'_, S>) -> std::result::Result<(), WorkerError> {
        lock(&self.0).push((message.id().counter, message.redelivered()));
        Ok(())
    }
}

/// A program that receives with such a store and handler, from one that connects to it without logs in between.
struct Receiver {
    vault: Arc<MemoryVault>,
    identity: Identity,
    secrets: MemoryStore,
    store: Gated,
    calls: Plain,
    unmarked: u64,
}

impl Receiver {
    fn new(unmarked: u64) -> Self {
        let vault = Arc::new(MemoryVault::in_memory());
        let identity = block_on(Identity::create(vault.clone(), Timestamp::now())).unwrap();
        Self { vault, identity, secrets: MemoryStore::new(), store: Gated::new(), calls: Plain::default(), unmarked }
    }

    /// Runs it over the logs, as side 1.
    fn start(&self, logs: &Arc<Logs>, peer: &Program) -> Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let node = Node::with(self.vault.clone(), Limits::default());
        // All messages fit the window, so that only the marks hold the handler up.
        let window = DeliveryWindow { messages: 1_000, bytes: 1_000_000 };
        let options = DeliveryOptions { unmarked: self.unmarked, window, ..quick() };
        let (peer, logs) = (peer.identity.identifier(), logs.clone());
        runtime.block_on(async {
            let key = StorageKey::open(&self.identity, &self.secrets).await.unwrap();
            let with = (self.store.clone(), key);
            let started = ReliableDelivery::start_with(&node, &self.identity, with, self.calls.clone(), options).await;
            let delivery = started.unwrap();
            let side = Side::new(node.core(), &logs, 1);
            let only = SecureChannelOptions::trust_only([peer]);
            let listener = node.create_secure_channel_listener(&self.identity, "listener", only).await.unwrap();
            node.expose("listener", &side).unwrap();
            delivery.accept(&listener);
            delivery.notify_along(&peer, route![TO_PEER, DELIVERY_NOTICE]).unwrap();
            let events = delivery.0.peers.peer(&peer).unwrap().events;
            tokio::spawn(async move {
                // Lives as long as the runtime.
                let _delivery = delivery;
                side.consume(events).await;
            });
        });
        runtime
    }

    fn calls(&self) -> Vec<(u64, bool)> {
        lock(&self.calls.0).clone()
    }
}

/// Alice, who sends over faultless logs to a receiver.
fn sender(receiver: &Receiver) -> (Program, Arc<Logs>, Process) {
    let alice = Program::new(0);
    let logs = Logs::new(Faults::default(), 9);
    // A stand-in that has the receiver's identity is all that the sender needs to know.
    let bob = Program { identity: receiver.identity.clone(), ..Program::new(1) };
    let window = DeliveryWindow { messages: 1_000, bytes: 1_000_000 };
    let process = alice.start_with(&logs, &bob, DeliveryOptions { window, ..quick() });
    (alice, logs, process)
}

fn send(process: &Process, to: &Receiver, count: usize) {
    let bodies = numbered("m", 0..count).into_iter().map(Bytes::from).collect();
    process.block_on(process.delivery.send_all(&to.identity.identifier(), bodies)).unwrap();
}

fn wait_for_calls(receiver: &Receiver, count: usize) {
    eventually("the calls", TIMEOUT, || (receiver.calls().len() >= count).then_some(()));
}

fn wait_until_acknowledged(process: &Process, by: &Receiver) {
    let peer = by.identity.identifier();
    eventually("all acknowledged", TIMEOUT, || {
        (process.delivery.state(&peer).unwrap().outstanding == Usage::default()).then_some(())
    });
}

#[test]
fn everything_is_marked_and_acknowledged_in_the_end() {
    const ALL: usize = 500;
    let bob = Receiver::new(64);
    let (alice, logs, alices) = sender(&bob);
    let bobs = bob.start(&logs, &alice);
    send(&alices, &bob, ALL);
    wait_until_acknowledged(&alices, &bob);
    assert_eq!(bob.calls(), (1..=ALL as u64).map(|counter| (counter, false)).collect::<Vec<_>>());
    bobs.shutdown_background();
}

#[test]
fn what_was_not_marked_when_the_process_ended_is_repeated_in_order_and_flagged() {
    for unmarked in [1, 64] {
        const MARKED: usize = 10;
        const ALL: usize = 100;
        let bob = Receiver::new(unmarked);
        let (alice, logs, alices) = sender(&bob);
        let bobs = bob.start(&logs, &alice);
        send(&alices, &bob, MARKED);
        wait_until_acknowledged(&alices, &bob);
        // From here on one more write succeeds (that of the next call), and the process ends.
        bob.store.close();
        bob.store.gate.add_permits(1);
        send(&alices, &bob, ALL - MARKED);
        wait_for_calls(&bob, MARKED + 1);
        bobs.shutdown_timeout(TIMEOUT);
        let first = bob.calls().len();
        bob.store.open();
        let again = bob.start(&logs, &alice);
        wait_for_calls(&bob, first + ALL - MARKED);
        let calls = bob.calls();
        let unmarked_calls = first - MARKED;
        assert!(unmarked_calls as u64 <= unmarked, "{unmarked_calls} calls with {unmarked} unmarked");
        for (place, (counter, redelivered)) in calls[first..].iter().enumerate() {
            assert_eq!(*counter, (MARKED + 1 + place) as u64, "in order, from the first without a mark");
            assert!(*redelivered || place >= unmarked_calls, "message {counter} is repeated without a flag");
        }
        again.shutdown_background();
    }
}

/// Polls a future once.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(done) => Some(done),
        std::task::Poll::Pending => None,
    }
}

/// Handles messages, behind which there are always many, until the marks hold that up; how many.
fn handle_until_held_up(marks: &mut Marks<Gated, Plain>) -> u64 {
    let begun = marks.last();
    loop {
        let counter = marks.last() + 1;
        if poll_once(marks.begin(counter)).is_none() {
            return marks.last() - begun;
        }
        let mark = receiver::Mark { counter, stamp: Stamp::default() };
        if poll_once(marks.handled(mark, 1_000)).is_none() {
            return marks.last() - begun;
        }
    }
}

#[tokio::test]
async fn the_faster_the_handler_the_more_one_write_covers_up_to_the_limit() {
    for (unmarked, most) in [(1, 1), (64, 64), (256, 256)] {
        let node = Node::new();
        let identity = node.create_identity().await.unwrap();
        let key = StorageKey::open(&identity, &MemoryStore::new()).await.unwrap();
        let channel_key = Arc::new(ChannelKey::create(&identity, Vec::new()).await.unwrap());
        let store = Gated::new();
        let options = DeliveryOptions { unmarked, ..DeliveryOptions::default() };
        let shared = Shared::new(node.core(), (store.clone(), key), channel_key, Plain::default(), options);
        let (events, _happened) = tokio::sync::mpsc::unbounded_channel();
        let peer = Identifier::from_bytes([1; 32]);
        let epoch = Epoch::from_bytes([2; 16]);
        let mut marks = Marks::load(&Arc::new(shared), peer, epoch, &events).await;
        store.close();
        assert_eq!(handle_until_held_up(&mut marks), 0, "nothing is handled unannounced");
        let mut batches = Vec::new();
        for _ in 0..60 {
            store.gate.add_permits(1);
            batches.push(handle_until_held_up(&mut marks));
        }
        let written = store.inner.incoming(&peer, &epoch).await.unwrap();
        assert!(written.begun >= marks.last() && marks.last() - written.last <= most, "{written:?} {}", marks.last());
        let largest = batches.into_iter().max().unwrap();
        assert!((most / 2..=most).contains(&largest), "{largest} messages for one write at most");
    }
}
