//! The hub: itself over restarts, observable, draining; and what it takes for somebody to be gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use postern_testkit::client::{ask, connect, echoes};
use postern_testkit::{Hub, HubOutletInlet, Inlet, Outlet, Payload, Process, Service, TIMEOUT, eventually, temp_dir};

/// Less than it takes to miss somebody who said nothing.
const GOODBYE: Duration = Duration::from_secs(10);

/// A connection that has been answered through `portal`, whose service echoes.
#[track_caller]
fn in_use(portal: &HubOutletInlet) -> TcpStream {
    let mut client = connect(portal.address());
    client.write_all(b"?").expect("it reads");
    client.read_exact(&mut [0]).expect("it echoes");
    client
}

#[test]
fn a_hub_with_a_data_directory_keeps_its_identity_and_locks_it() {
    let home = temp_dir();
    let data = home.path().join("made").join("by the hub");
    let hub = Hub::start_in(&data);
    let mut second = Hub::command(hub.address());
    let second = Process::run(second.arg("--data-dir").arg(&data), TIMEOUT);
    assert!(!second.status.success() && second.stderr.contains("another hub uses it"), "{}", second.stderr);
    let identifier = hub.identifier().to_owned();
    hub.process().kill();
    assert_eq!(Hub::start_in(&data).identifier(), identifier);
    assert_ne!(Hub::start().identifier(), identifier);
}

/// With the usual limit of 1,024, as many idle connections would stop a hub.
#[cfg(target_os = "linux")]
#[test]
fn a_hub_raises_its_limit_of_file_descriptors() {
    let command = Hub::command(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -n 256; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    let hub = Hub::spawn(&mut limited);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.process().id())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let (soft, hard) = (open_files.split_whitespace().nth(3), open_files.split_whitespace().nth(4));
    assert!(soft == hard && soft != Some("256"), "{open_files}");
}

#[test]
fn a_stranger_under_the_owners_name_gets_nothing() {
    let (service, trap) = (Service::echo(), Service::echo());
    let hub = Hub::start();
    let owner = Outlet::start_with(service.address(), hub.address(), &["--name", "owner"]);
    let inlet = Inlet::start(owner.route(), owner.identifier());
    assert!(echoes(inlet.address()));

    owner.process().kill();
    let stranger = Outlet::start_with(trap.address(), hub.address(), &["--name", "owner"]);
    assert_eq!(stranger.route(), owner.route());
    assert!(!echoes(inlet.address()));
    let _ = inlet.process().event("down");
    assert!(!echoes(inlet.address()));
    assert_eq!(trap.accepted(), 0);
}

#[test]
fn a_killed_inlet_leaves_no_connection_behind() {
    let service = Service::echo();
    let portal = HubOutletInlet::start(service.address());
    let _client = in_use(&portal);
    portal.inlet.process().kill();
    let again = Inlet::start(portal.outlet.route(), portal.outlet.identifier());
    assert!(echoes(again.address()));
    eventually("the service to be let go", TIMEOUT, || (service.live() == 0).then_some(()));
}

#[test]
fn a_terminated_inlet_closes_its_connections() {
    let service = Service::echo();
    let portal = HubOutletInlet::start(service.address());
    let _client = in_use(&portal);
    portal.inlet.process().terminate();
    eventually("the service to be let go", GOODBYE, || (service.live() == 0).then_some(()));
    assert_eq!(portal.inlet.process().wait(TIMEOUT).code(), Some(0));
}

#[test]
fn a_terminated_outlet_closes_its_connections() {
    let service = Service::echo();
    let portal = HubOutletInlet::start(service.address());
    let mut client = in_use(&portal);
    client.set_read_timeout(Some(GOODBYE)).unwrap();
    portal.outlet.process().terminate();
    assert_eq!(client.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    assert_eq!(portal.outlet.process().wait(TIMEOUT).code(), Some(0));
}

#[test]
fn the_status_port_serves_health_and_metrics() {
    let service = Service::echo_after_end();
    let portal = HubOutletInlet::start(service.address());
    assert_eq!(portal.hub.status("/healthz").unwrap().0, 200);

    let figures = || {
        let (code, figures) = portal.hub.status("/metrics").unwrap();
        assert_eq!(code, 200);
        figures
    };
    let before = figures();
    assert!(before.lines().any(|line| line.starts_with("# TYPE ")), "{before}");
    let _ = ask(portal.address(), &Payload::new(1 << 20).bytes()).unwrap();
    let after = figures();
    assert_ne!(before, after);
    // Names of relays and people are nobody's business who reads figures.
    assert!(!after.contains(portal.outlet.relay()) && !after.contains(portal.outlet.identifier()), "{after}");
    assert_eq!(portal.hub.status("/nothing-there").unwrap().0, 404);
}

#[test]
fn a_terminated_hub_drains_and_exits_with_0() {
    let service = Service::echo();
    let portal = HubOutletInlet::start(service.address());
    assert!(echoes(portal.address()));
    portal.hub.process().terminate();
    assert_eq!(portal.hub.process().wait(TIMEOUT).code(), Some(0));
    assert!(TcpStream::connect(portal.hub.address()).is_err());
}
