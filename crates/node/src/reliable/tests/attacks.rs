//! What a peer, or whoever can write to the logs, tries.

use super::protocol::{ChannelNotice, Message};
use super::*;
use std::sync::atomic::Ordering;

#[test]
fn notices_cause_at_most_one_handshake_a_second() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 1);
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    alices.send(&bob, &numbered("m", 0..1));
    alices.wait_until_acknowledged(&bob);
    let before = bobs.node.stats().channels.get();
    let begun = std::time::Instant::now();
    let context = bobs.node.context().unwrap();
    bobs.block_on(async {
        for notice in [ChannelNotice::Waiting, ChannelNotice::NoChannelAt(b"nowhere".to_vec())] {
            for _ in 0..500 {
                context.send_at_once(route![TO_PEER, DELIVERY_NOTICE], notice.encode()).unwrap();
            }
        }
        context.send_at_once(route![TO_PEER, DELIVERY_NOTICE], vec![9u8; 5]).unwrap();
    });
    alices.send(&bob, &numbered("m", 1..100));
    alices.wait_until_acknowledged(&bob);
    bob.wait_for("all", &numbered("m", 0..100));
    let handshakes = bobs.node.stats().failed_handshakes.get() + bobs.node.stats().channels.get() - before;
    let allowed = 2 + begun.elapsed().as_secs();
    assert!(handshakes <= allowed, "{handshakes} handshakes, {allowed} allowed");
    check(&bob, 0);
}

/// Bob says what he should not; Alice loses nothing and tells.
#[test]
fn nonsense_of_a_peer_changes_nothing() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 2);
    let mut alices = alice.start(&logs, &bob);
    let bobs = bob.start(&logs, &alice);
    alices.send(&bob, &numbered("m", 0..1));
    bob.wait_for("the first", &numbered("m", 0..1));
    alices.wait_until_acknowledged(&bob);
    let epoch = alices.block_on(alice.store.outgoing(&bob.identity.identifier())).unwrap().epoch;
    let other = Epoch::from_bytes([9; 16]);
    let (stamp, window) = (Stamp::default(), DeliveryWindow { messages: 0, bytes: 0 });
    let nonsense = [
        Message::Acknowledge { epoch, counter: u64::MAX },
        Message::Acknowledge { epoch, counter: 2 },
        Message::Acknowledge { epoch: other, counter: 1 },
        Message::Resume { number: 1, epoch, last: 0, stamp, window },
        Message::Resume { number: 999, epoch, last: 77, stamp, window },
        Message::Data { epoch: other, counter: 1, stamp, body: "never said hello".into() },
        Message::Unsupported { version: 7 },
    ];
    let context = bobs.node.context().unwrap();
    let channel = eventually("the channel", TIMEOUT, || bobs.delivery.0.peers.channel(&alice.identity.identifier()));
    bobs.block_on(async {
        for message in &nonsense {
            context.send_at_once(route![channel.clone(), DELIVERY], message.encode()).unwrap();
        }
        for garbage in [vec![], vec![0], vec![2, 1], vec![255; 40]] {
            context.send_at_once(route![channel.clone(), DELIVERY], garbage).unwrap();
        }
    });
    alices.wait_for_notice("the bad acknowledgement", |it| matches!(it, DeliveryNotice::BadAcknowledgement { .. }));
    alices.wait_for_notice("the gap", |it| matches!(it, DeliveryNotice::Gap { came: 1, .. }));
    alices.wait_for_notice("the version", |it| matches!(it, DeliveryNotice::OtherVersion { version: 7, .. }));
    alices.send(&bob, &numbered("m", 1..50));
    bobs.send(&alice, &numbered("b", 0..50));
    bob.wait_for("all", &numbered("m", 0..50));
    alice.wait_for("all", &numbered("b", 0..50));
    alices.wait_until_acknowledged(&bob);
    assert_eq!(alices.block_on(alice.store.outgoing(&bob.identity.identifier())).unwrap().epoch, epoch);
    [&alice, &bob].into_iter().for_each(|program| check(program, 0));
}

#[test]
fn what_comes_without_a_channel_reaches_no_delivery() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 3);
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    alices.send(&bob, &numbered("m", 0..1));
    bob.wait_for("the first", &numbered("m", 0..1));
    let epoch = Epoch::from_bytes([9; 16]);
    let context = bobs.node.context().unwrap();
    bobs.block_on(async {
        let hello = Message::Hello { number: 1, epoch, first: 1, next: 2 };
        let data = Message::Data { epoch, counter: 1, stamp: Stamp::default(), body: "forged".into() };
        for message in [hello, data] {
            context.send_at_once(route![TO_PEER, DELIVERY], message.encode()).unwrap();
        }
    });
    bobs.send(&alice, &numbered("b", 0..3));
    alice.wait_for("only what Bob sent", &numbered("b", 0..3));
    assert!(logs.records.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_full_store_says_so_and_goes_on_when_there_is_room() {
    let (mut alice, bob) = (Program::new(0), Program::new(1));
    alice.store = MemoryDeliveryStore::with_capacity(Usage { messages: 10, bytes: 1_000 });
    let logs = Logs::new(Faults::default(), 4);
    let alices = alice.start(&logs, &bob);
    alices.send(&bob, &numbered("m", 0..9));
    let to = bob.identity.identifier();
    let too_many = numbered("m", 9..11).into_iter().map(Bytes::from).collect();
    let full = alices.block_on(alices.delivery.send_all(&to, too_many)).unwrap_err();
    assert!(matches!(full, DeliveryError::Store(StoreError::Full { .. })), "{full}");
    assert!(full.to_string().starts_with("9 messages ("), "{full}");
    let large = alices.block_on(alices.delivery.send(&to, vec![0; BODY_SIZE_MAX + 1])).unwrap_err();
    assert!(matches!(large, DeliveryError::TooLarge { .. }), "{large}");
    let _bobs = bob.start(&logs, &alice);
    alices.wait_until_acknowledged(&bob);
    alices.send(&bob, &numbered("m", 9..19));
    bob.wait_for("all", &numbered("m", 0..19));
}

#[test]
fn a_wrong_storage_key_is_told_and_loses_nothing() {
    let (mut alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 5);
    let alices = alice.start(&logs, &bob);
    alices.send(&bob, &numbered("m", 0..3));
    drop(alices);
    let right = std::mem::take(&mut alice.secrets);
    let _bobs = bob.start(&logs, &alice);
    let mut alices = alice.start(&logs, &bob);
    alices.wait_for_notice(
        "the wrong key",
        |it| matches!(it, DeliveryNotice::StoreFailed { error, .. } if error.contains("storage key")),
    );
    drop(alices);
    alice.secrets = right;
    let _alices = alice.start(&logs, &bob);
    bob.wait_for("all", &numbered("m", 0..3));
}
