//! Wrong versions, oversized frames and handshakes that are never finished.

use super::{Victim, honest};
use interop::Peer;
use interop::Side::{Ours, Real};
use interop::noise::{Channel, Static};
use interop::wire::{Frame, Line};

/// The longest frame, in bytes (`FRAME_MAX` of `postern-node`).
const FRAME_MAX: u32 = 16 << 20;
/// The longest frame from a peer that has not proved its identity, in bytes.
const FRAME_MAX_UNAUTHENTICATED: u32 = (1 << 20) + 4096;

#[test]
fn another_version_and_an_oversized_frame_end_the_connection() {
    let victim = Victim::start(Ours);
    let attack = || {
        for version in [0, 2, 255] {
            let line = Line::silent(&victim.address);
            line.send(&[version]).expect("it is connected");
            line.ends();
        }
        for length in [FRAME_MAX_UNAUTHENTICATED + 1, FRAME_MAX + 1, u32::MAX] {
            let line = Line::connect(&victim.address);
            line.send(&length.to_be_bytes()).expect("it is connected");
            line.ends();
        }
        // A frame of nothing that makes sense.
        let line = Line::connect(&victim.address);
        line.send(b"\x00\x00\x00\x04\xff\xff\xff\xff").expect("it is connected");
        line.ends();
    };
    victim.endures(340, attack, || victim.answers());
}

#[test]
fn an_oversized_frame_on_an_authenticated_connection_ends_it_too() {
    let victim = Victim::start(Ours);
    let key = Static::new([7; 32]);
    let proof = honest(&key);
    let attack = || {
        let line = Line::connect(&victim.address);
        line.version();
        let channel = Channel::open(&line, &["listener"], "mallory", &key, &proof);
        channel.send(&channel.text(0, "echoer", "hello"));
        channel.hear().expect("an answer");
        line.send(&(FRAME_MAX + 1).to_be_bytes()).expect("it is connected");
        line.ends();
    };
    victim.endures(500, attack, || victim.answers());
    assert_eq!(victim.node.tell("channels"), "1");
}

/// More handshakes than a listener keeps, none of which is ever finished: the oldest make room for who means it.
#[test]
fn unfinished_handshakes_do_not_lock_out_others() {
    let victim = Victim::start(Ours);
    let line = Line::connect(&victim.address);
    line.version();
    let hello = Static::new([7; 32]).public();
    for _ in 0..3_000 {
        line.say(&Frame::to(&["listener"], "mallory", &hello));
        assert_eq!(line.hear().expect("message 2").onward, ["mallory"]);
    }
    let (other, _) = Peer::with_identity(Real);
    other.tell(&format!("connect {}", victim.address));
    other.tell("channel listener");
    assert_eq!(other.tell("echo 3"), "3");
    assert_eq!(victim.client.tell("echo 3"), "3");
}

/// Handshakes that never end, and promises of large frames that never come, from connections that stay: what each costs
/// is bounded, and far less than what it promises.
#[test]
fn announced_frames_that_never_come_cost_little_memory() {
    const LINES: u64 = 400;
    let victim = Victim::start(Ours);
    let key = Static::new([7; 32]);
    let before = victim.node.resident();
    let lines: Vec<Line> = (0..LINES)
        .map(|_| {
            let line = Line::connect(&victim.address);
            line.version();
            line.say(&Frame::to(&["listener"], "mallory", &key.public()));
            assert_eq!(line.hear().expect("message 2").onward, ["mallory"]);
            // With the beginning, so that it is being read.
            line.send(&FRAME_MAX_UNAUTHENTICATED.to_be_bytes()).expect("it is connected");
            line.send(&[0x84; 1000]).expect("it is connected");
            line
        })
        .collect();
    victim.answers();
    assert_eq!(victim.client.tell("echo 3"), "3");
    let grown = victim.node.resident().saturating_sub(before);
    eprintln!("{} KiB more", grown / 1024);
    assert!(grown < LINES * (64 << 10), "{grown} bytes");
    drop(lines);
}
