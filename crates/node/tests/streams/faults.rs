//! Streams while the hub loses, fails and restarts.

use super::service::{MiniHub, Storage};
use super::*;
use postern_node::stream::{Direction, Notice, Status, StreamError, StreamState};
use postern_testkit::in_time;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Sizes from 64 B to 64 KiB whose logarithms are uniform.
fn log_uniform(rng: &mut StdRng) -> usize {
    2f64.powf(rng.random_range(6.0..16.0)) as usize
}

/// Receives until `count` messages have come, each at least once, and in order: a repetition may begin anywhere behind, and is
/// then in order too.
async fn receive_all(received: &mut Received, count: u64) -> u64 {
    let (mut next, mut last, mut repeated) = (0, None, 0);
    while next < count {
        let message = tokio::time::timeout(Duration::from_secs(120), received.recv()).await;
        let number = message.unwrap_or_else(|_| panic!("nothing after {last:?}")).unwrap().body().0.0;
        assert!(number <= next, "{number} came before {next}");
        if number < next {
            repeated += 1;
        }
        next = next.max(number + 1);
        last = Some(number);
    }
    repeated
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_overtakes_while_the_service_fails_and_restarts() {
    const MESSAGES: u64 = 10_000;
    let seed = rand::random();
    let storage = Storage::new(true, seed);
    let (mut hub, (a, to_b), _b, mut received) = pair(&storage).await;
    storage.faults.store(50, Ordering::Relaxed);
    let sending = tokio::spawn(async move {
        let (mut rng, mut context) = (StdRng::seed_from_u64(seed), a.node.context().unwrap());
        for number in 0..MESSAGES {
            let message = numbered(number, log_uniform(&mut rng));
            while context.send(to_receiver(&to_b), message.clone()).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
        in_time(to_b.flushed()).await;
        (a, to_b)
    });
    let restarting = async {
        for round in 1..=5u64 {
            while storage.len("a_to_b") < round * MESSAGES / 6 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            hub = hub.restart(&storage).await;
        }
    };
    let (repeated, ()) = tokio::join!(receive_all(&mut received, MESSAGES), restarting);
    let (_a, to_b) = sending.await.unwrap();
    println!("{repeated} repeated, {} pushed", to_b.stats().pushed.get());
    assert_eq!(to_b.stats().confirmed.get(), MESSAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_without_the_extension_either() {
    const MESSAGES: u64 = 300;
    let storage = Storage::new(false, rand::random());
    let (mut hub, (a, to_b), _b, mut received) = pair(&storage).await;
    // Confirmations that are lost cost ten seconds each here.
    let context = a.node.context().unwrap();
    for number in 0..MESSAGES {
        context.send_at_once(to_receiver(&to_b), numbered(number, 100)).unwrap();
    }
    let restarting = async {
        for round in 1..=3 {
            while storage.len("a_to_b") < round * MESSAGES / 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            hub = hub.restart(&storage).await;
        }
    };
    let (repeated, ()) = tokio::join!(receive_all(&mut received, MESSAGES), restarting);
    println!("{repeated} repeated");
    in_time(to_b.flushed()).await;
}

#[tokio::test]
async fn a_record_without_a_confirmation_is_sent_again_without_the_extension() {
    let storage = Storage::new(false, 1);
    let (_hub, (a, to_b), _b, mut received) = pair(&storage).await;
    storage.silent.store(true, Ordering::Relaxed);
    let context = a.node.context().unwrap();
    for number in 0..2 {
        context.send_at_once(to_receiver(&to_b), numbered(number, 10)).unwrap();
    }
    assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 0);
    storage.silent.store(false, Ordering::Relaxed);
    for number in [0, 1] {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    in_time(to_b.flushed()).await;
    assert!(matches!(in_time(to_b.notices().next()).await, Notice::Unconfirmed { messages: 2, .. }));
}

#[tokio::test]
async fn an_outage_of_the_storage_is_reported_once_and_loses_nothing() {
    let storage = Storage::new(true, 1);
    let (hub, (a, to_b), (_b, to_a), mut received) = pair(&storage).await;
    *storage.refuse.lock().unwrap() = Some((Status::Unavailable, "the broker does not answer".into()));
    // The consumer's pull is held; a restart makes it ask again.
    let hub = hub.restart(&storage).await;
    let mut context = a.node.context().unwrap();
    for number in 0..100 {
        context.send(to_receiver(&to_b), numbered(number, 1_000)).await.unwrap();
    }
    for (stream, operation) in [(&to_b, "create the stream `a_to_b`"), (&to_a, "create the stream `b_to_a`")] {
        let reason = format!("the hub refused to {operation}: the broker does not answer");
        let told = |state: &StreamState| matches!(state, StreamState::Down(it) if it.to_string() == reason);
        in_time(stream.watch().wait_for(told)).await.unwrap();
    }
    *storage.refuse.lock().unwrap() = None;
    for number in 0..100 {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    in_time(to_b.flushed()).await;
    let notices: Vec<Notice> = std::iter::from_fn(|| to_b.notices().try_next()).collect();
    let refusals = notices.iter().filter(|notice| {
        let Notice::Down { direction: Direction::Sending, reason } = notice else { return false };
        matches!(**reason, StreamError::Refused { .. })
    });
    assert_eq!(refusals.count(), 1, "{notices:?}");
    hub.stop().await;
}

#[tokio::test]
async fn a_hub_that_has_lost_its_streams_is_read_from_the_beginning() {
    for extended in [true, false] {
        let storage = Storage::new(extended, 1);
        let (mut hub, (a, to_b), (_b, to_a), mut received) = pair(&storage).await;
        let address = hub.address();
        let mut context = a.node.context().unwrap();
        for number in 0..3 {
            context.send(to_receiver(&to_b), numbered(number, 0)).await.unwrap();
            drop(in_time(received.recv()).await.unwrap());
        }
        let saved = || async { storage.saved("b", "a_to_b").filter(|saved| *saved == 3) };
        postern_testkit::eventually_async("the index", postern_testkit::TIMEOUT, saved).await;
        // The place is known once it was told.
        hub = hub.restart(&storage).await;
        context.send(to_receiver(&to_b), numbered(3, 0)).await.unwrap();
        drop(in_time(received.recv()).await.unwrap());
        hub.stop().await;
        storage.lose();
        hub = MiniHub::start_at(&address, &storage).await;
        context.send(to_receiver(&to_b), numbered(4, 0)).await.unwrap();
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 4);
        let notices = std::iter::from_fn(|| to_a.notices().try_next());
        assert!(notices.into_iter().any(|notice| matches!(notice, Notice::Restarted { from: 0 })));
        hub.stop().await;
    }
}

#[tokio::test]
async fn a_channel_over_a_stream_outlives_the_hubs_connection() {
    use postern_node::{Echoer, SecureChannelOptions};
    let storage = Storage::new(true, 1);
    let hub = MiniHub::start(&storage).await;
    let (a, b) = (Program::a(&hub), Program::b(&hub));
    let (alice, bob) = (a.node.create_identity().await.unwrap(), b.node.create_identity().await.unwrap());
    let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
    let listener = b.node.create_secure_channel_listener(&bob, "listener", only_alice).await.unwrap();
    b.node.start_worker("echoer", Echoer).unwrap();
    b.node.expose("echoer", &listener).unwrap();
    let _to_a = b.connect(b.builder().expose("listener")).await;
    let to_b = a.connect(a.builder()).await;
    let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
    let channel = a.node.create_secure_channel(&alice, route![&to_b, "listener"], only_bob).await.unwrap();
    let hub = hub.restart(&storage).await;
    assert!(!channel.is_closed());
    let context = a.node.context().unwrap();
    let echo = context.send_and_receive::<String>(route![&channel, "echoer"], "hello");
    assert_eq!(echo.await.unwrap().body(), "hello");
    // It ends with the stream.
    drop(to_b);
    let gone = context.send_and_receive_within::<String>(Duration::from_secs(1), route![&channel, "echoer"], "hello");
    assert!(gone.await.is_err());
    hub.stop().await;
}
