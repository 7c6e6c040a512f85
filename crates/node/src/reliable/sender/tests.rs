use super::*;

const WINDOW: DeliveryWindow = DeliveryWindow { messages: 4, bytes: 1000 };

fn epoch(number: u8) -> Epoch {
    Epoch::from_bytes([number; 16])
}

fn stamp(sequence: u64) -> Stamp {
    Stamp::from_bytes(sequence.to_be_bytes())
}

fn ready(sequence: u64, len: usize) -> Ready {
    Ready { sequence, stamp: stamp(sequence), body: vec![0; len].into() }
}

/// With these sequences outstanding, in an epoch that began behind sequence 10.
fn sender(acknowledged: u64, stored: u64) -> Sender {
    let record = Outgoing {
        epoch: epoch(1),
        base: 10,
        next: stored + 1,
        acknowledged,
        acknowledged_stamp: if acknowledged == 10 { Stamp::default() } else { stamp(acknowledged) },
        used: Default::default(),
    };
    Sender::new(record, WINDOW)
}

fn connected(acknowledged: u64, stored: u64) -> Sender {
    let mut sender = sender(acknowledged, stored);
    sender.hello();
    let known = sender.known_stamp(acknowledged).unwrap();
    sender.resume(acknowledged, known, WINDOW);
    sender
}

