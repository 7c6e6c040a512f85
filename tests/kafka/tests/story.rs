//! The story of the blog post: Alice and Bob through two Kafka topics. The hub and the broker see only ciphertext.

use postern_kafka_broker::{Broker, Options};
use postern_testkit::port::loopback;
use postern_testkit::program::command;
use postern_testkit::{Capture, Process, TIMEOUT, contains};

use crate::harness::{TestHub, own_broker};

/// What Alice types. Long enough that no part of it that is looked for occurs by accident.
const LINES: [&str; 3] =
    ["Hello Bob, the key is under the mat.", "Nobody else may know that.", "So says Alice, again."];
/// Bytes in a row that are no accident: one in 2^64 is.
const PIECE: usize = 8;
/// What the hub puts in front of a stream's name.
const PREFIX: &str = "postern-";

/// Everything in between, with a record of what passes.
struct Between {
    broker: Broker,
    /// Between hub and broker.
    to_broker: Capture,
    /// Between programs and hub.
    to_hub: Capture,
    _hub: TestHub,
}

impl Between {
    /// Nothing where there is no broker.
    fn start() -> Option<Self> {
        // The broker sends its clients to the port that it is configured with, so the proxy comes first.
        let to_broker = Capture::recording(loopback(1));
        let advertised = Some(to_broker.address().port());
        let broker = own_broker(Options { advertised, ..Options::default() })?;
        to_broker.retarget(loopback(broker.port()));
        let hub = TestHub::with_kafka(&broker.bootstrap());
        let to_hub = Capture::recording(hub.address());
        Some(Self { broker, to_broker, to_hub, _hub: hub })
    }
}

/// Starts Bob: he, and the names of the streams to him and to Alice.
fn start_bob(hub: &str) -> (Process, [String; 2]) {
    let bob = Process::spawn(command("kafka_bob").arg(hub));
    let names = [(); 2].map(|()| bob.wait_for_line(|line| line.contains("_to_"), TIMEOUT));
    (bob, names)
}

/// Every [`PIECE`] of what Alice typed that occurs in `bytes`.
fn pieces_in(bytes: &[u8]) -> Vec<&'static [u8]> {
    let pieces = LINES.iter().flat_map(|line| line.as_bytes().windows(PIECE));
    pieces.filter(|piece| contains(bytes, piece)).collect()
}

#[test]
fn alice_gets_her_echoes_and_nobody_between_sees_plaintext() {
    let Some(between) = Between::start() else { return };
    let hub = between.to_hub.address().to_string();
    let (bob, [to_bob, to_alice]) = start_bob(&hub);
    let alice = Process::spawn(command("kafka_alice").args([&hub, &to_bob, &to_alice]));
    for line in LINES {
        alice.type_line(line);
        alice.wait_for_line(|echo| echo == line, TIMEOUT);
    }
    alice.end_input();
    assert!(alice.wait(TIMEOUT).success());
    assert!(bob.ended().is_none());

    for stream in [to_bob, to_alice] {
        let topic = format!("{PREFIX}{stream}");
        let consumed = between.broker.tools().consume(&topic).unwrap();
        assert!(consumed.len() > 500, "the handshake alone is longer: {}", consumed.len());
        assert_eq!(pieces_in(&consumed), [[0_u8; 0]; 0], "in {topic}");
        // What is looked for in the captures would be found there.
        for capture in [&between.to_hub, &between.to_broker] {
            assert!(capture.contains(stream.as_bytes()), "{stream}");
        }
    }
    for (place, capture) in [("hub", &between.to_hub), ("broker", &between.to_broker)] {
        for bytes in capture.recorded() {
            assert_eq!(pieces_in(&bytes), [[0_u8; 0]; 0], "on the way to the {place}");
        }
    }
}

#[test]
fn a_message_waits_in_the_topic_for_a_program_that_is_away() {
    let Some(between) = Between::start() else { return };
    let hub = between.to_hub.address().to_string();
    let (bob, [to_bob, to_alice]) = start_bob(&hub);
    let alice = Process::spawn(command("kafka_alice").args([&hub, &to_bob, &to_alice]));
    alice.type_line(LINES[0]);
    alice.wait_for_line(|echo| echo == LINES[0], TIMEOUT);
    bob.terminate();
    bob.wait(TIMEOUT);
    alice.type_line(LINES[1]);
    // Nobody answers: she ends with an error that says so, and the topic has what she sent.
    assert!(!alice.wait(TIMEOUT).success());
    assert!(between.broker.tools().consume(&format!("{PREFIX}{to_bob}")).unwrap().len() > 500);
}
