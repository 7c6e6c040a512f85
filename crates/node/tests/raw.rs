//! What a peer sees and can do that is none of ours: bytes on a socket, and the limits that hold against them.

use postern_node::relay::{RelayError, RelayService, RelayServiceOptions};
use postern_node::secure_channel::HANDSHAKE_TIMEOUT;
use postern_node::tcp::{GREETING_TIMEOUT, MAX_FRAME, MAX_FRAME_UNAUTHENTICATED};
use postern_node::{Echoer, Error, Limits, Node, Origin, SecureChannelOptions, TcpListener, route};
use postern_testkit::{TIMEOUT, eventually_async, in_time};
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// How long to watch that something does not happen: long beside a message on loopback.
const SHORT: Duration = Duration::from_millis(300);
/// How many hostile messages are tried.
const TRIES: usize = 400;

async fn hub(limits: Limits) -> (Node, TcpListener) {
    let hub = Node::with_limits(limits);
    let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(&hub, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    hub.start_worker("echoer", Echoer).unwrap();
    hub.expose("echoer", &listener).unwrap();
    (hub, listener)
}

/// A connection that has said its version.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(listener: &TcpListener) -> Self {
        Self::greet(TcpStream::connect(listener.local_addr()).await.unwrap()).await
    }

    async fn greet(mut stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.write_u8(1).await.unwrap();
        assert_eq!(in_time(stream.read_u8()).await.unwrap(), 1);
        Self(stream)
    }

    pub(crate) async fn send(&mut self, body: &[u8]) {
        self.0.write_all(&frame(body)).await.unwrap();
    }

    /// The body of the next frame.
    pub(crate) async fn hear(&mut self) -> Vec<u8> {
        in_time(async {
            let mut body = vec![0; self.0.read_u32().await.unwrap() as usize];
            self.0.read_exact(&mut body).await.unwrap();
            body
        })
        .await
    }

    async fn is_closed(&mut self) -> bool {
        in_time(self.0.read(&mut [0])).await.is_ok_and(|read| read == 0)
    }
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

/// A CBOR byte string.
pub(crate) fn bytes(bytes: &[u8]) -> Vec<u8> {
    let head = match bytes.len() {
        0..24 => vec![0x40 | bytes.len() as u8],
        24..0x100 => vec![0x58, bytes.len() as u8],
        _ => [&[0x5a], &(bytes.len() as u32).to_be_bytes()[..]].concat(),
    };
    [&head[..], bytes].concat()
}

/// A message to one address, with one for answers.
fn message(to: &str, back: &str, payload: &[u8]) -> Vec<u8> {
    let route = |hop: &str| [&b"\x81\x82\0"[..], &bytes(hop.as_bytes())].concat();
    [&b"\x84"[..], &route(to), &route(back), &bytes(payload), b"\x62{}"].concat()
}

