//! What no honest peer does, done to a node: it refuses or ignores it and goes on serving others, whichever side it is
//! of; and the memory of ours does not grow.

use interop::Side::{Ours, Real};
use interop::noise::{Channel, Static, message};
use interop::wire::{Frame, Line};
use interop::{Peer, Side};
use postern_node::identity::{Identity as Own, IdentityProof, Timestamp};
use postern_node::vault::MemoryVault;
use postern_testkit::{Service, client, eventually};
use std::io::{Read, Write};
use std::sync::Arc;

const FRAME_MAX: u32 = 16 << 20;
/// The longest frame from somebody who has not shown who it is.
const FRAME_MAX_UNAUTHENTICATED: u32 = (1 << 20) + 4096;
/// How much memory may grow while a hostile peer tries, in bytes: less than what it sends, whatever the attack.
const SLACK: u64 = 3 << 20;

/// A node that answers at `listener`, and a client of the other kind that is served by it all the while.
struct Victim {
    node: Peer,
    address: String,
    client: Peer,
}

impl Victim {
    fn start(side: Side) -> Self {
        let (node, bob) = Peer::with_identity(side);
        let address = node.tell("listen");
        node.tell("listener listener");
        let (client, _) = Peer::with_identity(side.other());
        client.tell(&format!("connect {address}"));
        assert_eq!(client.tell("channel listener"), bob.identifier);
        // The client's half is open before the node has taken the last message of the handshake.
        node.eventually("channels", "1");
        Self { node, address, client }
    }

    /// Tries something many times, and looks that others were served and that nothing of it was kept. `settle` returns
    /// when the node has seen all of it.
    #[track_caller]
    fn endures(&self, times: u32, mut attack: impl FnMut(), settle: impl Fn()) {
        assert_eq!(self.node.side(), Ours, "nothing is promised about the memory of theirs");
        let held = self.node.tell("holds");
        // What the first times make it learn and reserve.
        (0..times / 2).for_each(|_| attack());
        settle();
        assert_eq!(self.client.tell("echo 3"), "3");
        let before = self.node.resident();
        (0..times).for_each(|_| attack());
        settle();
        assert_eq!(self.client.tell("echo 3"), "3");
        let after = self.node.resident();
        eprintln!("{} KiB more", after.saturating_sub(before) / 1024);
        assert!(after < before + SLACK, "from {before} to {after} bytes");
        // Channels wait a minute for who comes back over another connection.
        let wanted = format!("the node to hold {held} again");
        eventually(&wanted, 3 * interop::SOON, || (self.node.tell("holds") == held).then_some(()));
    }

    /// Whether it answers somebody new.
    #[track_caller]
    fn answers(&self) {
        let line = Line::connect(&self.address);
        line.version();
        asks_for_nothing(&line);
    }
}

/// Begins a handshake, is answered, and breaks it off, so that nothing is kept of it.
#[track_caller]
fn asks_for_nothing(line: &Line) {
    line.say(&Frame::to(&["listener"], "afterwards", &Static::new([9; 32]).public()));
    let m2 = line.hear().expect("message 2");
    assert_eq!(m2.onward, ["afterwards"]);
    line.say(&Frame { onward: m2.back, back: Vec::new(), payload: Vec::new() });
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
    for side in [Ours, Real] {
        takes_records_once_and_in_their_window(&Victim::start(side));
    }
}

fn takes_records_once_and_in_their_window(victim: &Victim) {
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

#[test]
fn who_cannot_prove_its_key_gets_no_channel() {
    let victim = Victim::start(Ours);
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
    let attack = || {
        for proof in &proofs {
            let line = Line::connect(&victim.address);
            line.version();
            let channel = Channel::open(&line, &["listener"], "mallory", &key, proof);
            channel.send(&channel.text(0, "echoer", "hello"));
            // The node reads in order: when it answers this, it has judged all of the above.
            asks_for_nothing(&line);
        }
    };
    victim.endures(100, attack, || victim.answers());
    assert_eq!(victim.node.tell("channels"), "1");
    // The same with a good proof is let in, so it was the proofs.
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &honest(&key));
    channel.send(&channel.text(0, "echoer", "hello"));
    assert!(says(&channel.hear().expect("an answer"), "hello"));
    assert_eq!(victim.node.tell("channels"), "2");
}

