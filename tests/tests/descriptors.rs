//! A low limit of file descriptors: `postern outlet` and `inlet` raise it, keep a part, and refuse what is above it at once.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use postern_testkit::client::{connect, echoes};
use postern_testkit::{Hub, Inlet, Outlet, Process, Service, TIMEOUT, eventually};

/// Soft and hard limit: it cannot be raised. Of these, an eighth is kept (`postern_env::descriptors::RESERVE`).
const LIMIT: usize = 96;
const KEPT: usize = LIMIT / 8;
/// More connections than there are descriptors.
const CLIENTS: usize = 2 * LIMIT;

fn limited() -> String {
    format!("-n {LIMIT}")
}

/// Opens more connections than there are descriptors. How many are served, and how many are told at once that they are not;
/// one that waits for either until its time is over fails the test.
fn flood(address: SocketAddr) -> (Vec<TcpStream>, usize) {
    let clients: Vec<TcpStream> = (0..CLIENTS).map(|_| connect(address)).collect();
    let mut served = Vec::new();
    for mut client in clients {
        // A refused connection may be reset before the byte is written, or after.
        let answer = client.write_all(b"?").and_then(|()| client.read(&mut [0]));
        match answer {
            Ok(1) => served.push(client),
            Ok(_) => {}
            Err(error) => assert!(
                !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
                "a connection above the limit hangs: {error}"
            ),
        }
    }
    let refused = CLIENTS - served.len();
    (served, refused)
}

/// Waits until none of the descriptors that are kept is open. Others, inherited from the test's parents, have higher numbers.
fn keeps_its_part(process: &Process) {
    let directory = format!("/proc/{}/fd", process.id());
    let is_kept = |number: usize| (LIMIT - KEPT..LIMIT).contains(&number);
    eventually("a part of the descriptors to be free", TIMEOUT, || {
        let names = fs::read_dir(&directory).unwrap().flatten().map(|entry| entry.file_name());
        let mut numbers = names.filter_map(|name| name.to_str()?.parse().ok());
        (!numbers.any(is_kept)).then_some(())
    });
}

fn serves_and_refuses(inlet: SocketAddr, limited: &Process) {
    let (served, refused) = flood(inlet);
    assert!(served.len() > LIMIT / 4 && refused >= LIMIT, "{} served, {refused} refused", served.len());
    keeps_its_part(limited);
    // Those that it carries go on, and there is room again when they end.
    for mut client in &served {
        client.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    drop(served);
    eventually("a connection to be served again", TIMEOUT, || echoes(inlet).then_some(()));
}

#[test]
fn an_inlet_refuses_connections_above_the_limit_of_descriptors_at_once() {
    let (service, hub) = (Service::echo(), Hub::start());
    let outlet = Outlet::start(service.address(), hub.address());
    let inlet = Inlet::start_limited(outlet.route(), outlet.identifier(), &limited());
    serves_and_refuses(inlet.address(), inlet.process());
}

#[test]
fn an_outlet_refuses_streams_above_the_limit_of_descriptors_and_keeps_a_part() {
    let (service, hub) = (Service::echo(), Hub::start());
    let outlet = Outlet::start_limited(service.address(), hub.address(), &limited());
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    serves_and_refuses(inlet.address(), outlet.process());
}

#[test]
fn outlet_and_inlet_raise_their_limit_of_descriptors() {
    let (service, hub) = (Service::echo(), Hub::start());
    let outlet = Outlet::start_limited(service.address(), hub.address(), "-S -n 256");
    let inlet = Inlet::start_limited(outlet.route(), outlet.identifier(), "-S -n 256");
    for process in [outlet.process(), inlet.process()] {
        let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
        let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let (soft, hard) = (open_files.split_whitespace().nth(3), open_files.split_whitespace().nth(4));
        assert!(soft == hard && soft != Some("256"), "{open_files}");
    }
}
