//! Channels between a node of theirs and one of ours: directly and through hubs of both kinds.

use interop::Side::{Ours, Real};
use interop::{Identity, MIXED, Peer, Side};
use postern_testkit::{Capture, Service, client as tcp, eventually};
use std::io::{Read, Write};

/// A node with a listener, reachable directly.
fn server(side: Side, kind: &str) -> (Peer, Identity, String) {
    let server = Peer::start(side);
    let identity = server.identity(kind);
    let address = server.tell("listen");
    server.tell("listener listener");
    (server, identity, address)
}

fn client(side: Side, kind: &str, address: &str) -> (Peer, Identity) {
    let client = Peer::start(side);
    let identity = client.identity(kind);
    client.tell(&format!("connect {address}"));
    (client, identity)
}

#[test]
fn each_opens_a_channel_to_the_other() {
    for (asks, answers) in MIXED {
        for kind in ["", "p256"] {
            let (_server, bob, address) = server(answers, kind);
            let (client, alice) = client(asks, kind, &address);
            assert_eq!(client.tell("channel listener"), bob.identifier);
            // 200 messages each way: six keys.
            assert_eq!(client.tell("echo 200"), "200");
            assert_eq!(client.tell("ask whoami"), alice.identifier);
            for length in ["0", "1", "300", "1000000"] {
                assert_eq!(client.tell(&format!("length {length}")), length);
            }
        }
    }
}

/// Ours send no such messages, but take them once they know who sends; 16 MiB is the longest frame that theirs send.
#[test]
fn a_real_client_may_send_almost_sixteen_mebibytes() {
    let (_server, bob, address) = server(Ours, "");
    let (client, _) = client(Real, "", &address);
    assert_eq!(client.tell("channel listener"), bob.identifier);
    for length in ["2000000", "16000000"] {
        assert_eq!(client.tell(&format!("length {length}")), length);
    }
    // The other way ours drops its own, and the channel goes on.
    let (_server, bob, address) = self::server(Real, "");
    let (client, _) = self::client(Ours, "", &address);
    assert_eq!(client.tell("channel listener"), bob.identifier);
    client.fails("length 2000000");
    assert_eq!(client.tell("length 1000000"), "1000000");
}

#[test]
fn an_untrusted_identity_is_refused() {
    for (asks, answers) in MIXED {
        let (_server, bob, address) = server(answers, "");
        let (client, alice) = client(asks, "", &address);
        client.tell(&format!("only {}", alice.identifier));
        let reason = client.fails("channel listener");
        // Theirs does not say.
        assert!(asks == Real || reason.contains("is not trusted"), "{reason}");
        client.tell(&format!("only {}", bob.identifier));
        assert_eq!(client.tell("channel listener"), bob.identifier);
        assert_eq!(client.tell("echo 1"), "1");
    }
}

#[test]
fn a_listener_refuses_whom_it_does_not_trust() {
    for (asks, answers) in MIXED {
        let server = Peer::start(answers);
        let bob = server.identity("");
        let address = server.tell("listen");
        let (friend, stranger) = (client(asks, "", &address), client(asks, "", &address));
        server.tell(&format!("only {}", friend.1.identifier));
        server.tell("listener listener");
        // The one who begins does not learn that it was refused: the last message of the handshake is its own.
        assert_eq!(stranger.0.tell("channel listener"), bob.identifier);
        stranger.0.fails("echo 1");
        assert_eq!(friend.0.tell("channel listener"), bob.identifier);
        assert_eq!(friend.0.tell("echo 1"), "1");
        server.eventually("channels", "1");
    }
}

/// As the two programs of the blog post: Bob registers a relay and echoes, Alice comes through it.
fn blog(hub: Side, bob: Side, alice: Side, prefix: &str, name: &str) {
    eprintln!("hub {hub:?}, bob {bob:?}, alice {alice:?}, relay `{prefix}{name}`");
    let (_hub, address) = Peer::hub(hub, prefix);
    let (bob, bobs) = client(bob, "", &address);
    bob.tell("listener listener");
    let relay = bob.tell(&format!("relay {name}"));
    if !name.is_empty() {
        assert_eq!(relay, format!("{prefix}{name}"));
    }
    let (alice, alices) = client(alice, "", &address);
    assert_eq!(alice.tell(&format!("channel {relay}/listener")), bobs.identifier);
    assert_eq!(alice.tell("echo 100"), "100");
    assert_eq!(alice.tell("ask whoami"), alices.identifier);
}

