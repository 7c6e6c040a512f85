//! How streams of portals end that do not go on as everybody wishes.

use interop::Side::{Ours, Real};
use interop::wire::Frame;
use interop::{MIXED, Peer, Portal, TIMEOUT};
use postern_testkit::{Capture, Service, client, eventually};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Long enough to hear what is said at once.
const MOMENT: Duration = Duration::from_secs(2);

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Whether a client stays connected and hears nothing.
#[track_caller]
fn hears_nothing(client: &mut TcpStream) {
    client.set_read_timeout(Some(MOMENT)).expect("a socket");
    let heard = client.read(&mut [0]).map_err(|error| error.kind());
    assert!(matches!(heard, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{heard:?}");
}

#[track_caller]
fn echoes(mut client: &TcpStream) {
    client.write_all(b"?").expect("it is carried");
    client.read_exact(&mut [0]).expect("it is carried");
}

/// A service that answers at the end of the question gets both ways only when both ends are ours.
#[test]
fn a_portal_with_a_peer_without_half_close_ends_at_the_first_end() {
    let answer = |inlet, outlet| {
        let service = Service::echo_after_end();
        let portal = Portal::direct(inlet, outlet, service.address());
        client::ask(portal.inlet, b"question").unwrap_or_default()
    };
    for (inlet, outlet) in [MIXED[0], MIXED[1], (Real, Real)] {
        assert_eq!(answer(inlet, outlet), b"", "{inlet:?} to {outlet:?}");
    }
    assert_eq!(answer(Ours, Ours), b"question");
}

/// Our outlet says that the service cannot be reached. A real inlet that waits for its Pong does not listen, and its
/// client waits on.
#[test]
fn a_real_inlet_does_not_learn_that_a_service_refuses() {
    let owner = Peer::start(Ours);
    let address = owner.tell("listen");
    owner.tell(&format!("outlet {}", nowhere()));
    let between = Capture::recording(address.parse().expect("an address"));
    let friend = Peer::start(Real);
    friend.tell(&format!("connect {}", between.address()));
    let mut client = client::connect(friend.tell("inlet").parse().expect("an address"));
    let answered = eventually("an answer to the Ping", TIMEOUT, || {
        let said = between.recorded().pop().filter(|said| !said.is_empty())?;
        Frame::all(&said).pop()
    });
    // Without a reason, which a peer of that kind could not read.
    assert_eq!(answered.payload, [2]);
    hears_nothing(&mut client);
}

/// A real outlet says nothing when the service cannot be reached: our inlet gives up by itself.
#[test]
fn an_inlet_of_ours_gives_up_when_a_real_outlet_says_nothing() {
    for portal in [Portal::direct, Portal::over_our_hub] {
        let portal = portal(Ours, Real, nowhere());
        let ended = client::connect(portal.inlet).read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    }
}

/// An inlet that waits for no Pong must be agreed upon by both ends of a real portal. Ours does not know that: such a
/// stream stays mute, and harms no other.
#[test]
fn an_eager_inlet_is_not_served_by_our_outlet() {
    let service = Service::echo();
    let (owner, bob) = Peer::with_identity(Ours);
    let address = owner.tell("listen");
    owner.tell("listener listener");
    owner.tell(&format!("outlet {}", service.address()));
    let (friend, _) = Peer::with_identity(Real);
    friend.tell(&format!("connect {address}"));
    assert_eq!(friend.tell("channel listener"), bob.identifier);
    let patient: SocketAddr = friend.tell("inlet").parse().expect("an address");
    let before = client::connect(patient);
    echoes(&before);
    let mut eager = client::connect(friend.tell("inlet eager").parse().expect("an address"));
    eager.write_all(b"?").expect("the inlet reads");
    eventually("the stream to open", TIMEOUT, || (service.accepted() == 2).then_some(()));
    hears_nothing(&mut eager);
    echoes(&before);
    echoes(&client::connect(patient));
}
