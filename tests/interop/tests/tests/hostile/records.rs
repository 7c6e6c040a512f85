//! Records of a secure channel: replayed, forged, out of the replay window, with an odd return route.

use super::{Victim, honest, says};
use interop::Side::{Ours, Real};
use interop::noise::{Channel, Static, message};
use interop::wire::Line;

#[test]
fn records_are_accepted_once_and_within_the_replay_window() {
    for side in [Ours, Real] {
        accepts_records_once_and_within_the_replay_window(&Victim::start(side));
    }
}

fn accepts_records_once_and_within_the_replay_window(victim: &Victim) {
    let key = Static::new([7; 32]);
    let proof = honest(&key);
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &proof);
    let answers = |text: &str| {
        let answer = channel.hear().expect("an answer");
        assert!(says(&answer, text), "not the answer to {text}: {answer:02x?}");
    };
    let echo = |nonce, text: &str| channel.text(nonce, "echoer", text);

    channel.send(&echo(0, "zero"));
    answers("zero");
    // Seen before.
    channel.send(&echo(0, "zero again"));
    // Further ahead than the window.
    channel.send(&echo(33, "too far"));
    // A number of the next key, with a tag that is not by it.
    let forge = |nonce| {
        let mut forged = echo(nonce, "forged");
        *forged.last_mut().expect("a tag") ^= 1;
        forged
    };
    channel.send(&forge(32));
    // A number of the next key, sealed with the key before.
    let mut early = channel.record(1, &message("echoer", "me", b"\x05early"));
    early[..8].copy_from_slice(&32u64.to_be_bytes());
    channel.send(&early);
    // Too short to be anything.
    channel.send(&[]);
    channel.send(&[0; 23]);
    // None of it was answered or moved anything: the next one is.
    channel.send(&echo(1, "one"));
    answers("one");
    // The end of the window is in it, and the first number of the next key.
    channel.send(&echo(33, "thirty-three"));
    answers("thirty-three");
    channel.send(&echo(2, "two"));
    answers("two");
    channel.send(&echo(1, "one again"));
    channel.send(&echo(0, "out of the window"));
    channel.send(&echo(34, "thirty-four"));
    answers("thirty-four");
    // A worker that is not exposed, and a message to nowhere.
    channel.send(&channel.text(35, "listener", "hello"));
    channel.send(&channel.text(36, "nobody", "hello"));
    channel.send(&channel.record(37, b"\xff\xff"));
    channel.send(&channel.text(38, "echoer", "after all"));
    answers("after all");

    let replayed = echo(38, "after all");
    // Of the key after the present one, which the node must make to find out.
    let forged = forge(64);
    let (too_far, too_old) = (echo(71, "too far"), echo(5, "too old"));
    let attack = || {
        for record in [&replayed, &forged, &too_far, &too_old] {
            channel.send(record);
        }
    };
    match victim.node.side() {
        Ours => {
            // Numbers that were left out, so that what is too far ahead stays so.
            let left_out = std::cell::Cell::new(7);
            let settle = || {
                channel.send(&echo(left_out.get(), "still"));
                answers("still");
                left_out.set(left_out.get() + 1);
            };
            victim.endures(100_000, attack, settle);
            channel.send(&echo(39, "still"));
            answers("still");
        }
        Real => {
            (0..100).for_each(|_| attack());
            channel.send(&echo(39, "still"));
            answers("still");
            assert_eq!(victim.client.tell("echo 3"), "3");
        }
    }
}

/// Real nodes send a refresh with the address of their encryptor as the way back, which leads nowhere.
#[test]
fn a_refresh_does_not_move_the_route() {
    let victim = Victim::start(Ours);
    let key = Static::new([7; 32]);
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &honest(&key));
    channel.send_from("encryptor", &channel.record(9, b"\x82\x82\x01\x81\x82\x80\x80\x40"));
    // An older number, which does not move it back.
    channel.send(&channel.text(3, "echoer", "hello"));
    assert!(says(&channel.hear().expect("an answer"), "hello"));
}
