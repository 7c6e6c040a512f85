//! A hub, or a broker behind it, that does what it likes with the records: it can delay messages for ever, and nothing else. What is
//! handled is what was sent, in order and once; the programs are told what can be seen of it.

mod service;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use postern_node::identity::{Identifier, Identity};
use postern_node::reliable::{
    DeliveryNotice, DeliveryOptions, DeliveryStore, Handler, MemoryDeliveryStore, Received, ReliableDelivery,
    StorageKey,
};
use postern_node::session::HubSession;
use postern_node::stream::{Notice, Stream};
use postern_node::vault::MemoryStore;
use postern_node::{Node, SecureChannelOptions, WorkerError};
use postern_testkit::{TIMEOUT, eventually_async};
use tokio::sync::broadcast;

use service::{HostileHub, INDEX, Mischief, STREAM};

const TO_BOB: &str = "alice_to_bob";
const TO_ALICE: &str = "bob_to_alice";

/// Keeps what it handles.
#[derive(Clone, Default)]
struct Handled(Arc<Mutex<Vec<u32>>>);

impl Handled {
    fn all(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: DeliveryStore> Handler<S> for Handled {
    async fn handle(&mut self, message: &mut Received<'_, S>) -> Result<(), WorkerError> {
        let number = str::from_utf8(message.body())?.parse()?;
        self.0.lock().unwrap().push(number);
        Ok(())
    }
}

/// One of two programs with a stream through the hostile hub.
struct Program {
    delivery: ReliableDelivery,
    notices: broadcast::Receiver<DeliveryNotice>,
    stream: Stream,
    handled: Handled,
    _session: HubSession,
    _node: Node,
}

impl Program {
    async fn start(
        hub: &HostileHub,
        node: Node,
        me: &Identity,
        peer: &Identifier,
        names: [&str; 2],
        accepts: bool,
    ) -> Self {
        let session = node.keep_connected(hub.address(), None);
        let stream = Stream::new(&node).stream_service(STREAM).index_service(INDEX).client_id(names[0]);
        let trust = SecureChannelOptions::trust_only([*peer]);
        let listener = match accepts {
            true => Some(node.create_secure_channel_listener(me, "listener", trust).await.unwrap()),
            false => None,
        };
        let stream = if accepts { stream.expose("listener") } else { stream };
        let stream = stream.keep_connected(&session, names[0], names[1]).unwrap();
        let handled = Handled::default();
        let key = StorageKey::open(me, &MemoryStore::new()).await.unwrap();
        let store = (MemoryDeliveryStore::new(), key);
        // Quick, so that the tests are.
        let options = DeliveryOptions {
            first_probe: Duration::from_millis(200),
            longest_probe: Duration::from_secs(1),
            first_handshake_retry: Duration::from_millis(50),
            longest_handshake_retry: Duration::from_millis(100),
            ..DeliveryOptions::default()
        };
        let delivery = ReliableDelivery::start_with(&node, me, store, handled.clone(), options).await.unwrap();
        let notices = delivery.notices();
        match &listener {
            Some(listener) => delivery.accept_over(peer, &stream, listener).unwrap(),
            None => delivery.connect_over(peer, &stream, "listener").unwrap(),
        }
        Self { delivery, notices, stream, handled, _session: session, _node: node }
    }

    /// Waits for a notice of the delivery.
    async fn is_told(&mut self, wanted: impl Fn(&DeliveryNotice) -> bool) {
        let told = async {
            loop {
                match self.notices.recv().await {
                    Ok(notice) if wanted(&notice) => return,
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(TIMEOUT, told).await.expect("the program is told");
    }

    /// Waits for a notice of the stream.
    async fn sees(&self, wanted: impl Fn(&Notice) -> bool) {
        let notices = self.stream.notices();
        let seen = async { while !wanted(&notices.next().await) {} };
        tokio::time::timeout(TIMEOUT, seen).await.expect("the program is told");
    }
}

/// Alice, who connects, and Bob, who accepts, with a hub between them.
struct Pair {
    hub: HostileHub,
    alice: Program,
    bob: Program,
    bob_identifier: Identifier,
}

impl Pair {
    async fn start() -> Self {
        let hub = HostileHub::start().await;
        let (alice, bob, bob_identifier) = pair_through(&hub, [TO_BOB, TO_ALICE]).await;
        Self { hub, alice, bob, bob_identifier }
    }

    async fn send(&self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.alice.delivery.send(&self.bob_identifier, number.to_string()).await.unwrap();
        }
    }

    /// Waits until Bob has handled the first so many messages, and nothing else.
    async fn handled(&self, count: u32) {
        eventually_async("the messages", TIMEOUT, || async {
            (self.bob.handled.all().len() >= count as usize).then_some(())
        })
        .await;
        assert_eq!(self.bob.handled.all(), (0..count).collect::<Vec<_>>());
    }

    /// Waits until Alice can see that nothing is acknowledged.
    async fn alice_sees_that_nothing_is_acknowledged(&self) {
        let mut state = self.alice.delivery.watch(&self.bob_identifier).unwrap();
        let waiting = state.wait_for(|state| state.outstanding.messages > 0 && state.unacknowledged_since.is_some());
        tokio::time::timeout(TIMEOUT, waiting).await.expect("it is told").unwrap();
    }
}

async fn pair_through(hub: &HostileHub, [there, back]: [&str; 2]) -> (Program, Program, Identifier) {
    let (a, b) = (Node::new(), Node::new());
    let (alice, bob) = (a.create_identity().await.unwrap(), b.create_identity().await.unwrap());
    let (alice_identifier, bob_identifier) = (alice.identifier(), bob.identifier());
    let bob = Program::start(hub, b, &bob, &alice_identifier, [back, there], true).await;
    let alice = Program::start(hub, a, &alice, &bob_identifier, [there, back], false).await;
    (alice, bob, bob_identifier)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_records_are_sent_again_and_the_receiver_is_told_of_the_gap() {
    let mut pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    pair.hub.set(Mischief::Drop);
    pair.send(20..80).await;
    pair.bob.is_told(|notice| matches!(notice, DeliveryNotice::Gap { .. })).await;
    pair.hub.set(Mischief::None);
    pair.handled(80).await;
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_confirmed_and_lost_are_told_as_unacknowledged_and_sent_again() {
    let mut pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    pair.hub.set(Mischief::Lose);
    pair.send(20..40).await;
    pair.alice_sees_that_nothing_is_acknowledged().await;
    pair.alice.is_told(|notice| matches!(notice, DeliveryNotice::Unacknowledged { .. })).await;
    assert_eq!(pair.bob.handled.all().len(), 20);
    pair.hub.set(Mischief::None);
    pair.handled(40).await;
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_records_are_handled_once() {
    let pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    // From here on there are records of the channel only, none of a handshake.
    let before = pair.hub.count(TO_BOB) as u64;
    pair.hub.set(Mischief::Duplicate);
    pair.send(20..80).await;
    pair.handled(80).await;
    // The copies reach the channel, whose replay window refuses them.
    pair.bob.sees(|notice| matches!(notice, Notice::Undelivered { index, .. } if *index >= before)).await;
    pair.handled(80).await;
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reordered_records_are_handled_in_order() {
    let mut pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    pair.hub.set(Mischief::Reorder);
    pair.send(20..80).await;
    pair.bob.is_told(|notice| matches!(notice, DeliveryNotice::Gap { .. })).await;
    pair.hub.set(Mischief::None);
    pair.handled(80).await;
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_topics_bring_nobody_what_is_not_theirs() {
    let pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    pair.hub.set(Mischief::Swap);
    pair.send(20..40).await;
    pair.alice_sees_that_nothing_is_acknowledged().await;
    // Alice gets what she sent herself, and nothing in her node has those addresses.
    pair.alice.sees(|notice| matches!(notice, Notice::Undelivered { .. } | Notice::Restarted { .. })).await;
    pair.hub.set(Mischief::None);
    pair.handled(40).await;
    assert!(pair.alice.handled.all().is_empty());
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_log_is_refused() {
    let pair = Pair::start().await;
    pair.send(0..40).await;
    pair.handled(40).await;
    // Everything again, handshakes included, in both directions.
    let replayed = pair.hub.replay(TO_BOB);
    pair.hub.replay(TO_ALICE);
    pair.send(40..60).await;
    pair.handled(60).await;
    // The last is one of the newest of the channel that is used now: only the replay window can tell it from a new one.
    pair.bob.sees(|notice| matches!(notice, Notice::Undelivered { index, .. } if *index == replayed.end - 1)).await;
    pair.handled(60).await;
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_topic_is_refused() {
    let pair = Pair::start().await;
    let (carol, dave, dave_identifier) = pair_through(&pair.hub, ["carol_to_dave", "dave_to_carol"]).await;
    carol.delivery.send(&dave_identifier, "999").await.unwrap();
    eventually_async("Dave", TIMEOUT, || async { (dave.handled.all() == [999]).then_some(()) }).await;
    pair.send(0..20).await;
    pair.handled(20).await;
    pair.hub.serve("carol_to_dave", TO_BOB);
    pair.hub.serve("dave_to_carol", TO_ALICE);
    pair.send(20..40).await;
    pair.handled(40).await;
    pair.bob.sees(|notice| matches!(notice, Notice::Undelivered { .. })).await;
    assert_eq!(dave.handled.all(), [999]);
    pair.hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_records_are_a_gap_and_are_sent_again() {
    let pair = Pair::start().await;
    pair.send(0..20).await;
    pair.handled(20).await;
    // Nobody reads what is sent now, until it is deleted.
    pair.hub.set(Mischief::Swap);
    let before = pair.hub.count(TO_BOB);
    pair.send(20..40).await;
    eventually_async("the records", TIMEOUT, || async { (pair.hub.count(TO_BOB) > before).then_some(()) }).await;
    pair.hub.delete(TO_BOB);
    pair.hub.set(Mischief::None);
    pair.bob.sees(|notice| matches!(notice, Notice::Gap { .. })).await;
    pair.handled(40).await;
    pair.hub.stop().await;
}
