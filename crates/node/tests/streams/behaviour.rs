//! What streams do while nothing goes wrong, and at their limits.

use super::service::{MiniHub, Storage};
use super::*;
use postern_node::stream::{Notice, Status, StreamError, StreamState};
use postern_node::{Echoer, SecureChannelOptions, Undeliverable};
use postern_testkit::{TIMEOUT, eventually_async, in_time};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Both kinds of service.
const KINDS: [bool; 2] = [true, false];

#[tokio::test]
async fn a_secure_channel_runs_over_a_stream() {
    for extended in KINDS {
        let storage = Storage::new(extended, 1);
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
        let channel = in_time(a.node.create_secure_channel(&alice, route![&to_b, "listener"], only_bob)).await.unwrap();
        let context = a.node.context().unwrap();
        for size in [1, 100_000, 900_000] {
            let sent = vec![7; size];
            let echo = context.send_and_receive_within::<Vec<u8>>(TIMEOUT, route![&channel, "echoer"], sent.clone());
            assert!(echo.await.unwrap().into_body() == sent);
        }
        // The hub keeps only ciphertext.
        assert!(storage.len("a_to_b") >= 5 && storage.len("b_to_a") >= 4);
        in_time(to_b.flushed()).await;
        assert_eq!(to_b.unconfirmed().messages, 0);
    }
}

#[tokio::test]
async fn a_service_without_the_extension_sees_none_of_it() {
    let storage = Storage::new(false, 1);
    let (_hub, (a, to_b), (_b, _to_a), mut received) = pair(&storage).await;
    let mut context = a.node.context().unwrap();
    for number in 0..20 {
        context.send(to_receiver(&to_b), numbered(number, 1)).await.unwrap();
    }
    for number in 0..20 {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    eventually_async("the index", TIMEOUT, async || storage.saved("b", "a_to_b").filter(|index| *index == 20)).await;
    let seen = storage.protocols.lock().unwrap().clone();
    let allowed = ["stream_create", "stream_index", "stream_pull", "stream_push"];
    assert_eq!(Vec::from_iter(&seen), allowed);
}

#[tokio::test]
async fn a_partition_of_a_partitioned_stream_is_used() {
    for extended in KINDS {
        let storage = Storage::new(extended, 1);
        let hub = MiniHub::start(&storage).await;
        let (a, b) = (Program::a(&hub), Program::b(&hub));
        let mut received = receiver(&b.node);
        let to_b = a.connect(a.builder().partition(40, 33)).await;
        let _to_a = b.connect(b.builder().partition(40, 33).expose("receiver")).await;
        a.node.context().unwrap().send(to_receiver(&to_b), numbered(5, 0)).await.unwrap();
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 5);
        assert_eq!(storage.len("a_to_b/33"), 1);
        assert!(storage.protocols.lock().unwrap().contains("stream_index_partitioned"));
    }
}

#[tokio::test]
async fn the_place_is_saved_only_behind_what_was_handled() {
    for extended in KINDS {
        let storage = Storage::new(extended, 1);
        let (_hub, (a, to_b), (b, to_a), mut received) = pair(&storage).await;
        let mut context = a.node.context().unwrap();
        let mut send = async |number| context.send(to_receiver(&to_b), numbered(number, 0)).await.unwrap();
        send(0).await;
        send(1).await;
        let (first, second) = (in_time(received.recv()).await.unwrap(), in_time(received.recv()).await.unwrap());
        // The second was handled, the first was not.
        drop(second);
        send(2).await;
        drop(in_time(received.recv()).await.unwrap());
        assert_eq!(storage.saved("b", "a_to_b").unwrap_or(0), 0);
        drop(first);
        let saved = || async { storage.saved("b", "a_to_b").filter(|saved| *saved == 3) };
        eventually_async("the index behind all", TIMEOUT, saved).await;
        // What is not handled when the program ends comes again, and so does what is behind it.
        send(3).await;
        send(4).await;
        let kept = in_time(received.recv()).await.unwrap();
        drop(in_time(received.recv()).await.unwrap());
        drop(to_a);
        b.node.shutdown().await;
        drop(kept);
        let again = Program::new(&_hub.address(), ["b_to_a", "a_to_b"]);
        let mut received = receiver(&again.node);
        let _to_a = again.connect(again.builder().expose("receiver")).await;
        for number in [3, 4] {
            assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
        }
    }
}