/// Bytes of any kind, and what becomes of `valid` when it is cut or one of its bytes is another.
fn hostile(valid: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<> {
    let (valid, len) = (valid.to_vec(), valid.len());
    let changed = (0..len, any::<u8>()).prop_map(move |(at, to)| {
        let mut changed = valid.clone();
        changed[at] = to;
        if to % 3 == 0 {
            changed.truncate(at);
        }
        changed
    });
    let any = proptest::prop_oneof![any::<Vec<u8>>(), changed];
    let mut runner = TestRunner::deterministic();
    std::iter::from_fn(move || Some(any.new_tree(&mut runner).unwrap().current())).take(TRIES)
}

const REGISTER_BOB: &str = "84\
    81820058197374617469635f666f7277617264696e675f73657276696365\
    8182004172\
    4403626f62\
    627b7d";
const BOB_IS_REGISTERED: &str = "84\
    8182004172\
    81820043626f62\
    4403626f62\
    627b7d";

#[tokio::test]
async fn a_relay_is_registered_and_confirmed_with_these_bytes() {
    let (hub, listener) = hub(Limits::default()).await;
    let mut raw = Raw::connect(&listener).await;
    raw.send(&hex::decode(REGISTER_BOB).unwrap()).await;
    assert_eq!(hex::encode(raw.hear().await), BOB_IS_REGISTERED);

    // With a name of the hub's choice: the same one as an address and as a text.
    raw.send(&message("forwarding_service", "r", b"\x08register")).await;
    let confirmed = raw.hear().await;
    let name = str::from_utf8(&confirmed[confirmed.len() - 35..confirmed.len() - 3]).unwrap();
    assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    assert_eq!(confirmed, message("r", name, &[&[32], name.as_bytes()].concat()));
    assert_eq!(hub.stats().relays.get(), 2);
}

#[tokio::test]
async fn hostile_registrations_are_refused_without_an_answer() {
    let (hub, listener) = hub(Limits::default()).await;
    let mut raw = Raw::connect(&listener).await;
    for payload in hostile(b"\x03bob").chain(hostile(b"\x08register")) {
        for service in ["static_forwarding_service", "forwarding_service"] {
            raw.send(&message(service, "r", &payload)).await;
        }
    }
    // Without an address for the confirmation, and of another kind than the service's own.
    raw.send(&[&b"\x84\x81\x82\0"[..], &bytes(b"static_forwarding_service"), b"\x80\x44\x03bob\x62{}"].concat()).await;
    // The last one is answered last: what was confirmed before it is what there is.
    raw.send(&message("echoer", "end", b"\x03end")).await;
    let mut confirmed = std::collections::BTreeSet::new();
    loop {
        let body = raw.hear().await;
        if body == message("end", "echoer", b"\x03end") {
            break;
        }
        let payload = &body[body.len() - 7..];
        confirmed.insert(body.clone());
        assert!(payload.ends_with(b"\x62{}"), "{}", hex::encode(&body));
    }
    assert_eq!(hub.stats().relays.get(), confirmed.len() as u64);
    let mut other = Raw::connect(&listener).await;
    other.send(&message("static_forwarding_service", "r", b"\x05carol")).await;
    assert_eq!(other.hear().await, message("r", "carol", b"\x05carol"));
}

/// A node asks for `bob`; the connection on which it did, and the address that it waits at.
async fn asked(service: &tokio::net::TcpListener) -> (Raw, String) {
    let mut raw = Raw::greet(service.accept().await.unwrap().0).await;
    let asked = raw.hear().await;
    let before = "8481820058197374617469635f666f7277617264696e675f73657276696365818200".len() / 2;
    let bearer = str::from_utf8(&asked[before + 2..before + 34]).unwrap().to_owned();
    assert_eq!(asked, message("static_forwarding_service", &bearer, b"\x03bob"));
    (raw, bearer)
}

#[tokio::test]
async fn hostile_confirmations_are_ignored() {
    let hub = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = Node::new();
    let address = hub.local_addr().unwrap().to_string();
    let (connection, _) = tokio::join!(node.tcp_connect(address), async {});
    let connection = connection.unwrap();
    let registering = async { node.create_relay(&connection, Some("bob")).await };
    let confirming = async {
        let (mut raw, bearer) = asked(&hub).await;
        for payload in hostile(b"\x03bob").filter(|payload| !payload.ends_with(b"bob")) {
            raw.send(&message(&bearer, "mallory", &payload)).await;
        }
        raw.send(&message(&bearer, "mallory", b"\x05alice")).await;
        raw.send(&message(&bearer, "forward_to_bob", b"\x0eforward_to_bob")).await;
        raw
    };
    let (relay, _raw) = tokio::join!(registering, confirming);
    assert_eq!(relay.unwrap().address(), &"forward_to_bob".into());
}

#[tokio::test]
async fn a_confirmation_of_another_name_is_ignored() {
    let hub = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = Node::new();
    let connection = node.tcp_connect(hub.local_addr().unwrap().to_string()).await.unwrap();
    let confirming = async {
        let (mut raw, bearer) = asked(&hub).await;
        raw.send(&message(&bearer, "alice", b"\x05alice")).await;
        raw
    };
    let (relay, _raw) = tokio::join!(node.create_relay(&connection, Some("bob")), confirming);
    assert!(matches!(relay, Err(Error::Relay(RelayError::NotConfirmed))));
}

#[tokio::test]
async fn before_a_channel_no_large_frame_is_taken() {
    let (hub, listener) = hub(Limits::default()).await;
    let mut raw = Raw::connect(&listener).await;
    let empty = message("nobody", "r", &[]).len() + 4;
    raw.send(&message("nobody", "r", &vec![7; MAX_FRAME_UNAUTHENTICATED - empty])).await;
    raw.send(&message("echoer", "r", b"\x03bob")).await;
    assert_eq!(raw.hear().await, message("r", "echoer", b"\x03bob"));
    assert_eq!(hub.stats().frames.get(), 2);

    // Refused when it is announced: nobody waits for what it says.
    raw.0.write_u32(MAX_FRAME_UNAUTHENTICATED as u32 + 1).await.unwrap();
    assert!(raw.is_closed().await);
}

/// A connection between two nodes of ours that a test can put bytes into, toward `listener`.
async fn spliced(listener: &TcpListener) -> (String, mpsc::UnboundedSender<Vec<u8>>) {
    let near = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, far) = (near.local_addr().unwrap().to_string(), listener.local_addr());
    let (splice, mut spliced) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        let (mut from, mut near) = near.accept().await?.0.into_split();
        let (mut far, mut to) = TcpStream::connect(far).await?.into_split();
        tokio::spawn(async move { copy(&mut far, &mut near).await });
        let mut chunk = vec![0; 64 * 1024];
        loop {
            tokio::select! {
                read = from.read(&mut chunk) => match read? {
                    0 => return io::Result::Ok(()),
                    read => to.write_all(&chunk[..read]).await?,
                },
                Some(bytes) = spliced.recv() => to.write_all(&bytes).await?,
            }
        }
    });
    (address, splice)
}

