//! Paths that fail without a word: packets are dropped, or a hub stands still.

use std::io::Write;
use std::time::Instant;

use postern_testkit::client::{ask, connect};
use postern_testkit::json::{find, text};
use postern_testkit::network_namespace::{drop_port, enter, pass_port, ports_connected_to};
use postern_testkit::{Hub, Person, Process, TIMEOUT, World, eventually};
use serde_json::Value;

/// Drops the packets of all connections of a person to the hub, as a router does that has forgotten them.
#[track_caller]
fn forget_connections(person: &Person, hub: &Hub) -> Vec<u16> {
    let ports = ports_connected_to(person.process().id(), hub.address().port());
    assert!(!ports.is_empty(), "{} has no connection to the hub", person.name());
    ports.iter().copied().for_each(drop_port);
    ports
}

/// Watches the hub's line in what a person's `ls --watch` shows.
fn watch(person: &Person) -> Process {
    let watch = Process::spawn(&mut person.command(&["ls", "--watch"]));
    let _ = watch.json_line(|json| json["event"] == "snapshot", TIMEOUT);
    watch
}

fn hub_is(json: &Value, state: &str) -> bool {
    json["event"] == "snapshot" && json["snapshot"]["hubs"][0]["link"]["state"] == state
}

#[test]
fn an_owners_connection_that_is_dead_is_replaced_and_reported() {
    if !enter("dead_paths::an_owners_connection_that_is_dead_is_replaced_and_reported") {
        return;
    }
    let (World { hub, ann, ben: _ben, service: _service }, inlet) = World::joined("notes");
    assert_eq!(ask(inlet, &[b'x'; 1_000]).unwrap(), [b'x'; 1_000]);
    let watch = watch(&ann);
    let begun = Instant::now();
    forget_connections(&ann, &hub);
    let down = watch.json_line(|json| hub_is(json, "down"), TIMEOUT);
    println!("reported after {:?}", begun.elapsed());
    let said = down["snapshot"]["hubs"][0]["link"].to_string();
    assert!(said.contains("stopped answering"), "{said}");
    let _ = watch.json_line(|json| hub_is(json, "up"), TIMEOUT);
    eventually("the service", TIMEOUT, || ask(inlet, b"one").is_ok_and(|answer| answer == b"one").then_some(()));
    println!("works again after {:?}", begun.elapsed());
}

#[test]
fn an_inlet_whose_channel_is_dead_opens_the_next_one_over_a_connection_that_is_not() {
    if !enter("dead_paths::an_inlet_whose_channel_is_dead_opens_the_next_one_over_a_connection_that_is_not") {
        return;
    }
    let (World { hub, ann: _ann, ben, service: _service }, inlet) = World::joined("notes");
    assert_eq!(ask(inlet, b"one").unwrap(), b"one");
    let begun = Instant::now();
    forget_connections(&ben, &hub);
    // The first connections wait for an answer on the dead path, and end with it.
    eventually("the service", TIMEOUT, || ask(inlet, b"two").is_ok_and(|answer| answer == b"two").then_some(()));
    println!("works again after {:?}", begun.elapsed());
}

#[test]
fn a_friend_whose_network_is_cut_blames_the_hub_connection_and_not_the_owner() {
    if !enter("dead_paths::a_friend_whose_network_is_cut_blames_the_hub_connection_and_not_the_owner") {
        return;
    }
    let (World { hub, ann: _ann, ben, service: _service }, inlet) = World::joined("notes");
    assert_eq!(ask(inlet, b"one").unwrap(), b"one");
    let watch = Process::spawn(&mut ben.command(&["ls", "--watch"]));
    drop_port(hub.address().port());
    // Whatever is said until then.
    let down = watch.json_line(|json| is_down(json).is_some(), TIMEOUT);
    assert_eq!(is_down(&down).as_deref(), Some("hub-unreachable"), "{down}");
    pass_port(hub.address().port());
    eventually("the service", TIMEOUT, || ask(inlet, b"two").is_ok_and(|answer| answer == b"two").then_some(()));
}

#[test]
fn a_hub_that_stands_still_is_named_and_nothing_is_said_of_the_owner() {
    let (World { hub, ann, ben, service: _service }, inlet) = World::joined("notes");
    assert_eq!(ask(inlet, b"one").unwrap(), b"one");
    let (of_ann, of_ben) = (watch(&ann), Process::spawn(&mut ben.command(&["ls", "--watch"])));
    hub.process().suspend();
    let client = connect(inlet);
    (&client).write_all(b"still there?").unwrap();
    let down = of_ben.json_line(|json| is_down(json).is_some(), TIMEOUT);
    assert_eq!(is_down(&down).as_deref(), Some("hub-unreachable"), "{down}");
    let down = of_ann.json_line(|json| hub_is(json, "down"), TIMEOUT);
    let said = down["snapshot"]["hubs"][0]["link"].to_string();
    assert!(said.contains("does not answer"), "{said}");
    hub.process().resume();
    let _ = of_ann.json_line(|json| hub_is(json, "up"), TIMEOUT);
    assert_eq!(ben.wait_until_up("notes"), inlet);
    eventually("the service", TIMEOUT, || ask(inlet, b"two").is_ok_and(|answer| answer == b"two").then_some(()));
}

/// The code of a portal that is down.
fn is_down(json: &Value) -> Option<String> {
    let link = &find(&json["snapshot"]["inlets"], "notes")?["link"];
    (link["state"] == "down").then(|| text(&link["fault"]["code"]).to_owned())
}
