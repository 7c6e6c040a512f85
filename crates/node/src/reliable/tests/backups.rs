//! Stores that are older copies.

use super::*;

/// Alice's store goes back to what it was after `kept` messages, and she sends `after` others.
fn restored_sender(seed: u64, after: std::ops::Range<usize>) {
    let (mut alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), seed);
    let _bobs = bob.start(&logs, &alice);
    let alices = alice.start(&logs, &bob);
    alices.send(&bob, &numbered("m", 0..5));
    alices.wait_until_acknowledged(&bob);
    let backup = alice.store.backup();
    alices.send(&bob, &numbered("m", 5..10));
    alices.wait_until_acknowledged(&bob);
    drop(alices);

    alice.store = backup;
    logs.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut alices = alice.start(&logs, &bob);
    alices.send(&bob, &numbered("new", after.clone()));
    logs.is_broken.store(false, std::sync::atomic::Ordering::Relaxed);
    alices.wait_for_notice("a new epoch", |notice| {
        matches!(notice, DeliveryNotice::NewEpoch { reason: NewEpochReason::SenderRestored, .. })
    });
    bob.wait_for("all", &[numbered("m", 0..10), numbered("new", after)].concat());
    alices.wait_until_acknowledged(&bob);
    check(&bob, 0);
}

#[test]
fn a_sender_that_is_behind_begins_a_new_epoch() {
    restored_sender(1, 0..3);
}

/// Counters alone would not show it: they have passed what the receiver has handled.
#[test]
fn a_sender_that_has_caught_up_begins_a_new_epoch_too() {
    restored_sender(2, 0..5);
    restored_sender(3, 0..8);
}

#[test]
fn a_receiver_that_has_forgotten_is_not_waited_for_and_the_program_is_told() {
    for has_backup in [true, false] {
        let (alice, mut bob) = (Program::new(0), Program::new(1));
        let logs = Logs::new(Faults::default(), 4);
        let mut alices = alice.start(&logs, &bob);
        let bobs = bob.start(&logs, &alice);
        alices.send(&bob, &numbered("m", 0..5));
        alices.wait_until_acknowledged(&bob);
        let backup = bob.store.backup();
        alices.send(&bob, &numbered("m", 5..10));
        alices.wait_until_acknowledged(&bob);
        drop(bobs);
        bob.store = if has_backup { backup } else { MemoryDeliveryStore::new() };
        let _bobs = bob.start(&logs, &alice);
        alices.send(&bob, &numbered("m", 10..15));
        let missing = if has_backup { 6..=10 } else { 1..=10 };
        alices.wait_for_notice("what is missing", |notice| {
            let wanted = NewEpochReason::ReceiverRestored { missing: missing.clone() };
            matches!(notice, DeliveryNotice::NewEpoch { reason, .. } if *reason == wanted)
        });
        bob.wait_for("what came later", &numbered("m", 0..15));
        alices.wait_until_acknowledged(&bob);
    }
}

#[test]
fn a_receiver_that_has_forgotten_what_is_kept_gets_it_again() {
    let (alice, mut bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 5);
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    alices.send(&bob, &numbered("m", 0..5));
    bob.wait_for("the first", &numbered("m", 0..5));
    alices.wait_until_acknowledged(&bob);
    let backup = bob.store.backup();
    // Bob handles more, and Alice never hears of it.
    *lock(&bob.blocked) = Some("m8".into());
    alices.send(&bob, &numbered("m", 5..10));
    bob.wait_for("some more", &numbered("m", 0..9));
    drop(bobs);
    drop(alices);
    let alices_store = alice.store.backup();
    *lock(&bob.blocked) = None;
    bob.store = backup;
    let mut alice = alice;
    alice.store = alices_store;
    if block_on(alice.store.outgoing(&bob.identity.identifier())).unwrap().acknowledged > 5 {
        return; // The acknowledgement was faster: the case of the test above.
    }
    let (_bobs, alices) = (bob.start(&logs, &alice), alice.start(&logs, &bob));
    alices.wait_until_acknowledged(&bob);
    bob.wait_for("all", &numbered("m", 0..10));
}
