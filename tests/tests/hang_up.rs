//! Programs whose terminal is closed (SIGHUP).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use postern_testkit::client::{connect, echoes};
use postern_testkit::program::postern;
use postern_testkit::{Hub, HubOutletInlet, Inlet, Outlet, Person, Process, Service, TIMEOUT, eventually};

/// Connects through an inlet and waits until the stream is open at both ends.
fn open_stream(world: &HubOutletInlet) -> TcpStream {
    let mut client = connect(world.address());
    client.write_all(b"?").unwrap();
    client.read_exact(&mut [0]).unwrap();
    client
}

/// Tells a program that its terminal was closed (SIGHUP).
#[track_caller]
fn hang_up(process: &Process) {
    let id = process.id().to_string();
    let _ = Process::run(Command::new("kill").args(["-HUP", &id]), TIMEOUT).success();
}

/// Whether this program ignores SIGHUP, and with it all that it starts: it runs under `nohup`.
fn is_under_nohup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(ignored, 16).unwrap() & 1 == 1
}

#[test]
fn a_closed_terminal_ends_a_program_as_a_request_does_and_its_streams_with_it() {
    if is_under_nohup() {
        let test = "hang_up::a_closed_terminal_ends_a_program_as_a_request_does_and_its_streams_with_it";
        let mut again = Command::new("env");
        again.arg("--default-signal=HUP").arg(std::env::current_exe().unwrap()).args(["--exact", test]);
        let passed = Process::run(&mut again, 5 * TIMEOUT).success();
        assert!(passed.stdout.contains("1 passed"), "there is no test {test}");
        return;
    }
    let service = Service::echo();
    for is_outlet in [true, false] {
        let world = HubOutletInlet::start(service.address());
        let mut client = open_stream(&world);
        client.set_read_timeout(Some(TIMEOUT)).unwrap();
        match is_outlet {
            true => hang_up(world.outlet.process()),
            false => hang_up(world.inlet.process()),
        }
        assert!(client.read(&mut [0]).map_or(true, |count| count == 0));
        let ended = || [world.outlet.process(), world.inlet.process()].iter().find_map(|process| process.ended());
        assert!(eventually("a program to end", TIMEOUT, ended).success());
    }
    let hub = Hub::start();
    let ann = Person::start(&hub, "Ann");
    for process in [ann.process(), hub.process()] {
        hang_up(process);
        assert!(process.wait(TIMEOUT).success());
    }
}

#[test]
fn a_program_started_with_nohup_outlives_its_terminal() {
    let service = Service::echo();
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP && exec \"$0\" \"$@\""]);
    let hub = Hub::command("127.0.0.1:0".parse().unwrap());
    nohup.arg(postern().get_program()).args(hub.get_args());
    let hub = Hub::spawn(&mut nohup);
    let outlet = Outlet::start(service.address(), hub.address());
    let inlet = Inlet::start(outlet.route(), outlet.identifier());
    hang_up(hub.process());
    assert!(echoes(inlet.address()) && hub.process().ended().is_none());
    hub.process().terminate();
    assert!(hub.process().wait(TIMEOUT).success());
}
