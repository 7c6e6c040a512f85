//! The first thing anybody runs, and the promise behind it: the hub carries bytes that it cannot read.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use postern_tests::client::ask;
use postern_tests::program::postern;
use postern_tests::{Capture, Hub, Inlet, Outlet, Process, SOON, Service};
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

#[test]
fn the_demo_shares_its_own_service_once_and_exits() {
    let demo = Process::run(postern().args(["demo", "--once"]), SOON).success();
    assert!(!demo.stdout.is_empty());
}

#[test]
fn the_demo_tells_every_step_as_json() {
    let demo = Process::run(postern().args(["demo", "--once", "--json"]), SOON).success();
    let events: Vec<Value> = demo.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.len() > 1, "{events:?}");
    assert!(events.iter().all(|event| event["event"].is_string()), "{events:?}");
}

#[test]
fn the_demo_fetches_from_the_service_it_is_given() {
    let service = service();
    let target = service.address().to_string();
    let _ = Process::run(postern().args(["demo", "--once", "--target", &target]), SOON).success();
    assert!(service.accepted() > 0);
}

#[test]
fn the_demo_fails_without_the_service() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let demo = Process::run(postern().args(["demo", "--once", "--target", &nowhere]), SOON);
    assert!(demo.status.code().is_some_and(|code| code != 0), "{demo:?}");
}

#[test]
fn a_capture_without_a_portal_shows_everything() {
    let service = service();
    let capture = Capture::before(service.address());
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
    let [beside_owner, beside_friend] = [(); 2].map(|()| Capture::before(hub.address()));
    let outlet = Outlet::start(service.address(), beside_owner.address());
    let inlet = Inlet::start(&outlet.route_via(beside_friend.address()), outlet.identifier());

    assert_eq!(ask(inlet.address(), REQUEST).unwrap(), RESPONSE);
    let target = service.address().to_string();
    for (capture, peer) in [(&beside_owner, outlet.process()), (&beside_friend, inlet.process())] {
        assert!(capture.carried() > (REQUEST.len() + RESPONSE.len()) as u64);
        assert!(peer.ended().is_none());
        for text in [REQUEST, RESPONSE, target.as_bytes()] {
            assert_eq!(pieces_carried(capture, text), [b""; 0], "the hub carried plaintext");
        }
        // What it must read to do its work, it does: the record is of the right wire.
        assert!(capture.contains(outlet.relay().as_bytes()));
    }
}
