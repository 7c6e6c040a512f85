//! Whatever the logs lose, repeat and reorder, and wherever the programs end.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[test]
fn messages_arrive_in_both_directions_in_order() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 1);
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    let (there, back) = (numbered("echo ", 0..100), numbered("reply ", 0..100));
    alices.send(&bob, &there);
    bob.wait_for("what Alice sent", &there);
    alice.wait_for("the replies", &back);
    alices.wait_until_acknowledged(&bob);
    bobs.wait_until_acknowledged(&alice);
    assert!(alices.state(&bob).connected_since.is_some() && bobs.state(&alice).connected_since.is_some());
    assert_eq!((alices.state(&bob).unacknowledged_since, alices.state(&bob).last_error), (None, None));
    [&alice, &bob].into_iter().for_each(|program| check(program, 0));
}

#[test]
fn a_message_waits_for_a_peer_that_comes_later() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 2);
    let alices = alice.start(&logs, &bob);
    alices.send(&bob, &numbered("m", 0..3));
    let state = alices.state(&bob);
    assert_eq!((state.outstanding.messages, state.connected_since), (3, None));
    assert!(state.unacknowledged_since.is_some());
    drop(alices);
    let _bobs = bob.start(&logs, &alice);
    let alices = alice.start(&logs, &bob);
    bob.wait_for("what was sent before", &numbered("m", 0..3));
    alices.wait_until_acknowledged(&bob);
}

/// Without the notice of the one that came back, the other would find out after its probe only, which takes an hour here.
#[test]
fn a_responder_that_restarts_is_connected_to_at_once() {
    let hour = Duration::from_secs(3_600);
    let slow = DeliveryOptions { first_probe: hour, longest_probe: hour, ..quick() };
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 3);
    let alices = alice.start_with(&logs, &bob, slow);
    let bobs = bob.start_with(&logs, &alice, slow);
    alices.send(&bob, &numbered("m", 0..1));
    bob.wait_for("the first", &numbered("m", 0..1));
    drop(bobs);
    alices.send(&bob, &numbered("m", 1..2));
    let _bobs = bob.start_with(&logs, &alice, slow);
    bob.wait_for("the second", &numbered("m", 0..2));
}

/// The same where the notice at the start is lost, but the next record finds no channel.
#[test]
fn a_record_that_finds_no_channel_leads_to_another() {
    let hour = Duration::from_secs(3_600);
    let slow = DeliveryOptions { first_probe: hour, longest_probe: hour, ..quick() };
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 4);
    let alices = alice.start_with(&logs, &bob, slow);
    let bobs = bob.start_with(&logs, &alice, slow);
    alices.send(&bob, &numbered("m", 0..1));
    bob.wait_for("the first", &numbered("m", 0..1));
    drop(bobs);
    logs.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let bobs = bob.start_with(&logs, &alice, slow);
    eventually("the notice is lost", TIMEOUT, || (bobs.node.stats().channels.get() == 0).then_some(()));
    bobs.block_on(async { tokio::time::sleep(Duration::from_millis(1_100)).await });
    logs.is_broken.store(false, std::sync::atomic::Ordering::Relaxed);
    alices.send(&bob, &numbered("m", 1..2));
    bob.wait_for("the second", &numbered("m", 0..2));
}

#[test]
fn a_log_that_has_lost_everything_is_recovered_from() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 5);
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    alices.send(&bob, &numbered("m", 0..1));
    bob.wait_for("the first", &numbered("m", 0..1));
    logs.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    alices.send(&bob, &numbered("m", 1..200));
    bobs.send(&alice, &numbered("b", 0..200));
    let begun = logs.records.load(std::sync::atomic::Ordering::Relaxed);
    // More than the replay window: the old channel can never be used again.
    eventually("the channel is beyond repair", TIMEOUT, || {
        (logs.records.load(std::sync::atomic::Ordering::Relaxed) > begun + 100).then_some(())
    });
    logs.is_broken.store(false, std::sync::atomic::Ordering::Relaxed);
    bob.wait_for("Alice's", &numbered("m", 0..200));
    alice.wait_for("Bob's", &numbered("b", 0..200));
}