/// A worker that takes a while over each message, which it has let go of.
struct Slow(mpsc::UnboundedSender<u64>, Arc<tokio::sync::Semaphore>);

impl Worker for Slow {
    type Message = Numbered;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Numbered>) -> Result<(), WorkerError> {
        self.0.send(message.into_body().0.0)?;
        self.1.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test]
async fn through_a_channel_too_the_place_is_saved_when_the_handler_has_returned() {
    let storage = Storage::new(true, 1);
    let hub = MiniHub::start(&storage).await;
    let (a, b) = (Program::a(&hub), Program::b(&hub));
    let (alice, bob) = (a.node.create_identity().await.unwrap(), b.node.create_identity().await.unwrap());
    let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
    let listener = b.node.create_secure_channel_listener(&bob, "listener", only_alice).await.unwrap();
    let ((sender, mut begun), allowed) = (mpsc::unbounded_channel(), Arc::new(tokio::sync::Semaphore::new(0)));
    b.node.start_worker("slow", Slow(sender, allowed.clone())).unwrap();
    b.node.expose("slow", &listener).unwrap();
    let to_a = b.connect(b.builder().expose("listener")).await;
    let to_b = a.connect(a.builder()).await;
    let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
    let channel = a.node.create_secure_channel(&alice, route![&to_b, "listener"], only_bob).await.unwrap();
    let mut context = a.node.context().unwrap();
    for number in 0..3 {
        context.send(route![&channel, "slow"], numbered(number, 10)).await.unwrap();
    }
    in_time(to_b.flushed()).await;
    let end = storage.len("a_to_b");
    assert_eq!(in_time(begun.recv()).await, Some(0));
    // Both others are in the mailbox, the first is being handled: the handshake's two messages are all that was.
    let delivered = || async { (to_a.stats().delivered.get() == end).then_some(()) };
    eventually_async("all to be delivered", TIMEOUT, delivered).await;
    let saved = async |index| {
        let saved = || async { storage.saved("b", "a_to_b").filter(|saved| *saved == index) };
        eventually_async("the index", TIMEOUT, saved).await;
    };
    saved(end - 3).await;
    allowed.add_permits(1);
    saved(end - 2).await;
    allowed.add_permits(2);
    saved(end).await;
}

