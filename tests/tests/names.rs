//! Portals whose ends are named otherwise, that go without a hub, without a channel, or to whoever answers.

use std::io::{Read, Write};
use std::net::SocketAddr;

use postern_testkit::client::connect;
use postern_testkit::program::postern;
use postern_testkit::{Hub, Inlet, Outlet, Process, Service, TIMEOUT};
use serde_json::Value;

/// An identifier that nobody has.
const NOBODY: &str = "I0000000000000000000000000000000000000000000000000000000000000001";

/// Whether the service behind this inlet answers; it must be connected already.
#[track_caller]
fn echoes(inlet: SocketAddr) {
    let mut client = connect(inlet);
    client.write_all(b"hello").expect("it is carried");
    let mut answer = [0; 5];
    client.read_exact(&mut answer).expect("it is carried");
    assert_eq!(&answer, b"hello");
}

/// Waits until an inlet is connected, and gives what it said.
#[track_caller]
fn connected(inlet: &Inlet) -> Value {
    inlet.process().event("up")
}

/// Waits until a program has warned of something.
#[track_caller]
fn warns(process: &Process, text: &str) {
    let _ = process.wait_for_line(|line| line.contains("WARN") && line.contains(text), TIMEOUT);
}

#[test]
fn listener_and_worker_have_the_names_that_were_given() {
    let (hub, service) = (Hub::start(), Service::echo());
    let names = ["--name", "owner", "--listener", "secure_channel_listener", "--worker", "web"];
    let outlet = Outlet::start_with(service.address(), hub.address(), &names);
    assert!(
        outlet.route().ends_with("/service/owner/secure/secure_channel_listener/service/web"),
        "{}",
        outlet.route()
    );
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    echoes(inlet.address());

    // Or as the beginning of the route, and the names beside it.
    let beginning = format!("/ip4/127.0.0.1/tcp/{}/service/owner", hub.address().port());
    let names = ["--listener", "secure_channel_listener", "--worker", "web", "--peer", outlet.identifier()];
    let inlet = Inlet::open_with(&beginning, &names);
    assert_eq!(connected(&inlet)["peer"], outlet.identifier());
    echoes(inlet.address());
}

#[test]
fn an_outlet_is_reached_without_a_hub() {
    let service = Service::echo();
    let outlet = Outlet::listen_with(service.address(), &[]);
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    echoes(inlet.address());
}

#[test]
fn a_portal_without_a_channel_carries_and_both_ends_warn() {
    let (hub, service) = (Hub::start(), Service::echo());
    let unsafe_ends = [
        Outlet::start_with(service.address(), hub.address(), &["--plain"]),
        Outlet::listen_with(service.address(), &["--plain"]),
    ];
    for outlet in unsafe_ends {
        assert!(!outlet.route().contains("/secure/"), "{}", outlet.route());
        let inlet = Inlet::open_with(outlet.route(), &[]);
        assert!(connected(&inlet)["peer"].is_null());
        echoes(inlet.address());
        for process in [outlet.process(), inlet.process()] {
            warns(process, "nothing is encrypted and nobody is authenticated");
        }
    }
}

#[test]
fn a_portal_without_a_channel_reconnects() {
    let service = Service::echo();
    let hub = Hub::start();
    let address = hub.address();
    let outlet = Outlet::start_with(service.address(), address, &["--plain", "--name", "owner"]);
    let inlet = Inlet::open_with(outlet.route(), &[]);
    let _ = connected(&inlet);
    hub.process().kill();
    let _ = inlet.process().event("down");
    let _ = outlet.process().event("down");
    let _hub = Hub::start_at(address);
    let _ = inlet.process().event("up");
    let _ = outlet.process().event("up");
    echoes(inlet.address());
}

#[test]
fn whoever_answers_is_trusted_only_when_told_so() {
    let service = Service::echo();
    let outlet = Outlet::listen_with(service.address(), &[]);
    let inlet = Inlet::open_with(outlet.route(), &["--trust-any-peer"]);
    assert_eq!(connected(&inlet)["peer"], outlet.identifier());
    warns(inlet.process(), "whoever answers is accepted");
    echoes(inlet.address());

    let told = |route: &str, options: &[&str]| {
        let mut inlet = postern();
        let ended = Process::run(inlet.args(["inlet", "--route", route]).args(options), TIMEOUT);
        (ended.status.code(), ended.stderr)
    };
    let (code, says) = told(outlet.route(), &[]);
    assert!(code == Some(2) && says.contains("--trust-any-peer"), "{code:?} {says}");
    // Nobody's identity can be checked without a channel: that is an error, and not a connection that seems to be checked.
    let (code, says) = told("/ip4/127.0.0.1/tcp/9/service/outlet", &["--peer", NOBODY]);
    assert!(code == Some(2) && says.contains("no `/secure`"), "{code:?} {says}");
    for (route, options) in [
        ("/ip4/127.0.0.1/tcp/9", ["--listener", "api", "--peer", NOBODY].as_slice()),
        ("/ip4/127.0.0.1/tcp/9/secure/api/service/outlet", &["--listener", "api", "--peer", NOBODY]),
        ("/ip4/127.0.0.1/tcp/9", &["--worker", "a/b"]),
        ("/ip4/127.0.0.1/tcp/9/secure/api/service/outlet", &["--trust-any-peer", "--peer", NOBODY]),
    ] {
        let (code, says) = told(route, options);
        assert_eq!(code, Some(2), "{route} {options:?}: {says}");
    }
}

#[test]
fn another_peer_than_the_expected_one_is_named_and_no_list_is_advised() {
    let service = Service::echo();
    let outlet = Outlet::listen_with(service.address(), &[]);
    let inlet = Inlet::open(outlet.route(), NOBODY);
    let down = inlet.process().event("down");
    let reason = down["reason"].as_str().expect("a reason");
    assert!(reason.contains(outlet.identifier()) && reason.contains(NOBODY), "{reason}");
    assert!(reason.contains("--peer") && !reason.contains("allow"), "{reason}");
}

/// A line that is the identifier and nothing else, as it is pasted into other programs.
#[test]
fn both_ends_print_their_identifiers_on_lines_of_their_own() {
    let service = Service::echo();
    let mut outlet = postern();
    outlet.args(["outlet", "--listen", "127.0.0.1:0", "--to", &service.address().to_string()]);
    let outlet = Process::spawn(&mut outlet);
    let is_identifier = |line: &str| line.trim().len() == 65 && line.trim().starts_with('I');
    let identifier = outlet.wait_for_line(is_identifier, TIMEOUT);
    let command = outlet.wait_for_line(|line| line.contains("postern inlet "), TIMEOUT);
    let (_, arguments) = command.split_once("postern ").expect("a command to paste");
    assert!(arguments.contains(&format!("--peer {} ", identifier.trim())), "{command}");
    let mut inlet = postern();
    let inlet = Process::spawn(inlet.args(arguments.split_whitespace()));
    let _ = inlet.wait_for_line(is_identifier, TIMEOUT);
    let _ = inlet.wait_for_line(|line| line.starts_with("Connected with"), TIMEOUT);
}