/// An attestation names the change that it was made under: whoever has changed its key has taken back what the key
/// before attested, with the flag that says so or without.
#[test]
fn a_key_change_takes_back_what_was_attested_before() {
    let key = Static::new([7; 32]);
    let made = async {
        let now = Timestamp::now();
        let mut identity = Own::create(Arc::new(MemoryVault::in_memory()), now).await.expect("an identity");
        let before = identity.attest_secure_channel_key(key.public(), now).await.expect("an attestation");
        identity.rotate(now).await.expect("a new key");
        let after = identity.attest_secure_channel_key(key.public(), now).await.expect("an attestation");
        [before, after]
            .map(|attestation| IdentityProof::new(&identity, attestation, Vec::new()).expect("a proof").encode())
    };
    let [before, after] = tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(made);
    for side in [Ours, Real] {
        let victim = Victim::start(side);
        let [refused, taken] = [(), ()].map(|()| Line::connect(&victim.address));
        refused.version();
        let channel = Channel::open(&refused, &["listener"], "mallory", &key, &before);
        channel.send(&channel.text(0, "echoer", "hello"));
        // Nothing but the answer to another handshake comes.
        refused.say(&Frame::to(&["listener"], "afterwards", &key.public()));
        assert_eq!(refused.hear().expect("message 2").onward, ["afterwards"], "{side:?}");
        taken.version();
        let channel = Channel::open(&taken, &["listener"], "mallory", &key, &after);
        channel.send(&channel.text(0, "echoer", "hello"));
        assert!(says(&channel.hear().expect("an answer"), "hello"), "{side:?}");
        victim.node.eventually("channels", "2");
        assert_eq!(victim.client.tell("echo 3"), "3");
        assert_eq!(victim.node.tell("channels"), "2", "{side:?}");
    }
}

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
fn handshakes_that_never_end_keep_nobody_out() {
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
fn promises_cost_little() {
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

#[test]
fn odd_relay_names_are_refused() {
    for prefix in ["forward_to_", ""] {
        refuses_odd_relay_names(prefix);
    }
}

/// Without a prefix, as by default, every name that anything on the hub has could be asked for.
fn refuses_odd_relay_names(prefix: &str) {
    let (hub, address) = Peer::hub(Ours, prefix);
    let hubs = hub.identity("");
    hub.tell("listener listener");
    let (bob, bobs) = Peer::with_identity(Real);
    bob.tell(&format!("connect {address}"));
    bob.tell("listener listener");
    assert_eq!(bob.tell("relay bob"), format!("{prefix}bob"));
    let (alice, _) = Peer::with_identity(Real);
    alice.tell(&format!("connect {address}"));
    assert_eq!(alice.tell(&format!("channel {prefix}bob/listener")), bobs.identifier);

    let line = Line::connect(&address);
    line.version();
    let ask = |name: &str| {
        let mut payload = Vec::new();
        if name.len() > 127 {
            payload.push(name.len() as u8 | 0x80);
        }
        payload.push((name.len() >> if name.len() > 127 { 7 } else { 0 }) as u8);
        payload.extend_from_slice(name.as_bytes());
        line.say(&Frame::to(&["static_forwarding_service"], "mallory", &payload));
    };
    let long = "x".repeat(200);
    let mut odd = vec!["a#b", "a#b#c", "#", "1#127.0.0.1:22", "0#bob", "", "a b", "bob", "\u{0}", &long];
    if prefix.is_empty() {
        odd.extend(["listener", "echoer", "length", "forwarding_service", "static_forwarding_service", "api#"]);
    }
    let confirmed = |name: &str| {
        // Only this one is confirmed, after all of them.
        ask(name);
        let name = format!("{prefix}{name}");
        let confirmation = [&[name.len() as u8], name.as_bytes()].concat();
        assert_eq!(line.hear().expect("a confirmation"), Frame::to(&["mallory"], &name, &confirmation));
    };
    let try_all = || odd.iter().for_each(|name| ask(name));
    (0..500).for_each(|_| try_all());
    confirmed("mallory");
    let before = hub.resident();
    (0..5_000).for_each(|_| try_all());
    confirmed("mallory");
    let after = hub.resident();
    eprintln!("{} KiB more", after.saturating_sub(before) / 1024);
    assert!(after < before + SLACK, "from {before} to {after} bytes");
    // Bob's relay is still his, and what the hub has is still the hub's.
    assert_eq!(alice.tell("echo 3"), "3");
    assert_eq!(alice.tell(&format!("channel {prefix}bob/listener")), bobs.identifier);
    assert_eq!(alice.tell("channel listener"), hubs.identifier);
    assert_eq!(alice.tell("echo 3"), "3");
    assert!(alice.tell("relay").starts_with(prefix));
}

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
        eventually("the streams to end", interop::SOON, || (self.service.live() == 1).then_some(()));
    }
}

#[test]
fn a_ping_with_a_tail_is_a_ping() {
    for side in [Ours, Real] {
        let open = Open::start(side);
        let line = Line::connect(&open.address);
        line.version();
        let counted = |number: u16| if side == Ours { [&[1], &number.to_le_bytes()[..]].concat() } else { Vec::new() };
        for tail in [&b""[..], b"x", b"pst", b"pst\x01", b"pst\x02\x01\x01a", &[0xff; 300]] {
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
fn a_counter_that_is_not_the_next_ends_the_stream() {
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
fn what_is_no_ping_opens_nothing_and_nothing_is_kept_of_pings() {
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
