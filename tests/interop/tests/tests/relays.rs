//! What hubs of both kinds do about names and long messages.

use interop::Side::{Ours, Real};
use interop::wire::{Frame, Line};
use interop::{Identity, Peer, Side};
use postern_testkit::{Capture, Hub};

/// A node that others reach as `bob` at the hub.
fn bob(side: Side, address: &str) -> (Peer, Identity) {
    let (bob, identity) = Peer::with_identity(side);
    bob.tell(&format!("connect {address}"));
    bob.tell("listener listener");
    assert_eq!(bob.tell("relay bob"), "bob");
    (bob, identity)
}

fn alice(side: Side, address: &str) -> Peer {
    let (alice, _) = Peer::with_identity(side);
    alice.tell(&format!("connect {address}"));
    alice
}

/// The hub sees the end of the first connection; a name is free then at ours, and always at a real one.
#[test]
fn a_relay_name_is_registered_again_over_another_connection() {
    for hub in [Ours, Real] {
        for side in [Real, Ours] {
            let (_hub, address) = Peer::hub(hub, "");
            let between = Capture::recording(address.parse().expect("an address"));
            let (bob, identity) = bob(side, &between.address().to_string());
            let alice = alice(side.other(), &address);
            assert_eq!(alice.tell("channel bob/listener"), identity.identifier, "{hub:?} {side:?}");
            assert_eq!(alice.tell("echo 3"), "3");
            between.cut();
            bob.tell(&format!("connect {}", between.address()));
            // What is exposed is so to the connections there are.
            bob.tell("listener again");
            // It may have come before the hub has seen the end.
            assert_eq!(bob.at_last("relay bob"), "bob");
            assert_eq!(alice.tell("channel bob/again"), identity.identifier, "{hub:?} {side:?}");
            assert_eq!(alice.tell("echo 3"), "3");
        }
    }
}

/// As long as the first connection is there, ours keeps the name for it. A real hub gives it to anybody.
#[test]
fn a_relay_name_belongs_to_its_owner() {
    for hub in [Ours, Real] {
        for side in [Real, Ours] {
            let (_hub, address) = Peer::hub(hub, "");
            let (_bob, bobs) = bob(side, &address);
            let alice = alice(Real, &address);
            let (mallory, mallorys) = Peer::with_identity(Ours);
            mallory.tell(&format!("connect {address}"));
            mallory.tell("listener listener");
            let reached = match hub {
                Ours => {
                    mallory.fails("relay bob");
                    bobs
                }
                Real => {
                    assert_eq!(mallory.tell("relay bob"), "bob");
                    mallorys
                }
            };
            assert_eq!(alice.tell("channel bob/listener"), reached.identifier, "{hub:?} {side:?}");
            assert_eq!(alice.tell("echo 3"), "3");
        }
    }
}

/// The reason for which ours never reads a name as the text of an address.
#[test]
fn a_real_hub_dies_of_a_name_that_ours_refuses() {
    let ask = |address: &str, name: &str| {
        let line = Line::connect(address);
        line.version();
        let payload = [&[name.len() as u8], name.as_bytes()].concat();
        line.say(&Frame::to(&["static_forwarding_service"], "mallory", &payload));
        line
    };
    let (real, address) = Peer::hub(Real, "forward_to_");
    ask(&address, "a#b").ends();
    real.dies();
    let (_ours, address) = Peer::hub(Ours, "forward_to_");
    let line = ask(&address, "a#b");
    let payload = b"\x07mallory";
    line.say(&Frame::to(&["static_forwarding_service"], "mallory", payload));
    assert_eq!(line.hear().expect("a confirmation").payload, b"\x12forward_to_mallory");
}

/// What passes our hub is bounded, whoever sends; a real hub passes on what it takes.
#[test]
fn long_messages_pass_a_real_hub_and_end_a_connection_to_ours() {
    let (_hub, address) = Peer::hub(Real, "");
    let (_bob, bobs) = bob(Real, &address);
    let through = alice(Real, &address);
    assert_eq!(through.tell("channel bob/listener"), bobs.identifier);
    assert_eq!(through.tell("length 2000000"), "2000000");

    let hub = Hub::start();
    let address = hub.address().to_string();
    let (_bob, bobs) = bob(Real, &address);
    let other = alice(Real, &address);
    assert_eq!(other.tell("channel bob/listener"), bobs.identifier);
    let alice = alice(Real, &address);
    assert_eq!(alice.tell("channel bob/listener"), bobs.identifier);
    assert_eq!(alice.tell("length 1000000"), "1000000");
    alice.fails("length 2000000");
    // It was hers alone, and she can come again.
    alice.fails("echo 1");
    assert_eq!(other.tell("echo 3"), "3");
    alice.tell(&format!("connect {address}"));
    assert_eq!(alice.tell("channel bob/listener"), bobs.identifier);
    assert_eq!(alice.tell("length 1000000"), "1000000");
}