#[tokio::test]
async fn what_waits_for_a_worker_when_the_program_ends_comes_again() {
    let storage = Storage::new(true, 1);
    let (hub, (a, to_b), (b, to_a), _) = pair(&storage).await;
    let mut unread = b.node.context().unwrap();
    b.node.expose(unread.address(), &to_a).unwrap();
    let mut context = a.node.context().unwrap();
    for number in 0..3 {
        context.send(route![&to_b, unread.address()], numbered(number, 10)).await.unwrap();
    }
    assert_eq!(in_time(unread.receive::<Numbered>()).await.unwrap().body().0.0, 0);
    let delivered = || async { (to_a.stats().delivered.get() == 3).then_some(()) };
    eventually_async("all to be delivered", TIMEOUT, delivered).await;
    let address = unread.address().clone();
    // The receiver goes first, then the stream: nothing is saved beyond what was read.
    drop(unread);
    drop(to_a);
    b.node.shutdown().await;
    assert_eq!(storage.saved("b", "a_to_b"), Some(1));
    let again = Program::new(&hub.address(), ["b_to_a", "a_to_b"]);
    let mut unread = again.node.context_at(&address).unwrap();
    let _to_a = again.connect(again.builder().expose(&address)).await;
    for number in [1, 2] {
        assert_eq!(in_time(unread.receive::<Numbered>()).await.unwrap().body().0.0, number);
    }
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_still_pushed() {
    let storage = Storage::new(true, 1);
    let (_hub, (a, to_b), _b, mut received) = pair(&storage).await;
    let context = a.node.context().unwrap();
    for number in 0..100 {
        context.send_at_once(to_receiver(&to_b), numbered(number, 10_000)).unwrap();
    }
    drop(to_b);
    for number in 0..100 {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    in_time(a.node.shutdown()).await;
}

/// A worker that never finishes, and holds what it has got.
struct Stuck;

impl Worker for Stuck {
    type Message = Numbered;

    async fn handle_message(&mut self, _: &mut Context, _message: Routed<Numbered>) -> Result<(), WorkerError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_handler_that_does_not_finish_stops_the_consumer() {
    let storage = Storage::new(true, 1);
    let hub = MiniHub::start(&storage).await;
    let (a, b) = (Program::a(&hub), Program::b(&hub));
    b.node.start_worker("receiver", Stuck).unwrap();
    let to_b = a.connect(a.builder()).await;
    let to_a = b.connect(b.builder().expose("receiver")).await;
    let mut context = a.node.context().unwrap();
    const SENT: u64 = 20_000;
    for number in 0..SENT {
        context.send(to_receiver(&to_b), numbered(number, 1_000)).await.unwrap();
    }
    in_time(to_b.flushed()).await;
    // A mailbox holds 256; one is in the worker's hands, and one waits for room.
    let delivered = || async { (to_a.stats().delivered.get() >= 257).then_some(()) };
    eventually_async("the mailbox to be full", TIMEOUT, delivered).await;
    // Beyond that, one reply is being delivered, one waits, and one was asked for before.
    let read = to_a.stats().read.get();
    assert!(read <= 3 * 1_024, "{read} of {SENT} were read");
    assert_eq!(storage.saved("b", "a_to_b").unwrap_or(0), 0);
}

#[tokio::test]
async fn a_hub_that_never_confirms_stops_the_sender() {
    let storage = Storage::new(true, 1);
    let (_hub, (a, to_b), _b, _received) = pair(&storage).await;
    storage.silent.store(true, Ordering::Relaxed);
    let context = a.node.context().unwrap();
    let mut sent = 0;
    let refused = loop {
        // Without waiting: senders that wait are held back long before.
        match context.send_at_once(to_receiver(&to_b), numbered(sent, 100_000)) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
    };
    assert!(refused.to_string().contains(&Undeliverable::Full.to_string()), "{refused}");
    assert!((100..200).contains(&sent), "{sent}");
    assert_eq!(to_b.unconfirmed().messages as u64, sent);
    assert_eq!(to_b.stats().refused.get(), 1);
    // It goes on by itself, when the confirmation that it waits for has not come.
    eventually_async("a push", TIMEOUT, async || (storage.len("a_to_b") > 0).then_some(())).await;
    storage.silent.store(false, Ordering::Relaxed);
    in_time(to_b.flushed()).await;
    assert!(matches!(in_time(to_b.notices().next()).await, Notice::Unconfirmed { .. }));
}

#[tokio::test]
async fn lost_records_are_reported_as_a_gap() {
    let storage = Storage::new(true, 1);
    let hub = MiniHub::start(&storage).await;
    let a = Program::a(&hub);
    let to_b = a.connect(a.builder()).await;
    let mut context = a.node.context().unwrap();
    for number in 0..10 {
        context.send(to_receiver(&to_b), numbered(number, 0)).await.unwrap();
    }
    in_time(to_b.flushed()).await;
    storage.delete_before("a_to_b", 7);
    let b = Program::b(&hub);
    let mut received = receiver(&b.node);
    let to_a = b.connect(b.builder().expose("receiver")).await;
    assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 7);
    assert!(matches!(in_time(to_a.notices().next()).await, Notice::Gap { from: 0, to: 7 }));
    assert_eq!(to_a.stats().lost.get(), 7);
}

#[tokio::test]
async fn records_that_are_no_messages_or_for_nobody_are_skipped_and_reported() {
    for extended in KINDS {
        let storage = Storage::new(extended, 1);
        storage.append("a_to_b", b"junk".to_vec());
        let (_hub, (a, to_b), (_b, to_a), mut received) = pair(&storage).await;
        let mut context = a.node.context().unwrap();
        context.send(route![&to_b, "nobody"], "hello").await.unwrap();
        context.send(to_receiver(&to_b), numbered(1, 0)).await.unwrap();
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, 1);
        let notices = to_a.notices();
        assert!(matches!(in_time(notices.next()).await, Notice::Undecodable { index: 0 }));
        let notice = in_time(notices.next()).await;
        assert!(
            matches!(&notice, Notice::Undelivered { index: 1, address, reason: Undeliverable::UnknownAddress }
                if *address == "nobody".into()),
            "{notice:?}"
        );
        let saved = || async { storage.saved("b", "a_to_b").filter(|saved| *saved == 3) };
        eventually_async("the index behind all", TIMEOUT, saved).await;
    }
}

#[tokio::test]
async fn a_record_that_the_hub_does_not_take_is_dropped_and_the_others_arrive() {
    let storage = Storage::new(true, 1);
    storage.record_max.store(10_000, Ordering::Relaxed);
    let (_hub, (a, to_b), _b, mut received) = pair(&storage).await;
    let context = a.node.context().unwrap();
    for number in 0..9 {
        let size = if number % 4 == 2 { 20_000 } else { 10 };
        context.send_at_once(to_receiver(&to_b), numbered(number, size)).unwrap();
    }
    for number in [0, 1, 3, 4, 5, 7, 8] {
        assert_eq!(in_time(received.recv()).await.unwrap().body().0.0, number);
    }
    let notice = in_time(to_b.notices().next()).await;
    assert!(
        matches!(&notice, Notice::TooLarge { reason, .. } if reason.contains("too large for the test")),
        "{notice:?}"
    );
}

#[tokio::test]
async fn a_refusal_says_the_hubs_reason_and_passes() {
    let storage = Storage::new(true, 1);
    let hub = MiniHub::start(&storage).await;
    let a = Program::a(&hub);
    *storage.refuse.lock().unwrap() = Some((Status::Denied, "ask the owner\u{7} of the stream".into()));
    let refused = a.builder().connect(&a.hub, "a_to_b", "b_to_a").await.err().unwrap();
    assert_eq!(refused.to_string(), "the hub refused to create the stream `a_to_b`: ask the owner of the stream");
    let to_b = a.builder().keep_connected(&a.hub, "a_to_b", "b_to_a").unwrap();
    assert!(matches!(&*in_time(to_b.up()).await.unwrap_err(), StreamError::Refused { .. }));
    a.node.context().unwrap().send(to_receiver(&to_b), numbered(1, 0)).await.unwrap();
    *storage.refuse.lock().unwrap() = None;
    in_time(to_b.watch().wait_for(|state| matches!(state, StreamState::Up))).await.unwrap();
    in_time(to_b.flushed()).await;
    // And while it runs.
    *storage.refuse.lock().unwrap() = Some((Status::Full, "delete something".into()));
    a.node.context().unwrap().send(to_receiver(&to_b), numbered(2, 0)).await.unwrap();
    in_time(to_b.watch().wait_for(|state| {
        matches!(state, StreamState::Down(reason)
        if reason.to_string().ends_with("write the stream `a_to_b`: delete something"))
    }))
    .await
    .unwrap();
    *storage.refuse.lock().unwrap() = None;
    in_time(to_b.flushed()).await;
}

#[tokio::test]
async fn names_are_checked_and_a_hub_that_is_away_is_named() {
    let node = Node::new();
    let hub = node.keep_connected("127.0.0.1:1", None);
    let long = "x".repeat(201);
    for name in ["", "a/b", long.as_str(), "ä"] {
        let refused = Stream::new(&node).keep_connected(&hub, name, "ok").err().unwrap();
        assert!(matches!(&refused, StreamError::InvalidName(it) if it == name), "{refused}");
    }
    let refused = Stream::new(&node).expose("nothing").keep_connected(&hub, "a", "b").err().unwrap();
    assert!(matches!(refused, StreamError::NoSuchAddress(_)));
    let refused = Stream::new(&node).partition(3, 3).keep_connected(&hub, "a", "b").err().unwrap();
    assert!(matches!(refused, StreamError::NoSuchPartition { .. }));
    let away = in_time(Stream::new(&node).connect(&hub, "a", "b")).await.err().unwrap();
    assert!(matches!(&*away, StreamError::Hub(_)) && away.to_string().contains("127.0.0.1:1"), "{away}");
    // A hub without the service.
    let silent = Node::new();
    let tcp = silent.tcp_listen("127.0.0.1:0").await.unwrap();
    let connection = node.tcp_connect(tcp.local_addr().to_string()).await.unwrap();
    let stream = Stream::new(&node).keep_connected(&connection, "a", "b").unwrap();
    let told = tokio::time::timeout(Duration::from_secs(30), stream.up()).await.unwrap().unwrap_err();
    assert!(told.to_string().contains("did not answer at `stream`"), "{told}");
}