#[tokio::test]
async fn after_a_channel_a_large_frame_is_taken_and_none_that_is_larger() {
    let (hub, listener) = hub(Limits::default()).await;
    let (owner, any) = (hub.create_identity().await.unwrap(), SecureChannelOptions::trust_anyone);
    let channels = hub.create_secure_channel_listener(&owner, "listener", any()).await.unwrap();
    hub.expose("listener", &listener).unwrap();
    hub.expose("echoer", &channels).unwrap();

    let (address, splice) = spliced(&listener).await;
    let friend = Node::new();
    let me = friend.create_identity().await.unwrap();
    let connection = friend.tcp_connect(address).await.unwrap();
    let channel = friend.create_secure_channel(&me, route![&connection, "listener"], any()).await.unwrap();
    let echo = || async {
        let context = friend.context().unwrap();
        let answer = context.send_and_receive_within::<String>(TIMEOUT, route![&channel, "echoer"], "hello").await;
        answer.unwrap().into_body()
    };
    // Both sides have said what they have to: what is put in now stands between frames.
    assert_eq!(echo().await, "hello");
    let before = hub.stats().frames.get();
    splice.send(frame(&message("nobody", "r", &vec![7; 4 * MAX_FRAME_UNAUTHENTICATED]))).unwrap();
    eventually_async("frames of hub > before", TIMEOUT, || async { (hub.stats().frames.get() > before).then_some(()) })
        .await;
    assert_eq!(echo().await, "hello");

    splice.send((MAX_FRAME as u32 + 1).to_be_bytes().to_vec()).unwrap();
    in_time(connection.closed()).await;
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let (hub, listener) = hub(Limits::default()).await;
    let mut silent = TcpStream::connect(listener.local_addr()).await.unwrap();
    let begun = Instant::now();
    assert_eq!(silent.read_u8().await.unwrap(), 1);
    assert!(in_time(silent.read_u8()).await.is_err());
    assert!(begun.elapsed() > GREETING_TIMEOUT - SHORT);
    eventually_async("connections of hub == 0", TIMEOUT, || async {
        (hub.stats().connections.get() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_more_connections_than_the_limit() {
    two_connections_and_no_third(Limits { connections: 2, ..Limits::default() }).await;
}

#[tokio::test]
async fn no_more_connections_from_one_address_than_the_limit() {
    two_connections_and_no_third(Limits { connections_per_address: 2, ..Limits::default() }).await;
}

async fn two_connections_and_no_third(limits: Limits) {
    let (hub, listener) = hub(limits).await;
    let (one, _two) = (Raw::connect(&listener).await, Raw::connect(&listener).await);
    let mut three = TcpStream::connect(listener.local_addr()).await.unwrap();
    assert!(in_time(three.read_u8()).await.is_err());
    assert_eq!((hub.stats().connections.get(), hub.stats().refused.get()), (2, 1));
    drop(one);
    eventually_async("connections of hub == 1", TIMEOUT, || async {
        (hub.stats().connections.get() == 1).then_some(())
    })
    .await;
    let _ = Raw::connect(&listener).await;
}

#[tokio::test]
async fn one_address_registers_no_more_relays_than_its_limit() {
    let (hub, listener) = hub(Limits { relays_per_address: 3, ..Limits::default() }).await;
    for name in ["a", "b", "c"] {
        let mut raw = Raw::connect(&listener).await;
        raw.send(&message("static_forwarding_service", name, &[b"\x01", name.as_bytes()].concat())).await;
        assert_eq!(raw.hear().await, message(name, name, &[b"\x01", name.as_bytes()].concat()));
        std::mem::forget(raw);
    }
    let mut raw = Raw::connect(&listener).await;
    raw.send(&message("static_forwarding_service", "d", b"\x01d")).await;
    eventually_async("refused of hub == 1", TIMEOUT, || async { (hub.stats().refused.get() == 1).then_some(()) }).await;
    assert_eq!(hub.stats().relays.get(), 3);
}

/// Each pair takes memory in the hub: whoever tries all owners gets no further than this.
#[tokio::test]
async fn a_connection_is_introduced_to_a_limited_number_of_owners() {
    const LIMIT: usize = 256;
    let (hub, listener) = hub(Limits::default()).await;
    let mut owners = Vec::new();
    for number in 0..=LIMIT {
        let name = format!("owner{number:03}");
        let mut owner = Raw::connect(&listener).await;
        owner.send(&message("static_forwarding_service", &name, &[b"\x08", name.as_bytes()].concat())).await;
        owner.hear().await;
        owners.push((name, owner));
    }
    let mut friend = Raw::connect(&listener).await;
    for (name, owner) in &mut owners[..LIMIT] {
        friend.send(&routed(name)).await;
        owner.hear().await;
    }
    friend.send(&routed(&owners[LIMIT].0)).await;
    eventually_async("refused of hub == 1", TIMEOUT, || async { (hub.stats().refused.get() == 1).then_some(()) }).await;
    // Those it knows are still reached, and others reach the one it does not.
    friend.send(&routed(&owners[0].0)).await;
    owners[0].1.hear().await;
    let mut other = Raw::connect(&listener).await;
    other.send(&routed(&owners[LIMIT].0)).await;
    owners[LIMIT].1.hear().await;
    // When one has gone there is room for another.
    drop(owners.swap_remove(1));
    let gone = || async { (hub.stats().connections.get() == LIMIT as u64 + 2).then_some(()) };
    eventually_async("one connection less", TIMEOUT, gone).await;
    let last = owners.iter().position(|(name, _)| *name == format!("owner{LIMIT:03}")).unwrap();
    friend.send(&routed(&owners[last].0)).await;
    owners[last].1.hear().await;
}

/// Whoever introduces themselves to an owner must not use up what it may have: it is a friend of others as well.
#[tokio::test]
async fn many_friends_do_not_keep_an_owner_from_its_own_owners() {
    let (_hub, listener) = hub(Limits::default()).await;
    let (mut ann, mut bob) = (Raw::connect(&listener).await, Raw::connect(&listener).await);
    for (name, owner) in [("ann", &mut ann), ("bob", &mut bob)] {
        owner.send(&message("static_forwarding_service", name, &[b"\x03", name.as_bytes()].concat())).await;
        owner.hear().await;
    }
    let mut friends = Vec::new();
    for _ in 0..300 {
        let mut friend = Raw::connect(&listener).await;
        friend.send(&routed("ann")).await;
        ann.hear().await;
        friends.push(friend);
    }
    ann.send(&routed("bob")).await;
    bob.hear().await;
}

/// A message to what is behind a relay.
fn routed(relay: &str) -> Vec<u8> {
    let hop = |hop: &str| [&b"\x82\0"[..], &bytes(hop.as_bytes())].concat();
    [&b"\x84\x82"[..], &hop(relay), &hop("x"), b"\x81", &hop("back"), &bytes(b"hi"), b"\x62{}"].concat()
}

#[tokio::test]
async fn no_more_relays_than_the_limits() {
    let limits = Limits { relays: 3, relays_per_owner: 2, ..Limits::default() };
    let (hub, listener) = hub(limits).await;
    let (mut one, mut two) = (Raw::connect(&listener).await, Raw::connect(&listener).await);
    let mut bearers = 0..;
    // Of one connection, whatever address the confirmations go to.
    let mut ask = |name: &str| {
        let bearer = format!("r{}", bearers.next().unwrap());
        let name = [&[name.len() as u8], name.as_bytes()].concat();
        (message("static_forwarding_service", &bearer, &name), bearer)
    };
    for (name, refused) in [("a", 0), ("b", 0), ("c", 1)] {
        let (asked, bearer) = ask(name);
        one.send(&asked).await;
        match refused {
            0 => assert_eq!(one.hear().await, message(&bearer, name, &[&[1], name.as_bytes()].concat())),
            _ => {
                eventually_async("refused of hub == refused", TIMEOUT, || async {
                    (hub.stats().refused.get() == refused).then_some(())
                })
                .await
            }
        }
    }
    // Of all together.
    let (asked, bearer) = ask("d");
    two.send(&asked).await;
    assert_eq!(two.hear().await, message(&bearer, "d", b"\x01d"));
    two.send(&ask("e").0).await;
    eventually_async("refused of hub == 2", TIMEOUT, || async { (hub.stats().refused.get() == 2).then_some(()) }).await;
    assert_eq!(hub.stats().relays.get(), 3);
    // Whoever goes makes room.
    drop(one);
    eventually_async("relays of hub == 1", TIMEOUT, || async { (hub.stats().relays.get() == 1).then_some(()) }).await;
    let (asked, bearer) = ask("e");
    two.send(&asked).await;
    assert_eq!(two.hear().await, message(&bearer, "e", b"\x01e"));
}

/// The first message of a handshake: a public key, and any will do.
fn m1(back: &str) -> Vec<u8> {
    message("listener", back, &[9; 32])
}

#[tokio::test]
async fn no_more_handshakes_than_the_limit_and_none_for_longer() {
    let (hub, listener) = hub(Limits { handshakes: 2, ..Limits::default() }).await;
    let (owner, any) = (hub.create_identity().await.unwrap(), SecureChannelOptions::trust_anyone);
    let _channels = hub.create_secure_channel_listener(&owner, "listener", any()).await.unwrap();
    hub.expose("listener", &listener).unwrap();
    let mut raw = Raw::connect(&listener).await;
    let begun = Instant::now();
    for (back, made_room) in [("one", 0), ("two", 0), ("six", 1)] {
        raw.send(&m1(back)).await;
        let m2 = raw.hear().await;
        assert!(m2.starts_with(&[&b"\x84\x81\x82\0\x43"[..], back.as_bytes()].concat()), "{}", hex::encode(&m2));
        assert_eq!((hub.stats().refused.get(), hub.stats().failed_handshakes.get()), (made_room, made_room));
    }
    // What is no first message takes nobody's place, and nothing that was given up is remembered.
    eventually_async("failed_handshakes of hub == 3", TIMEOUT, || async {
        (hub.stats().failed_handshakes.get() == 3).then_some(())
    })
    .await;
    assert!(begun.elapsed() > HANDSHAKE_TIMEOUT - SHORT);
    raw.send(&message("listener", "short", &[9; 31])).await;
    eventually_async("failed_handshakes of hub == 4", TIMEOUT, || async {
        (hub.stats().failed_handshakes.get() == 4).then_some(())
    })
    .await;
    raw.send(&m1("four")).await;
    assert!(raw.hear().await.starts_with(b"\x84\x81\x82\0\x44four"));

    // Somebody honest takes the other place.
    let friend = Node::new();
    let me = friend.create_identity().await.unwrap();
    let connection = friend.tcp_connect(listener.local_addr().to_string()).await.unwrap();
    friend.create_secure_channel(&me, route![&connection, "listener"], any()).await.unwrap();
    eventually_async("channels of hub == 1", TIMEOUT, || async { (hub.stats().channels.get() == 1).then_some(()) })
        .await;
}

#[tokio::test]
async fn no_more_channels_than_the_limit() {
    let (hub, listener) = hub(Limits { channels: 1, ..Limits::default() }).await;
    let (owner, any) = (hub.create_identity().await.unwrap(), SecureChannelOptions::trust_anyone);
    let _channels = hub.create_secure_channel_listener(&owner, "listener", any()).await.unwrap();
    hub.expose("listener", &listener).unwrap();
    let friend = Node::new();
    let me = friend.create_identity().await.unwrap();
    let connection = friend.tcp_connect(listener.local_addr().to_string()).await.unwrap();
    let channel = || friend.create_secure_channel(&me, route![&connection, "listener"], any());
    let first = channel().await.unwrap();
    eventually_async("channels of hub == 1", TIMEOUT, || async { (hub.stats().channels.get() == 1).then_some(()) })
        .await;
    // The one that nothing was done with makes room.
    let second = channel().await.unwrap();
    in_time(first.closed()).await;
    eventually_async("channels of hub == 1", TIMEOUT, || async { (hub.stats().channels.get() == 1).then_some(()) })
        .await;
    assert_eq!(hub.stats().refused.get(), 1);
    second.close();
    eventually_async("channels of hub == 0", TIMEOUT, || async { (hub.stats().channels.get() == 0).then_some(()) })
        .await;
    channel().await.unwrap();
}
