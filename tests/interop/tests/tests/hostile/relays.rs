//! Relay names that would take over an address of the hub or of another node.

use super::SLACK;
use interop::Peer;
use interop::Side::{Ours, Real};
use interop::wire::{Frame, Line};

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
