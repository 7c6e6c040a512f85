//! What went away comes back by itself, as it was.

use postern_tests::client::ask;
use postern_tests::person::{address, find, free_port};
use postern_tests::{Clock, Hub, PATIENCE, Person, Service, eventually, temp_dir};

#[test]
fn both_restart_in_either_order_and_the_port_stays() {
    let hub = Hub::start();
    let (mut ann, mut ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));

    ann.restart();
    ben.restart();
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"one").unwrap(), b"one");

    ben.restart();
    ann.restart();
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"two").unwrap(), b"two");

    ann.stop();
    ben.has_down("notes", "owner-offline");
    ben.restart();
    ben.has_down("notes", "owner-offline");
    ann.up();
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"three").unwrap(), b"three");
}

#[test]
fn a_hub_restarts() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    let place = hub.address();
    hub.process().kill();
    let sentence = ben.has_down("notes", "hub-unreachable");
    assert!(sentence.contains(&place.to_string()), "{sentence}");
    ann.waits_for("the hub to be down", |seen| (seen["hubs"][0]["link"]["state"] == "down").then_some(()));

    let _hub = Hub::start_at(place);
    assert_eq!(ben.has_up("notes"), inlet);
    assert_eq!(ask(inlet, b"again").unwrap(), b"again");
    ann.waits_for("the hub to be up", |seen| (seen["hubs"][0]["link"]["state"] == "up").then_some(()));
    // It kept nothing, so it is somebody else now.
    ann.waits_for("the warning", |seen| (seen["troubles"][0]["code"] == "hub-changed").then_some(()));
}

#[test]
fn a_clock_that_jumps_ends_what_is_over_and_nothing_else() {
    let hub = Hub::start();
    let directory = temp_dir();
    let clock = Clock::right(directory.path());
    let mut ann = Person::resting("Ann", &["--hub", &hub.address().to_string()]);
    clock.of(&mut ann);
    ann.up();
    let ben = Person::at(&hub, "Ben");
    let service = Service::echo_after_end();
    ann.shares(service.address(), "brief");
    ann.shares(service.address(), "lasting");
    let brief = ben.joins(&ann.invites("brief", &["--until", "12h"]));
    let lasting = ben.joins(&ann.invites("lasting", &[]));
    assert_eq!(ask(brief, b"in").unwrap(), b"in");

    clock.turn("+1d");
    ann.has_granted("brief", "Ben", "expired");
    ben.has_down("brief", "expired");
    assert!(ask(brief, b"out").map_or(true, |answer| answer.is_empty()));
    assert_eq!(ask(lasting, b"still in").unwrap(), b"still in");

    // Back again, and before the beginning: what is over stays over, what is not goes on.
    clock.turn("-1d");
    assert_eq!(ask(lasting, b"still in").unwrap(), b"still in");
    clock.turn("+0");
    ann.restart();
    ben.has_up("lasting");
    assert_eq!(ask(lasting, b"x").unwrap(), b"x");
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it_and_another_can_be_chosen() {
    let hub = Hub::start();
    let (ann, ben) = (Person::at(&hub, "Ann"), Person::at(&hub, "Ben"));
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let port = free_port();
    let other = std::net::TcpListener::bind(address(port)).unwrap();
    let refusal = ben.refused_to(&["join", "-", "--port", &port.to_string()], &ann.invites("notes", &[]));
    assert_eq!((refusal.exit, refusal.code.as_str()), (9, "port-taken"), "{refusal:?}");
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_string_lossy();
    let short = &program[..program.len().min(15)];
    assert!(refusal.sentence.contains(short) && refusal.sentence.contains(&port.to_string()), "{refusal:?}");

    let next = free_port();
    ben.says(&["change", "notes", "--port", &next.to_string()]);
    assert_eq!(ben.has_up("notes"), address(next));
    assert_eq!(ask(address(next), b"here").unwrap(), b"here");
    // The first one, once it is free again.
    drop(other);
    ben.says(&["change", "notes", "--port", &port.to_string()]);
    assert_eq!(ben.has_up("notes"), address(port));
}

#[test]
fn a_second_hub_that_is_lost_changes_nothing() {
    let hubs = [Hub::start(), Hub::start()];
    let [one, two] = [0, 1].map(|index: usize| hubs[index].address().to_string());
    let mut ann = Person::resting("Ann", &["--hub", &one, "--hub", &two]);
    ann.up();
    ann.waits_for("both hubs", |seen| {
        let hubs = seen["hubs"].as_array()?;
        (hubs.len() == 2 && hubs.iter().all(|hub| hub["link"]["state"] == "up")).then_some(())
    });
    let mut ben = Person::resting("Ben", &["--hub", &two]);
    ben.up();
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    for lost in &hubs[..1] {
        lost.process().kill();
    }
    eventually("the portal to carry", PATIENCE, || ask(inlet, b"x").ok().filter(|answer| answer == b"x"));
    ben.has_up("notes");
}

#[test]
fn this_computer_is_reached_without_a_hub() {
    let mut ann = Person::resting("Ann", &["--this-computer", "--listen", "127.0.0.1:0"]);
    ann.up();
    ann.waits_for("an address", |seen| seen["this_computer"]["addresses"].get(0).map(|_| ()));
    let mut ben = Person::resting("Ben", &["--this-computer", "--listen", "127.0.0.1:0"]);
    ben.up();
    let service = Service::echo_after_end();
    ann.shares(service.address(), "notes");
    let inlet = ben.joins(&ann.invites("notes", &[]));
    assert_eq!(ask(inlet, b"direct").unwrap(), b"direct");
    let way = ben.sees();
    assert_eq!(find(&way["inlets"], "notes").unwrap()["link"]["way"]["by"], "direct");
}
