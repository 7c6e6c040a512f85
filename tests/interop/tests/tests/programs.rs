//! The programs that people run, each with a real peer at the other end.

use interop::Peer;
use interop::Side::Real;
use postern_testkit::program::command;
use postern_testkit::{Hub, Inlet, Outlet, Process, Service, client};

/// Whether the service behind this inlet answers.
#[track_caller]
fn echoes(inlet: std::net::SocketAddr) {
    use std::io::{Read, Write};
    let mut client = client::connect(inlet);
    for _ in 0..100 {
        client.write_all(b"hello").expect("it is carried");
        let mut answer = [0; 5];
        client.read_exact(&mut answer).expect("it is carried");
        assert_eq!(&answer, b"hello");
    }
}

/// The very programs of `examples/`, at the hub that everybody can run, each with a real one at the other end.
#[test]
fn each_program_of_the_blog_post_talks_to_a_real_one() {
    let hub = Hub::start();
    let hub_address = hub.address().to_string();

    let bob = Process::spawn(command("bob").arg(&hub_address));
    let relay = bob.wait_for_line(|_| true, interop::TIMEOUT);
    let (alice, _) = Peer::with_identity(Real);
    alice.tell(&format!("connect {hub_address}"));
    alice.tell(&format!("channel {relay}/listener"));
    assert_eq!(alice.tell("ask echoer Hello Bob!"), "Hello Bob!");

    let (bob, identity) = Peer::with_identity(Real);
    bob.tell(&format!("connect {hub_address}"));
    bob.tell("listener listener");
    let relay = bob.tell("relay");
    let alice = Process::run(command("alice").args([&hub_address, &relay]), interop::TIMEOUT).success();
    assert_eq!(alice.stdout, format!("This is {}.\nHello Bob!\n", identity.identifier));
}

#[test]
fn postern_outlet_serves_a_real_inlet() {
    let (hub, service) = (Hub::start(), Service::echo());
    let outlet = Outlet::start(service.address(), hub.address());
    let (friend, _) = Peer::with_identity(Real);
    friend.tell(&format!("only {}", outlet.identifier()));
    friend.tell(&format!("connect {}", hub.address()));
    assert_eq!(friend.tell(&format!("channel {}/api", outlet.relay())), outlet.identifier());
    echoes(friend.tell("inlet").parse().expect("an address"));
    assert_eq!(service.accepted(), 1);
}

#[test]
fn postern_outlet_serves_only_whom_it_allows() {
    let (hub, service) = (Hub::start(), Service::echo());
    let (friend, identity) = Peer::with_identity(Real);
    let outlet = Outlet::start_with(service.address(), hub.address(), &["--allow", &identity.identifier]);
    let (stranger, _) = Peer::with_identity(Real);
    for peer in [&friend, &stranger] {
        peer.tell(&format!("connect {}", hub.address()));
        assert_eq!(peer.tell(&format!("channel {}/api", outlet.relay())), outlet.identifier());
    }
    // A real inlet does not learn that it was refused; its Ping came before the friend's.
    let _refused = client::connect(stranger.tell("inlet").parse().expect("an address"));
    echoes(friend.tell("inlet").parse().expect("an address"));
    assert_eq!(service.accepted(), 1);
}

#[test]
fn postern_inlet_reaches_a_real_outlet() {
    let (hub, service) = (Hub::start(), Service::echo());
    let (owner, identity) = Peer::with_identity(Real);
    owner.tell(&format!("connect {}", hub.address()));
    owner.tell("listener api");
    owner.tell(&format!("outlet {}", service.address()));
    let relay = owner.tell("relay owner");
    let port = hub.address().port();
    let route = format!("/ip4/127.0.0.1/tcp/{port}/service/{relay}/secure/api/service/outlet");
    let inlet = Inlet::start(&route, &identity.identifier);
    echoes(inlet.address());
    assert_eq!(service.accepted(), 1);
}

/// How the examples of `ockam` name the listener in front of the worker `outlet`.
const STOCK_LISTENER: &str = "secure_channel_listener";

