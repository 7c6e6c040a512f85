//! What went away comes back by itself, as it was.

use postern_testkit::client::ask;
use postern_testkit::json::find;
use postern_testkit::port::{free_port, loopback, network_ip};
use postern_testkit::{FakeClock, Hub, Person, Service, TIMEOUT, World, eventually, skipped, temp_dir};

#[test]
fn both_restart_in_either_order_and_the_port_stays() {
    let (World { hub: _hub, mut ann, mut ben, service: _service }, inlet) = World::joined("notes");

    ann.restart();
    ben.restart();
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"one").unwrap(), b"one");

    ben.restart();
    ann.restart();
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"two").unwrap(), b"two");

    ann.stop();
    ben.wait_until_down("notes", "owner-offline");
    ben.restart();
    ben.wait_until_down("notes", "owner-offline");
    ann.up();
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"three").unwrap(), b"three");
}

#[test]
fn a_hub_restarts() {
    let (World { hub, ann, ben, service: _service }, inlet) = World::joined("notes");
    let place = hub.address();
    hub.process().kill();
    let message = ben.wait_until_down("notes", "hub-unreachable");
    assert!(message.contains(&place.to_string()), "{message}");
    ann.wait_for("the hub to be down", |seen| (seen["hubs"][0]["link"]["state"] == "down").then_some(()));

    let _hub = Hub::start_at(place);
    assert_eq!(ben.wait_until_up("notes"), inlet);
    assert_eq!(ask(inlet, b"again").unwrap(), b"again");
    ann.wait_for("the hub to be up", |seen| (seen["hubs"][0]["link"]["state"] == "up").then_some(()));
    // It kept nothing, so it is somebody else now.
    ann.wait_for("the warning", |seen| (seen["troubles"][0]["code"] == "hub-changed").then_some(()));
}

#[test]
fn a_clock_jump_expires_what_has_ended_and_nothing_else() {
    let hub = Hub::start();
    let directory = temp_dir();
    let clock = FakeClock::new(directory.path());
    let mut ann = Person::stopped("Ann", &["--hub", &hub.address().to_string()]);
    clock.apply_to(&mut ann);
    ann.up();
    let ben = Person::start(&hub, "Ben");
    let service = Service::echo_after_end();
    ann.share(service.address(), "brief");
    ann.share(service.address(), "lasting");
    let brief = ben.join(&ann.invite("brief", &["--until", "12h"]));
    let lasting = ben.join(&ann.invite("lasting", &[]));
    assert_eq!(ask(brief, b"in").unwrap(), b"in");

    clock.set("+1d");
    ann.wait_for_grant("brief", "Ben", "expired");
    ben.wait_until_down("brief", "expired");
    assert!(ask(brief, b"out").map_or(true, |answer| answer.is_empty()));
    assert_eq!(ask(lasting, b"still in").unwrap(), b"still in");

    // Back again, and before the beginning: what is over stays over, what is not goes on.
    clock.set("-1d");
    assert_eq!(ask(lasting, b"still in").unwrap(), b"still in");
    clock.set("+0");
    ann.restart();
    ben.wait_until_up("lasting");
    assert_eq!(ask(lasting, b"x").unwrap(), b"x");
}

#[test]
fn a_port_in_use_is_reported_with_its_program_and_can_be_changed() {
    let World { hub: _hub, ann, ben, service: _service } = World::sharing("notes");
    let port = free_port();
    let other = std::net::TcpListener::bind(loopback(port)).unwrap();
    let refusal = ben.fails_with_input(&["join", "-", "--port", &port.to_string()], &ann.invite("notes", &[]));
    assert_eq!((refusal.exit, refusal.code.as_str()), (9, "port-taken"), "{refusal:?}");
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy();
    let short = &program[..program.len().min(15)];
    assert!(refusal.message.contains(short) && refusal.message.contains(&port.to_string()), "{refusal:?}");

    let next = free_port();
    ben.run(&["change", "notes", "--port", &next.to_string()]);
    assert_eq!(ben.wait_until_up("notes"), loopback(next));
    assert_eq!(ask(loopback(next), b"here").unwrap(), b"here");
    // The first one, once it is free again.
    drop(other);
    ben.run(&["change", "notes", "--port", &port.to_string()]);
    assert_eq!(ben.wait_until_up("notes"), loopback(port));
}

#[test]
fn losing_one_of_two_hubs_does_not_interrupt_a_portal() {
    let hubs = [Hub::start(), Hub::start()];
    let [one, two] = [0, 1].map(|index: usize| hubs[index].address().to_string());
    let mut ann = Person::stopped("Ann", &["--hub", &one, "--hub", &two]);
    ann.up();
    ann.wait_for("both hubs", |seen| {
        let hubs = seen["hubs"].as_array()?;
        (hubs.len() == 2 && hubs.iter().all(|hub| hub["link"]["state"] == "up")).then_some(())
    });
    let mut ben = Person::stopped("Ben", &["--hub", &two]);
    ben.up();
    let service = Service::echo_after_end();
    ann.share(service.address(), "notes");
    let inlet = ben.join(&ann.invite("notes", &[]));
    for lost in &hubs[..1] {
        lost.process().kill();
    }
    eventually("the portal to carry", TIMEOUT, || ask(inlet, b"x").ok().filter(|answer| answer == b"x"));
    ben.wait_until_up("notes");
}

#[test]
fn this_computer_is_reached_without_a_hub() {
    let Some(ip) = network_ip() else {
        return skipped("this machine is in no network");
    };
    let listen = format!("{ip}:0");
    let mut ann = Person::stopped("Ann", &["--this-computer", "--listen", &listen]);
    ann.up();
    ann.wait_for("an address", |seen| seen["this_computer"]["addresses"].get(0).map(|_| ()));
    let mut ben = Person::stopped("Ben", &["--this-computer", "--listen", &listen]);
    ben.up();
    let service = Service::echo_after_end();
    ann.share(service.address(), "notes");
    let inlet = ben.join(&ann.invite("notes", &[]));
    assert_eq!(ask(inlet, b"direct").unwrap(), b"direct");
    let way = ben.snapshot();
    assert_eq!(find(&way["inlets"], "notes").unwrap()["link"]["way"]["by"], "direct");
}
