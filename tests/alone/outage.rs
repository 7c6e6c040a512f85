//! What clients see when hub, outlet or inlet ends without notice, and how long recovery takes: the times that README and
//! ARCHITECTURE promise.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postern_testkit::client::{ask, connect, echoes};
use postern_testkit::{
    Capture, Hub, HubOutletInlet, Inlet, Outlet, Payload, Received, Service, Sink, TIMEOUT, eventually, temp_dir,
};

use crate::alone;

/// How long open streams may outlive the hub, and how long new connections may fail after it was restarted.
const PROMISED: Duration = Duration::from_secs(2);
/// How long it takes at most to detect that an owner's process ended without closing its channel: four probes, five
/// seconds apart, and a handshake (3 s).
const DETECTION: Duration = Duration::from_secs(23);
/// Longer than any transfer here.
const ENDLESS: Payload = Payload::new(1 << 40);
const NEVER_ENDS: &str = "the payload is longer than any transfer";
/// Enough that the transfer is well under way.
const UNDER_WAY: u64 = 8 << 20;

/// How a transfer ended.
struct Ended {
    bytes: u64,
    how: Result<(), ErrorKind>,
    after: Instant,
}

/// Reads the beginning of `payload` until the connection ends, and compares every byte.
fn read_prefix(mut stream: TcpStream, payload: Payload, so_far: &AtomicU64) -> Ended {
    let mut expected = payload.reader();
    let [mut chunk, mut wanted] = [(); 2].map(|()| vec![0; 64 << 10]);
    loop {
        let how = match stream.read(&mut chunk) {
            Ok(0) => Ok(()),
            Ok(count) => {
                expected.read_exact(&mut wanted[..count]).expect(NEVER_ENDS);
                assert!(chunk[..count] == wanted[..count], "wrong bytes after {so_far:?}");
                so_far.fetch_add(count as u64, Ordering::Relaxed);
                continue;
            }
            Err(error) => Err(error.kind()),
        };
        return Ended { bytes: so_far.load(Ordering::Relaxed), how, after: Instant::now() };
    }
}