#[test]
fn a_handler_that_fails_is_called_again_and_nothing_overtakes() {
    let (alice, mut bob) = (Program::new(0), Program::new(1));
    bob.failures = 2;
    let logs = Logs::new(Faults::default(), 6);
    let (mut bobs, alices) = (bob.start(&logs, &alice), alice.start(&logs, &bob));
    alices.send(&bob, &numbered("m", 0..20));
    alices.wait_until_acknowledged(&bob);
    let calls: Vec<_> = bob.calls().into_iter().map(|call| (call.body, call.redelivered)).collect();
    let expected =
        numbered("m", 0..20).into_iter().flat_map(|body| [false, true, true].map(|again| (body.clone(), again)));
    assert_eq!(calls, expected.collect::<Vec<_>>());
    bobs.wait_for_notice("the failure", |it| matches!(it, DeliveryNotice::HandlerFailed { attempts: 2, .. }));
    check(&bob, 0);
}

#[test]
fn a_handler_that_panics_has_failed() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 8);
    let (_bobs, alices) = (bob.start(&logs, &alice), alice.start(&logs, &bob));
    alices.send(&bob, &["panic".to_owned(), "next".to_owned()]);
    alices.wait_until_acknowledged(&bob);
    let calls: Vec<_> = bob.calls().into_iter().map(|call| (call.body, call.redelivered)).collect();
    assert_eq!(calls, [("panic".to_owned(), false), ("panic".to_owned(), true), ("next".to_owned(), false)]);
    check(&bob, 0);
}

#[test]
fn a_program_that_ends_in_its_handler_is_called_again_once_and_told_so() {
    let (alice, bob) = (Program::new(0), Program::new(1));
    let logs = Logs::new(Faults::default(), 7);
    *lock(&bob.blocked) = Some("m5".into());
    let (alices, bobs) = (alice.start(&logs, &bob), bob.start(&logs, &alice));
    alices.send(&bob, &numbered("m", 0..10));
    bob.wait_for("all before", &numbered("m", 0..6));
    drop(bobs);
    *lock(&bob.blocked) = None;
    let _bobs = bob.start(&logs, &alice);
    alices.wait_until_acknowledged(&bob);
    let again: Vec<_> = bob.calls().into_iter().filter(|call| call.redelivered).map(|call| call.body).collect();
    assert_eq!((again, bob.calls().len()), (vec!["m5".to_owned()], 11));
    check(&bob, 0);
}

/// Random faults, random ends of either program; then everything must be there.
#[test]
fn nothing_is_lost_reordered_or_done_twice() {
    for _ in 0..4 {
        let seed = rand::random();
        println!("seed {seed}");
        run(seed);
    }
}

fn run(seed: u64) {
    const ALL: usize = 120;
    let mut random = StdRng::seed_from_u64(seed);
    let (mut alice, mut bob) = (Program::new(0), Program::new(1));
    (alice.failures, bob.failures) = (random.random_range(0..2), random.random_range(0..2));
    let faults = Faults { lost: random.random_range(0..3), repeated: 3, reordered: random.random_range(0..3) };
    let logs = Logs::new(faults, seed);
    let programs = [&alice, &bob];
    let start = |side: usize| programs[side].start(&logs, programs[1 - side]);
    let mut processes = [start(0), start(1)];
    let (mut sent, mut kills) = ([0, 0], [0, 0]);
    while sent.iter().any(|sent| *sent < ALL) {
        let side = random.random_range(0..2);
        let until = (sent[side] + random.random_range(1..20)).min(ALL);
        processes[side].send(programs[1 - side], &numbered(["echo a", "echo b"][side], sent[side]..until));
        sent[side] = until;
        if random.random_bool(0.4) {
            let (side, more) = (random.random_range(0..2), random.random_range(0..15));
            let enough = programs[side].calls().len() + more;
            let _ = postern_testkit::within(Duration::from_millis(100), || {
                (programs[side].calls().len() >= enough).then_some(())
            });
            kills[side] += 1;
            // The old process ends before the new one begins.
            let old = processes[side].runtime.take();
            if let Some(old) = old {
                old.shutdown_background();
            }
            processes[side] = start(side);
        }
    }
    logs.repair();
    for (side, program) in programs.into_iter().enumerate() {
        let (theirs, replies) = (["echo b", "echo a"][side], ["reply a", "reply b"][side]);
        eventually("everything was handled", TIMEOUT, || (program.handled().len() == 2 * ALL).then_some(()));
        let of =
            |prefix: &str| program.handled().into_iter().filter(|body| body.starts_with(prefix)).collect::<Vec<_>>();
        assert_eq!(of(theirs), numbered(theirs, 0..ALL), "seed {seed}");
        assert_eq!(of(replies), numbered(replies, 0..ALL), "seed {seed}");
        processes[side].wait_until_acknowledged(programs[1 - side]);
    }
    // What is acknowledged has taken effect.
    (0..2).for_each(|side| check(programs[side], kills[side]));
}
