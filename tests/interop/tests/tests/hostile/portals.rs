//! Portal messages that no inlet sends.

use super::SLACK;
use interop::Side::{Ours, Real};
use interop::wire::{Frame, Line};
use interop::{Peer, Side};
use postern_testkit::{Service, client, eventually};
use std::io::{Read, Write};

/// An outlet that is reached without a channel, and a client of the other kind through an inlet of its own, which is
/// served all the while.
struct Open {
    owner: Peer,
    address: String,
    service: Service,
    _friend: Peer,
    client: std::net::TcpStream,
}

impl Open {
    fn start(side: Side) -> Self {
        let service = Service::echo();
        let owner = Peer::start(side);
        let address = owner.tell("listen");
        owner.tell(&format!("outlet {}", service.address()));
        let friend = Peer::start(side.other());
        friend.tell(&format!("connect {address}"));
        let client = client::connect(friend.tell("inlet").parse().expect("an address"));
        let open = Self { owner, address, service, _friend: friend, client };
        open.serves();
        open
    }

    #[track_caller]
    fn serves(&self) {
        (&self.client).write_all(b"hello").expect("it is carried");
        let mut answer = [0; 5];
        (&self.client).read_exact(&mut answer).expect("it is carried");
        assert_eq!(&answer, b"hello");
    }

    /// Opens a stream with this behind the Ping; gives the address at the other end.
    #[track_caller]
    fn ping(line: &Line, tail: &[u8]) -> String {
        line.say(&Frame::to(&["outlet"], "inlet", &[&[0], tail].concat()));
        let pong = line.hear().expect("a Pong");
        assert_eq!((pong.onward, pong.payload), (vec!["inlet".to_owned()], vec![1]), "{tail:02x?}");
        pong.back.last().expect("a way back").clone()
    }

    /// The hostile streams end; the client's does not.
    #[track_caller]
    fn settles(&self) {
        eventually("the streams to end", interop::TIMEOUT, || (self.service.live() == 1).then_some(()));
    }
}

#[test]
fn a_ping_with_a_tail_is_a_ping() {
    for side in [Ours, Real] {
        let open = Open::start(side);
        let counted = |number: u16| if side == Ours { [&[1], &number.to_le_bytes()[..]].concat() } else { Vec::new() };
        for tail in [&b""[..], b"x", b"pst", b"pst\x01", b"pst\x02\x01\x01a", &[0xff; 300]] {
            // One of its own for each: theirs may say more than once that a stream is over.
            let line = Line::connect(&open.address);
            line.version();
            let there = Open::ping(&line, tail);
            // Without a counter, as theirs.
            line.say(&Frame::to(&[&there], "inlet", b"\x03\x05hello"));
            let answer = line.hear().expect("an answer");
            assert_eq!(answer.payload, [&b"\x03\x05hello"[..], &counted(0)].concat(), "{side:?}");
            open.serves();
            line.say(&Frame::to(&[&there], "inlet", b"\x02"));
        }
        open.settles();
        open.serves();
    }
}

/// Both sides end a stream whose counter is not the next one, with the same bytes.
#[test]
fn a_wrong_sequence_number_ends_the_stream() {
    for side in [Ours, Real] {
        let open = Open::start(side);
        for (right, wrong) in [(0, 1u16), (1, 0), (2, 9), (3, 0xffff)] {
            // One of its own for each: theirs may say more than once that a stream is over.
            let line = Line::connect(&open.address);
            line.version();
            let there = Open::ping(&line, b"");
            let say = |number: u16| {
                let payload = [&b"\x03\x05hello\x01"[..], &number.to_le_bytes()].concat();
                line.say(&Frame::to(&[&there], "inlet", &payload));
            };
            for number in 0..right {
                say(number);
                assert!(line.hear().expect("an answer").payload.starts_with(b"\x03\x05hello"), "{side:?}");
            }
            say(wrong);
            assert_eq!(line.hear().expect("an end").payload, [2], "{side:?}: {wrong} for {right}");
        }
        open.settles();
        open.serves();
    }
}

#[test]
fn only_a_ping_opens_a_stream_and_ended_streams_are_freed() {
    let open = Open::start(Ours);
    let line = Line::connect(&open.address);
    line.version();
    for odd in [&b""[..], b"\x01", b"\x02", b"\x03\x05hello", b"\x09"] {
        line.say(&Frame::to(&["outlet"], "inlet", odd));
    }
    // The next thing to come is the Pong.
    let there = Open::ping(&line, b"");
    line.say(&Frame::to(&[&there], "inlet", b"\x02"));
    // Long tails are not kept, and streams that ended are forgotten.
    let tail = vec![0xff; 60_000];
    let endure = |times| {
        for _ in 0..times {
            let there = Open::ping(&line, &tail);
            line.say(&Frame::to(&[&there], "inlet", b"\x02"));
        }
        open.settles();
        open.serves();
        open.owner.resident()
    };
    let before = endure(300);
    let after = endure(2_000);
    eprintln!("{} KiB more", after.saturating_sub(before) / 1024);
    assert!(after < before + SLACK, "from {before} to {after} bytes");
    // Two connections, and the client's stream.
    open.owner.eventually("holds", "2 0 0 1");
}