/// Writes `payload` until the connection ends.
fn write_prefix(mut stream: TcpStream, payload: Payload, so_far: &AtomicU64) -> Ended {
    let mut source = payload.reader();
    let mut chunk = vec![0; 64 << 10];
    loop {
        source.read_exact(&mut chunk).expect(NEVER_ENDS);
        if let Err(error) = stream.write_all(&chunk) {
            let bytes = so_far.load(Ordering::Relaxed);
            return Ended { bytes, how: Err(error.kind()), after: Instant::now() };
        }
        so_far.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
}

/// Runs a transfer on a thread, injects `fault` when it is well under way, and gives how long after that it ended.
fn interrupted(transfer: impl FnOnce(&AtomicU64) -> Ended + Send, fault: impl FnOnce()) -> (Ended, Duration) {
    let so_far = AtomicU64::new(0);
    thread::scope(|scope| {
        let transfer = scope.spawn(|| transfer(&so_far));
        eventually("the transfer", TIMEOUT, || (so_far.load(Ordering::Relaxed) > UNDER_WAY).then_some(()));
        let faulted = Instant::now();
        fault();
        let ended = transfer.join().expect("the transfer panicked");
        let took = ended.after.saturating_duration_since(faulted);
        (ended, took)
    })
}

/// Tries connection after connection until one works, from now on.
#[track_caller]
fn works_again(mut works: impl FnMut() -> bool) {
    let back = Instant::now();
    eventually("a connection that works", TIMEOUT, || works().then_some(()));
    assert_in_time(back.elapsed(), PROMISED);
}

#[track_caller]
fn assert_in_time(took: Duration, promised: Duration) {
    assert!(took < promised, "{promised:?} is promised, it took {took:?}");
}

/// Whether the first bytes of `payload` come through a new connection.
fn delivers(inlet: SocketAddr, payload: Payload) -> bool {
    let mut client = connect(inlet);
    let [mut got, mut wanted] = [(); 2].map(|()| vec![0; 64 << 10]);
    payload.reader().read_exact(&mut wanted).expect(NEVER_ENDS);
    // A connection that ends early is a failed attempt; wrong bytes are a failed test.
    client.read_exact(&mut got).is_ok_and(|()| {
        assert!(got == wanted, "wrong bytes");
        true
    })
}

#[test]
fn a_hub_killed_during_a_download_leaves_a_prefix_and_an_error() {
    let _alone = alone();
    let service = Service::source(ENDLESS);
    let HubOutletInlet { inlet, outlet, hub } = HubOutletInlet::start(service.address());
    let client = connect(inlet.address());
    let (ended, took) = interrupted(|so_far| read_prefix(client, ENDLESS, so_far), || hub.process().kill());
    assert_eq!(ended.how, Err(ErrorKind::ConnectionReset), "after {} bytes", ended.bytes);
    assert_in_time(took, PROMISED);
    eventually("the service's connections to end", TIMEOUT, || (service.live() == 0).then_some(()));

    let _hub = Hub::start_at(hub.address());
    works_again(|| delivers(inlet.address(), ENDLESS));
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn a_hub_killed_during_an_upload_leaves_a_prefix_and_an_error() {
    let _alone = alone();
    let sink = Sink::start();
    let HubOutletInlet { inlet, outlet, hub } = HubOutletInlet::start(sink.address());
    let client = connect(inlet.address());
    let (ended, took) = interrupted(|so_far| write_prefix(client, ENDLESS, so_far), || hub.process().kill());
    assert!(ended.how.is_err());
    assert_in_time(took, PROMISED);

    let received = sink.next(TIMEOUT);
    assert_eq!(received.error, Some(ErrorKind::ConnectionReset), "after {} bytes", received.bytes);
    assert!(received.bytes > 0);
    assert_eq!(received.sha256, Payload::new(received.bytes).sha256());

    let whole = Payload::new(1 << 20);
    let _hub = Hub::start_at(hub.address());
    works_again(|| ask(inlet.address(), &whole.bytes()).is_ok());
    let wanted = Received { bytes: whole.length(), sha256: whole.sha256(), error: None };
    // Attempts that came too early may have reached the service, but not whole.
    eventually("the whole upload", TIMEOUT, || {
        let received = sink.next(TIMEOUT);
        assert!(received == wanted || received.error.is_some(), "{received:?}");
        (received == wanted).then_some(())
    });
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn a_restarted_hub_serves_new_connections_without_a_restart() {
    let _alone = alone();
    let service = Service::echo();
    let HubOutletInlet { inlet, outlet, mut hub } = HubOutletInlet::start(service.address());
    // The third time as well as the first.
    for _ in 0..3 {
        let mut open = connect(inlet.address());
        open.write_all(b"?").unwrap();
        open.read_exact(&mut [0]).unwrap();

        let faulted = Instant::now();
        hub.process().kill();
        assert_eq!(open.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        assert_in_time(faulted.elapsed(), PROMISED);
        let _ = inlet.process().event("down");
        // While it is gone, connections are refused and do not hang.
        assert_eq!(
            connect(inlet.address()).read(&mut [0]).map_err(|error| error.kind()),
            Err(ErrorKind::ConnectionReset)
        );

        hub = Hub::start_at(hub.address());
        works_again(|| echoes(inlet.address()));
        let _ = inlet.process().event("up");
        let _ = outlet.process().event("up");
    }
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn after_a_long_outage_reconnecting_is_as_fast() {
    let _alone = alone();
    let service = Service::echo();
    let hub = Hub::start();
    let capture = Capture::recording(hub.address());
    let outlet = Outlet::start(service.address(), capture.address());
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    assert!(echoes(inlet.address()));
    hub.process().kill();
    // Enough attempts that both have reached the longest interval of their exponential backoff.
    let attempts = capture.accepted() + 24;
    eventually("enough failed attempts", TIMEOUT, || (capture.accepted() >= attempts).then_some(()));
    let hub = Hub::start();
    capture.retarget(hub.address());
    works_again(|| echoes(inlet.address()));
}

#[test]
fn an_outlet_killed_during_a_download_leaves_a_prefix_and_an_error() {
    let _alone = alone();
    let service = Service::source(ENDLESS);
    let portal = HubOutletInlet::start(service.address());
    let client = connect(portal.address());
    let (ended, took) = interrupted(|so_far| read_prefix(client, ENDLESS, so_far), || portal.outlet.process().kill());
    assert_eq!(ended.how, Err(ErrorKind::ConnectionReset), "after {} bytes and {took:?}", ended.bytes);
    assert_in_time(took, DETECTION);
}

#[test]
fn a_restarted_outlet_is_found_without_restarting_the_inlet() {
    let _alone = alone();
    let service = Service::echo();
    let hub = Hub::start();
    let home = temp_dir();
    let start = || Outlet::start_as("owner", home.path(), service.address(), hub.address());
    let owner = start();
    let inlet = Inlet::start(owner.route(), owner.identifier());
    assert!(echoes(inlet.address()));
    owner.process().kill();
    let again = start();
    assert_eq!((again.identifier(), again.route()), (owner.identifier(), owner.route()));
    works_again(|| echoes(inlet.address()));
    assert!(inlet.process().ended().is_none());
}

#[test]
fn a_transfer_finishes_while_the_hub_drains() {
    let _alone = alone();
    let payload = Payload::new(128 << 20);
    let service = Service::source(payload);
    let portal = HubOutletInlet::start(service.address());
    let client = connect(portal.address());
    let (ended, _) = interrupted(
        |so_far| read_prefix(client, payload, so_far),
        || {
            portal.hub.process().terminate();
            let _ = portal.hub.process().event("draining");
            eventually("the hub to report that it drains", TIMEOUT, || {
                (portal.hub.status("/healthz").unwrap().0 == 503).then_some(())
            });
        },
    );
    assert_eq!((ended.bytes, ended.how), (payload.length(), Ok(())));
    assert_eq!(portal.hub.process().wait(TIMEOUT).code(), Some(0));
}
