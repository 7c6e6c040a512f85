//! What no honest peer does, done to a node of ours: it refuses or ignores it, goes on serving others, and its memory
//! does not grow.

use interop::Peer;
use interop::Side::{Ours, Real};
use interop::noise::{Channel, Static, message};
use interop::wire::{Frame, Line};
use postern_node::identity::{Identity as Own, IdentityProof, Timestamp};
use postern_node::vault::MemoryVault;
use postern_tests::Service;
use std::sync::Arc;

const FRAME_MAX: u32 = 16 << 20;
/// How much memory may grow while a hostile peer tries, in bytes: far less than what it sends.
const SLACK: u64 = 8 << 20;

/// A node of ours that answers at `listener`, and a real client that is served by it all the while.
struct Victim {
    node: Peer,
    address: String,
    client: Peer,
}

impl Victim {
    fn start() -> Self {
        let (node, bob) = Peer::with_identity(Ours);
        let address = node.tell("listen");
        node.tell("listener listener");
        let (client, _) = Peer::with_identity(Real);
        client.tell(&format!("connect {address}"));
        assert_eq!(client.tell("channel listener"), bob.identifier);
        // The client's half is open before the node has taken the last message of the handshake.
        node.eventually("channels", "1");
        Self { node, address, client }
    }

    /// Tries something many times, and looks that others were served and the memory did not grow.
    #[track_caller]
    fn endures(&self, times: u32, mut attack: impl FnMut()) {
        (0..times / 4).for_each(|_| attack());
        assert_eq!(self.client.tell("echo 3"), "3");
        let before = self.node.resident();
        (0..times).for_each(|_| attack());
        assert_eq!(self.client.tell("echo 3"), "3");
        let after = self.node.resident();
        assert!(after < before + SLACK, "from {before} to {after} bytes");
    }
}

/// A proof of an identity made at `created` that attests `key`.
fn proof(created: Timestamp, key: [u8; 32]) -> Vec<u8> {
    let made = async {
        let identity = Own::create(Arc::new(MemoryVault::in_memory()), created).await.expect("an identity");
        let attestation = identity.attest_secure_channel_key(key, created).await.expect("an attestation");
        IdentityProof::new(&identity, attestation, Vec::new()).expect("a proof").encode()
    };
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(made)
}

fn honest(key: &Static) -> Vec<u8> {
    proof(Timestamp::now(), key.public())
}

/// The text in a record's plaintext, which ends with the BARE text and the empty padding.
fn says(plaintext: &[u8], text: &str) -> bool {
    let end = [&[text.len() as u8], text.as_bytes(), &[0x40]].concat();
    plaintext.ends_with(&end)
}

#[test]
fn records_are_taken_once_and_in_their_window() {
    let victim = Victim::start();
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
    victim.endures(4_000, || {
        for record in [&replayed, &forged, &too_far, &too_old] {
            channel.send(record);
        }
    });
    channel.send(&echo(39, "still"));
    answers("still");
}

/// Real nodes send a refresh with the address of their encryptor as the way back, which leads nowhere.
#[test]
fn a_refresh_does_not_move_the_route() {
    let victim = Victim::start();
    let key = Static::new([7; 32]);
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &honest(&key));
    channel.send_from("encryptor", &channel.record(9, b"\x82\x82\x01\x81\x82\x80\x80\x40"));
    // An older number, which does not move it back.
    channel.send(&channel.text(3, "echoer", "hello"));
    assert!(says(&channel.hear().expect("an answer"), "hello"));
}

#[test]
fn who_cannot_prove_its_key_gets_no_channel() {
    let victim = Victim::start();
    let (key, other) = (Static::new([7; 32]), Static::new([8; 32]));
    let long_ago = Timestamp(Timestamp::now().0 - 6 * 365 * 24 * 60 * 60);
    let to_come = Timestamp(Timestamp::now().0 + 3600);
    let mut torn = honest(&key);
    torn.truncate(torn.len() / 2);
    let mut altered = honest(&key);
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let proofs = [
        honest(&other),
        proof(long_ago, key.public()),
        proof(to_come, key.public()),
        torn,
        altered,
        Vec::new(),
        vec![0x9f; 60_000],
    ];
    victim.endures(40, || {
        for proof in &proofs {
            let line = Line::connect(&victim.address);
            line.version();
            let channel = Channel::open(&line, &["listener"], "mallory", &key, proof);
            channel.send(&channel.text(0, "echoer", "hello"));
            // The node reads in order: when it answers this, it has judged all of the above.
            line.say(&Frame::to(&["listener"], "afterwards", &key.public()));
            assert_eq!(line.hear().expect("message 2").onward, ["afterwards"]);
        }
    });
    assert_eq!(victim.node.tell("channels"), "1");
    // The same with a good proof is let in, so it was the proofs.
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &honest(&key));
    channel.send(&channel.text(0, "echoer", "hello"));
    assert!(says(&channel.hear().expect("an answer"), "hello"));
    assert_eq!(victim.node.tell("channels"), "2");
}