fn counters(sender: &mut Sender) -> Vec<u64> {
    std::iter::from_fn(|| sender.next())
        .map(|message| match message {
            Message::Data { counter, .. } => counter,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn nothing_is_sent_before_the_peer_has_said_where_to_begin() {
    let mut sender = sender(12, 15);
    sender.stored(15, [ready(13, 1)]);
    assert_eq!((sender.wants(), sender.is_expecting()), (None, false));
    assert_eq!(sender.hello(), Message::Hello { number: 1, epoch: epoch(1), first: 3, next: 6 });
    assert!(sender.is_expecting() && sender.wants().is_none());
    assert_eq!(sender.on_resume(1, epoch(1), 4, stamp(14)), Resumed::From(14, stamp(14)));
    sender.resume(14, stamp(14), WINDOW);
    assert_eq!(sender.wants(), Some((14, 1, 1000)));
    sender.fill([ready(15, 1)]);
    assert_eq!(counters(&mut sender), [5]);
}

#[test]
fn the_window_bounds_what_is_on_the_way() {
    let mut sender = connected(10, 30);
    assert_eq!(sender.wants(), Some((10, 4, 1000)));
    sender.fill((11..=20).map(|sequence| ready(sequence, 100)));
    assert_eq!(counters(&mut sender), [1, 2, 3, 4]);
    assert_eq!(sender.on_acknowledge(epoch(1), 2), Acknowledged::UpTo(12, stamp(12)));
    assert_eq!(counters(&mut sender), [5, 6]);
    // Half a window is left to send: more is read only when it is used.
    assert_eq!((sender.buffer.len(), sender.wants()), (4, None));
    // Bytes count too, but a message of any size goes alone.
    assert_eq!(sender.on_acknowledge(epoch(1), 6), Acknowledged::UpTo(16, stamp(16)));
    sender.forget_channel();
    sender.hello();
    sender.resume(16, stamp(16), WINDOW);
    sender.buffer.clear();
    sender.buffered_bytes = 0;
    sender.fill([ready(17, 2_000), ready(18, 1)]);
    assert_eq!(counters(&mut sender), [7]);
    sender.on_acknowledge(epoch(1), 7);
    assert_eq!(counters(&mut sender), [8]);
}

#[test]
fn the_peers_window_counts_too() {
    let mut sender = sender(10, 30);
    sender.hello();
    sender.resume(10, Stamp::default(), DeliveryWindow { messages: 0, bytes: 0 });
    sender.fill((11..=20).map(|sequence| ready(sequence, 1)));
    assert_eq!(counters(&mut sender), [1]);
}

#[test]
fn acknowledgements_of_what_was_not_sent_change_nothing() {
    let mut sender = connected(10, 30);
    sender.fill((11..=12).map(|sequence| ready(sequence, 1)));
    counters(&mut sender);
    for beyond in [3, u64::MAX] {
        assert_eq!(sender.on_acknowledge(epoch(1), beyond), Acknowledged::Beyond);
    }
    assert_eq!(sender.on_acknowledge(epoch(2), 1), Acknowledged::Ignored);
    assert_eq!(sender.acknowledged(), 10);
    sender.on_acknowledge(epoch(1), 2);
    for late in [0, 1, 2] {
        assert_eq!(sender.on_acknowledge(epoch(1), late), Acknowledged::Ignored);
    }
    assert_eq!(sender.acknowledged(), 12);
}

#[test]
fn only_the_answer_to_the_newest_hello_counts() {
    let mut sender = sender(12, 15);
    assert_eq!(sender.on_resume(0, epoch(1), 2, stamp(12)), Resumed::Ignored);
    sender.hello();
    sender.hello();
    for (number, epoch) in [(1, epoch(1)), (3, epoch(1)), (2, epoch(2))] {
        assert_eq!(sender.on_resume(number, epoch, 2, stamp(12)), Resumed::Ignored);
    }
    assert_eq!(sender.on_resume(2, epoch(1), 2, stamp(12)), Resumed::From(12, stamp(12)));
    sender.resume(12, stamp(12), WINDOW);
    assert_eq!(sender.on_resume(2, epoch(1), 2, stamp(12)), Resumed::Ignored);
}

#[test]
fn an_answer_that_was_overtaken_by_an_acknowledgement_loses_nothing() {
    let mut sender = connected(10, 30);
    sender.fill((11..=14).map(|sequence| ready(sequence, 1)));
    counters(&mut sender);
    sender.hello();
    sender.on_acknowledge(epoch(1), 3);
    assert_eq!(sender.on_resume(2, epoch(1), 1, stamp(11)), Resumed::From(13, stamp(13)));
    sender.resume(13, stamp(13), WINDOW);
    assert_eq!(sender.wants(), Some((13, 4, 1000)));
    // A peer that had said more before the question has lost it.
    sender.hello();
    assert_eq!(sender.on_resume(3, epoch(1), 1, stamp(11)), Resumed::Missing(12..=13));
}

#[test]
fn old_copies_are_noticed() {
    let mut sender = sender(12, 15);
    sender.hello();
    assert_eq!(sender.on_resume(1, epoch(1), 6, stamp(16)), Resumed::Ahead);
    assert_eq!(sender.on_resume(1, epoch(1), u64::MAX, stamp(16)), Resumed::Ahead);
    assert_eq!(sender.on_resume(1, epoch(1), 0, Stamp::default()), Resumed::Missing(11..=12));
    let record = sender.record.in_epoch(epoch(2));
    sender.enter_epoch(record);
    assert_eq!(sender.hello(), Message::Hello { number: 2, epoch: epoch(2), first: 1, next: 4 });
    assert_eq!(sender.on_resume(2, epoch(2), 0, Stamp::default()), Resumed::From(12, Stamp::default()));
    assert_eq!(sender.known_stamp(12), Some(Stamp::default()));
    sender.resume(12, Stamp::default(), WINDOW);
    sender.fill((13..=15).map(|sequence| ready(sequence, 1)));
    assert_eq!(counters(&mut sender), [1, 2, 3]);
}

#[test]
fn what_is_not_on_the_disk_is_not_sent() {
    let mut sender = connected(10, 11);
    sender.fill((11..=13).map(|sequence| ready(sequence, 1)));
    assert_eq!(counters(&mut sender), [1]);
    assert!(sender.has_unsynced(13));
    sender.stored(13, []);
    assert_eq!(counters(&mut sender), [2, 3]);
}

#[test]
fn messages_are_read_ahead_while_the_window_is_full() {
    let mut sender = connected(10, 30);
    sender.fill((11..=16).map(|sequence| ready(sequence, 10)));
    assert_eq!(counters(&mut sender), [1, 2, 3, 4]);
    assert_eq!(sender.wants(), Some((16, 2, 980)));
    // What was in the buffer before the read began comes again, and is not sent twice.
    sender.fill((15..=18).map(|sequence| ready(sequence, 10)));
    assert_eq!(sender.wants(), None);
    sender.on_acknowledge(epoch(1), 4);
    assert_eq!(counters(&mut sender), [5, 6, 7, 8]);
    assert_eq!(sender.wants(), Some((18, 4, 1000)));
}

#[test]
fn what_found_no_room_comes_next() {
    let mut sender = connected(10, 12);
    sender.fill((11..=12).map(|sequence| ready(sequence, 1)));
    let message = sender.next().unwrap();
    sender.lost(&message);
    assert_eq!(sender.wants(), Some((10, 2, 1000)));
    sender.fill((11..=12).map(|sequence| ready(sequence, 1)));
    assert_eq!(counters(&mut sender), [1, 2]);
}
