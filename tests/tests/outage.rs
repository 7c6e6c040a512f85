//! What becomes of everybody when one of the three dies, and how long it takes: the times that README and ARCHITECTURE
//! promise.
//!
//! Each of these tests measures, once, and what it measures must hold. So none of them runs beside another.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postern_tests::client::{ask, connect, echoes};
use postern_tests::trio::event;
use postern_tests::{Capture, Hub, Inlet, Outlet, Payload, Received, SOON, Service, Sink, Trio, eventually, temp_dir};

/// How long open streams may outlive the hub, and how long a hub that is back may be of no use.
const STATED: Duration = Duration::from_secs(2);
/// How long it takes at most to miss an owner who died without a word: four probes, five seconds apart, and a handshake.
const SILENCE: Duration = Duration::from_secs(23);
/// More than any test lets through.
const ENDLESS: Payload = Payload::new(1 << 40);
const NEVER_ENDS: &str = "the payload is longer than any transfer";
/// Enough that the transfer is well under way.
const UNDER_WAY: u64 = 8 << 20;

static ALONE: Mutex<()> = Mutex::new(());

/// Keeps the other tests of this file waiting.
fn alone() -> MutexGuard<'static, ()> {
    // A test that failed has left nothing behind.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// Runs a transfer on a thread, does `disaster` when it is well under way, and tells how long after that it ended.
fn interrupted(transfer: impl FnOnce(&AtomicU64) -> Ended + Send, disaster: impl FnOnce()) -> (Ended, Duration) {
    let so_far = AtomicU64::new(0);
    thread::scope(|scope| {
        let transfer = scope.spawn(|| transfer(&so_far));
        eventually("the transfer", SOON, || (so_far.load(Ordering::Relaxed) > UNDER_WAY).then_some(()));
        let struck = Instant::now();
        disaster();
        let ended = transfer.join().expect("the transfer panicked");
        let took = ended.after.saturating_duration_since(struck);
        (ended, took)
    })
}

/// Tries connection after connection until one works, from now on.
#[track_caller]
fn works_again(mut works: impl FnMut() -> bool) {
    let back = Instant::now();
    eventually("a connection that works", SOON, || works().then_some(()));
    assert_in_time(back.elapsed(), STATED);
}

#[track_caller]
fn assert_in_time(took: Duration, stated: Duration) {
    assert!(took < stated, "{stated:?} were promised, it took {took:?}");
}

/// Whether the first bytes of `payload` come through a new connection.
fn brings(inlet: SocketAddr, payload: Payload) -> bool {
    let mut client = connect(inlet);
    let [mut got, mut wanted] = [(); 2].map(|()| vec![0; 64 << 10]);
    payload.reader().read_exact(&mut wanted).expect(NEVER_ENDS);
    // A connection that ends early has brought nothing; one that brings something else is the end of everything.
    client.read_exact(&mut got).is_ok_and(|()| {
        assert!(got == wanted, "wrong bytes");
        true
    })
}