/// What the example that shares a service over a secure channel is to `postern inlet`, which has only its address to go by.
#[test]
fn postern_inlet_reaches_an_outlet_with_the_names_of_the_examples() {
    let service = Service::echo();
    let (owner, identity) = Peer::with_identity(Real);
    let address: std::net::SocketAddr = owner.tell("listen").parse().expect("an address");
    owner.tell(&format!("listener {STOCK_LISTENER}"));
    owner.tell(&format!("outlet {}", service.address()));
    let route = format!("/ip4/127.0.0.1/tcp/{}", address.port());
    let names = ["--listener", STOCK_LISTENER, "--worker", "outlet"];
    for trust in [vec!["--trust-any-peer"], vec!["--peer", &identity.identifier]] {
        let inlet = Inlet::open_with(&route, &[&names[..], &trust].concat());
        assert_eq!(inlet.process().event("up")["peer"], identity.identifier);
        echoes(inlet.address());
    }
}

/// What the example that reaches a service over a secure channel needs: an outlet that it connects to, by these names.
#[test]
fn postern_outlet_serves_an_inlet_with_the_names_of_the_examples() {
    let service = Service::echo();
    let outlet = Outlet::listen_with(service.address(), &["--listener", STOCK_LISTENER]);
    let (friend, _) = Peer::with_identity(Real);
    friend.tell(&format!("connect {}", outlet.address()));
    assert_eq!(friend.tell(&format!("channel {STOCK_LISTENER}")), outlet.identifier());
    echoes(friend.tell("inlet").parse().expect("an address"));
}

/// The examples without a secure channel, with our program at one end and then at the other.
#[test]
fn portals_without_a_channel_work_both_ways() {
    let service = Service::echo();
    let owner = Peer::start(Real);
    let address: std::net::SocketAddr = owner.tell("listen").parse().expect("an address");
    owner.tell(&format!("outlet {}", service.address()));
    let inlet = Inlet::open_with(&format!("/ip4/127.0.0.1/tcp/{}/service/outlet", address.port()), &[]);
    let _ = inlet.process().event("up");
    echoes(inlet.address());

    let outlet = Outlet::listen_with(service.address(), &["--plain"]);
    let friend = Peer::start(Real);
    friend.tell(&format!("connect {}", outlet.address()));
    echoes(friend.tell("inlet").parse().expect("an address"));
    assert_eq!(service.accepted(), 2);
}

/// What the hub says it has of something now.
#[track_caller]
fn count(hub: &Hub, metric: &str) -> String {
    let (_, metrics) = hub.status("/metrics").expect("it answers");
    let name = format!("postern_hub_{metric} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).expect("it counts them").to_owned()
}

/// For how many pings a session must stay as it is; the command line replaces one after three that it misses. 50 s, or as many
/// seconds as `SESSION_SECONDS` says (`cargo xtask trials session`).
fn pings() -> u32 {
    let seconds = std::env::var("SESSION_SECONDS").ok().and_then(|seconds| seconds.parse::<u32>().ok());
    seconds.unwrap_or(50) / 10 + 1
}

#[test]
fn sessions_of_the_command_line_are_never_replaced() {
    let (hub, service) = (Hub::start(), Service::echo());
    let outlet = Outlet::start(service.address(), hub.address());
    let (friend, _) = Peer::with_identity(Real);
    friend.tell(&format!("session {} {}/api", hub.address(), outlet.relay()));
    let (owner, _) = Peer::with_identity(Real);
    owner.tell(&format!("session {} api owner", hub.address()));
    // The outlet, the friend and the owner; the owner's channel; the relays of outlet and owner.
    for (metric, wanted) in [("connections", "3"), ("channels", "1"), ("relays", "2")] {
        postern_testkit::eventually(metric, interop::TIMEOUT, || (count(&hub, metric) == wanted).then_some(()));
    }
    for ping in 1..=pings() {
        for peer in [&friend, &owner] {
            assert_eq!(peer.tells("ponged"), ping.to_string());
            assert!(!peer.has_told("replaced"), "{}", if std::ptr::eq(peer, &friend) { "friend" } else { "owner" });
        }
        assert_eq!([count(&hub, "connections"), count(&hub, "channels"), count(&hub, "relays")], ["3", "1", "2"]);
    }
}