#[test]
fn another_version_and_an_oversized_frame_end_the_connection() {
    let victim = Victim::start();
    victim.endures(100, || {
        for version in [0, 2, 255] {
            let line = Line::silent(&victim.address);
            line.send(&[version]).expect("it is connected");
            line.ends();
        }
        for length in [FRAME_MAX + 1, u32::MAX] {
            let line = Line::connect(&victim.address);
            line.send(&length.to_be_bytes()).expect("it is connected");
            line.ends();
        }
        // A frame of nothing that makes sense.
        let line = Line::connect(&victim.address);
        line.send(b"\x00\x00\x00\x04\xff\xff\xff\xff").expect("it is connected");
        line.ends();
    });
}

#[test]
fn an_oversized_frame_on_an_authenticated_connection_ends_it_too() {
    let victim = Victim::start();
    let key = Static::new([7; 32]);
    let proof = honest(&key);
    victim.endures(20, || {
        let line = Line::connect(&victim.address);
        line.version();
        let channel = Channel::open(&line, &["listener"], "mallory", &key, &proof);
        channel.send(&channel.text(0, "echoer", "hello"));
        channel.hear().expect("an answer");
        line.send(&(FRAME_MAX + 1).to_be_bytes()).expect("it is connected");
        line.ends();
    });
    // Handshakes that never end, and promises of large frames that never come.
    let mut lines = Vec::new();
    victim.endures(200, || {
        let line = Line::connect(&victim.address);
        line.say(&Frame::to(&["listener"], "mallory", &key.public()));
        line.send(&(1u32 << 20).to_be_bytes()).expect("it is connected");
        lines.push(line);
    });
}

#[test]
fn odd_relay_names_are_refused() {
    let (hub, address) = Peer::hub(Ours, "forward_to_");
    let (bob, bobs) = Peer::with_identity(Real);
    bob.tell(&format!("connect {address}"));
    bob.tell("listener listener");
    bob.tell("relay bob");
    let (alice, _) = Peer::with_identity(Real);
    alice.tell(&format!("connect {address}"));
    assert_eq!(alice.tell("channel forward_to_bob/listener"), bobs.identifier);

    let line = Line::connect(&address);
    line.version();
    let ask = |name: &str| {
        let payload = [&[name.len() as u8], name.as_bytes()].concat();
        line.say(&Frame::to(&["static_forwarding_service"], "mallory", &payload));
    };
    let before = hub.resident();
    for _ in 0..500 {
        for name in ["a#b", "a#b#c", "#", "1#127.0.0.1:22", "", "a b", "bob", "\u{0}"] {
            ask(name);
        }
    }
    // Only this one is confirmed, after all of them.
    ask("mallory");
    let confirmed = line.hear().expect("a confirmation");
    assert_eq!(confirmed, Frame::to(&["mallory"], "forward_to_mallory", b"\x12forward_to_mallory"));
    assert!(hub.resident() < before + SLACK);
    // Bob's relay is still his.
    assert_eq!(alice.tell("echo 3"), "3");
    assert_eq!(alice.tell("channel forward_to_bob/listener"), bobs.identifier);
}

#[test]
fn a_ping_with_a_tail_is_a_ping() {
    let echo = Service::echo();
    let owner = Peer::start(Ours);
    let address = owner.tell("listen");
    owner.tell(&format!("outlet {}", echo.address()));
    let line = Line::connect(&address);
    line.version();
    let ping = |tail: &[u8]| {
        line.say(&Frame::to(&["outlet"], "inlet", &[&[0], tail].concat()));
        let pong = line.hear().expect("a Pong");
        assert_eq!((pong.onward, pong.payload), (vec!["inlet".to_owned()], vec![1]), "{tail:02x?}");
        pong.back.last().expect("a way back").clone()
    };
    for tail in [&b""[..], b"x", b"pst", b"pst\x01", b"pst\x02\x01\x01a", &[0xff; 300]] {
        let there = ping(tail);
        // Without a counter, as theirs; and with one.
        line.say(&Frame::to(&[&there], "inlet", b"\x03\x05hello"));
        let answer = line.hear().expect("an answer");
        assert_eq!(answer.payload, b"\x03\x05hello\x01\x00\x00");
        line.say(&Frame::to(&[&there], "inlet", b"\x03\x05again\x01\x01\x00"));
        assert_eq!(line.hear().expect("an answer").payload, b"\x03\x05again\x01\x01\x00");
        // A counter that is not the next one ends the stream.
        line.say(&Frame::to(&[&there], "inlet", b"\x03\x05never\x01\x09\x00"));
        assert_eq!(line.hear().expect("an end").payload[0], 2);
    }
    // What is no Ping is not answered.
    for odd in [&b""[..], b"\x01", b"\x02", b"\x03\x05hello", b"\x09"] {
        line.say(&Frame::to(&["outlet"], "inlet", odd));
    }
    // Long tails are not kept, and streams that ended are forgotten.
    let tail = vec![0xff; 60_000];
    let endure = |times| {
        for _ in 0..times {
            let there = ping(&tail);
            line.say(&Frame::to(&[&there], "inlet", b"\x02"));
        }
        postern_tests::eventually("the streams to end", interop::SOON, || (echo.live() == 0).then_some(()));
        owner.resident()
    };
    let before = endure(50);
    let after = endure(400);
    assert!(after < before + SLACK, "from {before} to {after} bytes");
}