#[test]
fn alice_and_bob_meet_at_our_hub() {
    for (alice, bob) in MIXED {
        blog(Ours, bob, alice, "", "");
    }
    blog(Ours, Real, Real, "", "");
}

#[test]
fn alice_and_bob_meet_at_a_real_hub() {
    for (alice, bob) in MIXED {
        blog(Real, bob, alice, "", "");
    }
    blog(Real, Ours, Ours, "", "");
}

#[test]
fn relays_with_names_are_the_same_at_both_hubs() {
    for hub in [Ours, Real] {
        for (alice, bob) in MIXED {
            blog(hub, bob, alice, "forward_to_", "bob");
        }
        blog(hub, hub.other(), hub.other(), "", "bob");
    }
}

#[test]
fn closing_ends_both_halves() {
    for (asks, answers) in MIXED {
        let (server, bob, address) = server(answers, "");
        let (client, _) = client(asks, "", &address);
        assert_eq!(client.tell("channel listener"), bob.identifier);
        assert_eq!(client.tell("echo 1"), "1");
        server.eventually("channels", "1");
        client.tell("close");
        server.eventually("channels", "0");
        client.eventually("channels", "0");
    }
}

/// A real listener closes what a client of ours opened. Ours leaves closing to who opened it.
#[test]
fn the_responder_closes_its_end_too() {
    let (server, bob, address) = server(Real, "");
    let (client, _) = client(Ours, "", &address);
    assert_eq!(client.tell("channel listener"), bob.identifier);
    assert_eq!(client.tell("echo 1"), "1");
    server.eventually("channels", "1");
    server.tell("close");
    client.eventually("channels", "0");
    server.eventually("channels", "0");
}

#[test]
fn a_channel_goes_on_over_another_connection() {
    let (server, bob, address) = server(Ours, "");
    let between = Capture::recording(address.parse().expect("an address"));
    let (client, alice) = client(Real, "", &between.address().to_string());
    assert_eq!(client.tell("channel listener"), bob.identifier);
    assert_eq!(client.tell("echo 40"), "40");
    between.cut();
    client.tell(&format!("reroute {}", between.address()));
    assert_eq!(client.tell("echo 40"), "40");
    assert_eq!(client.tell("ask whoami"), alice.identifier);
    assert_eq!(between.accepted(), 2);
    server.eventually("channels", "1");
}

/// An initiator of ours makes a new channel when its connection is gone, and an inlet goes on through that one.
#[test]
fn a_kept_channel_comes_back_over_another_connection() {
    let service = Service::echo();
    let (server, bob, address) = server(Real, "");
    server.tell(&format!("outlet {}", service.address()));
    let between = Capture::recording(address.parse().expect("an address"));
    let client = Peer::start(Ours);
    let alice = client.identity("");
    assert_eq!(client.tell(&format!("keep {} listener", between.address())), bob.identifier);
    let inlet = client.tell("inlet").parse().expect("an address");
    let answers = |stream: &mut std::net::TcpStream| -> std::io::Result<()> {
        stream.write_all(b"?")?;
        stream.read_exact(&mut [0])
    };
    let mut open = tcp::connect(inlet);
    answers(&mut open).expect("it is carried");
    for outages in 1..=3 {
        between.cut();
        answers(&mut open).expect_err("what was under way is lost");
        open = eventually("a connection through the same inlet", interop::TIMEOUT, || {
            let mut stream = tcp::connect(inlet);
            answers(&mut stream).ok().map(|()| stream)
        });
        assert_eq!(client.tell("echo 40"), "40");
        assert_eq!(client.tell("ask whoami"), alice.identifier);
        assert!(between.accepted() > outages);
    }
}