#[test]
fn a_hub_killed_during_a_download_leaves_a_true_prefix_and_an_error() {
    let _alone = alone();
    let service = Service::source(ENDLESS);
    let Trio { inlet, outlet, hub } = Trio::around(service.address());
    let client = connect(inlet.address());
    let (ended, took) = interrupted(|so_far| read_prefix(client, ENDLESS, so_far), || hub.process().kill());
    assert_eq!(ended.how, Err(ErrorKind::ConnectionReset), "after {} bytes", ended.bytes);
    assert_in_time(took, STATED);
    eventually("the service to be let go", SOON, || (service.live() == 0).then_some(()));

    let _hub = Hub::start_at(hub.address());
    works_again(|| brings(inlet.address(), ENDLESS));
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn a_hub_killed_during_an_upload_leaves_a_true_prefix_and_an_error() {
    let _alone = alone();
    let sink = Sink::start();
    let Trio { inlet, outlet, hub } = Trio::around(sink.address());
    let client = connect(inlet.address());
    let (ended, took) = interrupted(|so_far| write_prefix(client, ENDLESS, so_far), || hub.process().kill());
    assert!(ended.how.is_err());
    assert_in_time(took, STATED);

    let received = sink.next(SOON);
    assert_eq!(received.error, Some(ErrorKind::ConnectionReset), "after {} bytes", received.bytes);
    assert!(received.bytes > 0);
    assert_eq!(received.sha256, Payload::new(received.bytes).sha256());

    let whole = Payload::new(1 << 20);
    let _hub = Hub::start_at(hub.address());
    works_again(|| ask(inlet.address(), &whole.bytes()).is_ok());
    let wanted = Received { bytes: whole.length(), sha256: whole.sha256(), error: None };
    // Those that came too early may have got as far as the service, but brought nothing whole.
    eventually("what was sent", SOON, || {
        let received = sink.next(SOON);
        assert!(received == wanted || received.error.is_some(), "{received:?}");
        (received == wanted).then_some(())
    });
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn a_hub_that_is_back_serves_new_connections_without_a_restart() {
    let _alone = alone();
    let service = Service::echo();
    let Trio { inlet, outlet, mut hub } = Trio::around(service.address());
    // As good after the third as after the first.
    for _ in 0..3 {
        let mut open = connect(inlet.address());
        open.write_all(b"?").unwrap();
        open.read_exact(&mut [0]).unwrap();

        let struck = Instant::now();
        hub.process().kill();
        assert_eq!(open.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
        assert_in_time(struck.elapsed(), STATED);
        let _ = event(inlet.process(), "down");
        // While it is gone, nobody is left waiting.
        assert_eq!(
            connect(inlet.address()).read(&mut [0]).map_err(|error| error.kind()),
            Err(ErrorKind::ConnectionReset)
        );

        hub = Hub::start_at(hub.address());
        works_again(|| echoes(inlet.address()));
        let _ = event(inlet.process(), "up");
        let _ = event(outlet.process(), "up");
    }
    assert!(inlet.process().ended().is_none() && outlet.process().ended().is_none());
}

#[test]
fn a_hub_that_was_long_gone_is_found_as_fast() {
    let _alone = alone();
    let service = Service::echo();
    let hub = Hub::start();
    let capture = Capture::before(hub.address());
    let outlet = Outlet::start(service.address(), capture.address());
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    assert!(echoes(inlet.address()));
    hub.process().kill();
    // Enough attempts that both wait as long between them as they ever will.
    let attempts = capture.accepted() + 24;
    eventually("both to have tried in vain", SOON, || (capture.accepted() >= attempts).then_some(()));
    let hub = Hub::start();
    capture.retarget(hub.address());
    works_again(|| echoes(inlet.address()));
}

#[test]
fn an_owner_killed_during_a_download_leaves_a_true_prefix_and_an_error() {
    let _alone = alone();
    let service = Service::source(ENDLESS);
    let trio = Trio::around(service.address());
    let client = connect(trio.address());
    let (ended, took) = interrupted(|so_far| read_prefix(client, ENDLESS, so_far), || trio.outlet.process().kill());
    assert_eq!(ended.how, Err(ErrorKind::ConnectionReset), "after {} bytes and {took:?}", ended.bytes);
    assert_in_time(took, SILENCE);
}

#[test]
fn an_owner_that_is_back_is_found_without_a_restart() {
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
fn what_is_under_way_may_finish_while_a_hub_drains() {
    let _alone = alone();
    let payload = Payload::new(128 << 20);
    let service = Service::source(payload);
    let trio = Trio::around(service.address());
    let client = connect(trio.address());
    let (ended, _) = interrupted(
        |so_far| read_prefix(client, payload, so_far),
        || {
            trio.hub.process().terminate();
            let _ = event(trio.hub.process(), "draining");
            eventually("the hub to call itself draining", SOON, || {
                (trio.hub.status("/healthz").unwrap().0 == 503).then_some(())
            });
        },
    );
    assert_eq!((ended.bytes, ended.how), (payload.length(), Ok(())));
    assert_eq!(trio.hub.process().wait(SOON).code(), Some(0));
}
