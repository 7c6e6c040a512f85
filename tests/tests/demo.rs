//! The first thing anybody runs, and the promise behind it: the hub carries bytes that it cannot read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};

use postern_testkit::client::{ask, connect};
use postern_testkit::program::postern;
use postern_testkit::{Capture, Hub, Inlet, Outlet, Process, Service, TIMEOUT};
use serde_json::Value;

const REQUEST: &[u8] = b"GET /the-question-that-only-the-owner-may-see HTTP/1.1\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\nthe answer that only a friend may see\n";
/// Bytes in a row that are no accident: one in 2^64 is, and the wire carries some thousands.
const PIECE: usize = 8;

/// A web server with one page, that closes after each answer.
fn service() -> Service {
    Service::serve(|mut stream| {
        let mut request = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while request.read_line(&mut line)? > 2 {
            line.clear();
        }
        stream.write_all(RESPONSE)
    })
}

/// Every [`PIECE`] of `text` that some connection of `capture` carried, either way.
fn pieces_carried<'a>(capture: &Capture, text: &'a [u8]) -> Vec<&'a [u8]> {
    let recorded = capture.recorded();
    let carried = |piece: &&[u8]| recorded.iter().any(|bytes| bytes.windows(PIECE).any(|window| window == *piece));
    text.windows(PIECE).filter(carried).collect()
}

/// Runs `postern demo --once --json` with these arguments besides; what it told.
#[track_caller]
fn demo_once(arguments: &[&str]) -> Vec<Value> {
    let demo = Process::run(postern().args(["demo", "--once", "--json"]).args(arguments), TIMEOUT).success();
    demo.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_demo_shares_its_own_service_once_and_exits() {
    let demo = Process::run(postern().args(["demo", "--once"]), TIMEOUT).success();
    for step in ["1. ", "2. ", "3. ", "4. ", "5. 67108864 bytes fetched"] {
        assert!(demo.stdout.lines().any(|line| line.starts_with(step)), "no step {step}: {}", demo.stdout);
    }
    assert!(demo.stdout.contains("and verified"), "{}", demo.stdout);
}

#[test]
fn the_demo_tells_every_step_as_json() {
    let told = demo_once(&[]);
    let events: Vec<&str> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(events, ["service", "hub", "owner", "friend", "fetched"]);
    let [service, hub, owner, friend, fetched] = &told[..] else { panic!("{told:?}") };

    assert_eq!((&fetched["bytes"], &fetched["verified"]), (&(64 << 20).into(), &true.into()));
    for figure in ["megabytes_per_second", "round_trip_microseconds"] {
        assert!(fetched[figure].as_f64().is_some_and(|figure| figure > 0.0), "{fetched}");
    }
    // The whole way in its order.
    let path = fetched["path"].as_str().unwrap();
    let stations = [&friend["address"], &hub["address"], &service["target"]].map(|it| it.as_str().unwrap());
    let places: Vec<usize> = stations.iter().map(|station| path.find(station).expect(path)).collect();
    assert!(places.is_sorted(), "{path}");
    assert_ne!(owner["identifier"], friend["identifier"]);
}

#[test]
fn hub_owner_and_friend_are_processes_of_their_own_until_the_demo_is_interrupted() {
    let demo = Process::spawn(postern().args(["demo", "--json"]));
    let processes = ["hub", "owner", "friend"].map(|role| {
        let told = demo.event(role);
        (role, told["process"].as_u64().unwrap(), told["address"].as_str().map(str::to_owned))
    });
    let commands = processes.each_ref().map(|(_, id, _)| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap();
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    });
    for (command, role) in commands.iter().zip(["hub", "outlet", "inlet"]) {
        assert!(command[0].ends_with("postern") && command.contains(&role.to_owned()), "{command:?}");
    }
    let mut ids: Vec<u64> = processes.iter().map(|(_, id, _)| *id).chain([u64::from(demo.id())]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);

    let address = processes[2].2.as_ref().unwrap().parse().unwrap();
    assert!(the_page(address).len() > 100);
    demo.interrupt();
    assert_eq!(demo.wait(TIMEOUT).code(), Some(0));
}

/// Fetches the demo's page from the friend's address.
#[track_caller]
fn the_page(address: SocketAddr) -> String {
    // Its server answers nobody who has finished: the answer ends the connection instead.
    let (mut client, mut page) = (connect(address), String::new());
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("it is there");
    client.read_to_string(&mut page).expect("the page comes");
    assert!(page.starts_with("HTTP/1.0 200") || page.starts_with("HTTP/1.1 200"), "{page}");
    page
}

#[test]
fn the_demo_fetches_from_the_service_it_is_given_and_compares() {
    let service = service();
    let target = service.address().to_string();
    let told = demo_once(&["--target", &target]);
    let fetched = told.last().unwrap();
    assert_eq!((&fetched["bytes"], &fetched["verified"]), (&38.into(), &true.into()));
    // Through the portal and directly.
    assert!(service.accepted() >= 2);
}

#[test]
fn the_demo_does_not_call_verified_what_it_cannot_compare() {
    let count = AtomicU64::new(0);
    let service = Service::serve(move |mut stream| {
        let mut request = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while request.read_line(&mut line)? > 2 {
            line.clear();
        }
        write!(stream, "HTTP/1.0 200 OK\r\n\r\nanswer {}", count.fetch_add(1, Ordering::Relaxed))
    });
    let told = demo_once(&["--target", &service.address().to_string()]);
    assert_eq!(told.last().unwrap()["verified"], false);
}

#[test]
fn the_demo_fails_without_the_service() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let demo = Process::run(postern().args(["demo", "--once", "--target", &nowhere]), TIMEOUT);
    assert!(demo.status.code().is_some_and(|code| code != 0), "{demo:?}");
}

#[test]
fn a_capture_without_a_portal_shows_everything() {
    let service = service();
    let capture = Capture::recording(service.address());
    assert_eq!(ask(capture.address(), REQUEST).unwrap(), RESPONSE);
    for text in [REQUEST, RESPONSE] {
        assert!(capture.contains(text));
        assert_eq!(pieces_carried(&capture, text).len(), text.len() - PIECE + 1);
    }
}

#[test]
fn the_hub_carries_nothing_that_it_could_read() {
    let service = service();
    let hub = Hub::start();
    let [beside_owner, beside_friend] = [(); 2].map(|()| Capture::recording(hub.address()));
    let outlet = Outlet::start(service.address(), beside_owner.address());
    let inlet = Inlet::start(&outlet.route_via(beside_friend.address()), outlet.identifier());

    assert_eq!(ask(inlet.address(), REQUEST).unwrap(), RESPONSE);
    let target = service.address().to_string();
    for (capture, peer) in [(&beside_owner, outlet.process()), (&beside_friend, inlet.process())] {
        assert!(capture.bytes_forwarded() > (REQUEST.len() + RESPONSE.len()) as u64);
        assert!(peer.ended().is_none());
        for text in [REQUEST, RESPONSE, target.as_bytes()] {
            assert_eq!(pieces_carried(capture, text), [b""; 0], "the hub carried plaintext");
        }
        // What it must read to do its work, it does: the record is of the right wire.
        assert!(capture.contains(outlet.relay().as_bytes()));
    }
}
