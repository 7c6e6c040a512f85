//! The hub has rights on a broker that its clients do not have. Through it they reach what it made for them, and nothing else: neither
//! another application's topics nor its groups, nor each other's.

use postern_kafka_broker::Tools;
use postern_testkit::{Hub, Process, TIMEOUT, eventually};

use crate::conformance::unique;
use crate::harness::{TestHub, kafka, shared_bootstrap};
use crate::peer::Peer;

const STREAM: &str = "stream_kafka";
const INDEX: &str = "stream_kafka_index";
/// What the hub puts in front of the names of topics and groups.
const PREFIX: &str = "postern-";

/// A hub, its client, and the tools of the broker's administrator.
fn start(more: &str) -> Option<(TestHub, Peer, Tools)> {
    let bootstrap = shared_bootstrap()?;
    let hub = TestHub::start(&format!("{}{more}", kafka(&bootstrap)));
    let peer = Peer::connect(hub.address());
    Some((hub, peer, Tools::at(&bootstrap).unwrap()))
}

#[test]
fn another_applications_topic_is_not_read() {
    let Some((_hub, mut peer, tools)) = start("") else { return };
    let payments = unique("payments");
    tools.create_topic(&payments, 1).unwrap();
    tools.produce(&payments, "paid by somebody").unwrap();
    // The name leads to a topic of the hub's own, which is empty.
    let (_, stream) = peer.create(STREAM, Some(&payments)).unwrap();
    assert!(peer.pull(&stream, 0, 8).unwrap().is_empty());
    peer.push(&stream, b"not a payment").unwrap().expect("it is stored");
    assert_eq!(tools.consume(&payments).unwrap(), b"paid by somebody\n");
    assert_eq!(tools.consume(&format!("{PREFIX}{payments}")).unwrap(), b"not a payment\n");
}

#[test]
fn a_topic_with_the_prefix_that_the_hub_did_not_make_must_be_allowed() {
    let Some((_hub, mut peer, tools)) = start("") else { return };
    let orders = unique("orders");
    tools.create_topic(&format!("{PREFIX}{orders}"), 1).unwrap();
    tools.produce(&format!("{PREFIX}{orders}"), "one").unwrap();
    let refused = peer.create(STREAM, Some(&orders)).unwrap_err();
    assert!(refused.contains("topics"), "it says what to do: {refused}");

    let (_hub, mut peer, _) = start(&format!("topics = [\"{PREFIX}{orders}\"]\n")).unwrap();
    let (_, stream) = peer.create(STREAM, Some(&orders)).unwrap();
    let read = eventually("the record", TIMEOUT, || peer.pull(&stream, 0, 1).unwrap().pop());
    assert_eq!(read.1, b"one");
}

#[test]
fn another_applications_group_is_not_moved() {
    let Some((_hub, mut peer, tools)) = start("") else { return };
    let (topic, group) = (unique("ledger"), unique("billing"));
    let (_, stream) = peer.create(STREAM, Some(&topic)).unwrap();
    (0..9_u8).for_each(|number| assert!(peer.push(&stream, &[number]).unwrap().is_some()));
    tools.set_group(&group, &format!("{PREFIX}{topic}"), 5).unwrap();
    // A client that takes the group's name gets a group of the hub's own.
    assert_eq!(peer.index(INDEX, &group, &topic), Ok(None));
    peer.save_index(INDEX, &group, &topic, 2);
    eventually("the index", TIMEOUT, || (peer.index(INDEX, &group, &topic) == Ok(Some(2))).then_some(()));
    let said = tools.group(&group).unwrap();
    let line = said.lines().find(|line| line.contains(&topic)).expect(&said);
    assert!(line.split_whitespace().any(|word| word == "5"), "{said}");
}

#[test]
fn without_an_identity_nothing_is_made_unless_that_is_allowed() {
    let Some(bootstrap) = shared_bootstrap() else { return };
    let hub = TestHub::start(&format!("[kafka]\nbrokers = \"{bootstrap}\"\n"));
    let mut peer = Peer::connect(hub.address());
    let refused = peer.create(STREAM, Some(&unique("anybody"))).unwrap_err();
    assert!(refused.contains("channel") || refused.contains("identity"), "{refused}");
    // The hub's own streams are for everybody.
    peer.create("stream", Some("anybody")).unwrap();
}

#[test]
fn a_hub_does_not_start_without_a_prefix() {
    let directory = postern_testkit::temp_dir();
    let file = directory.path().join("hub.toml");
    std::fs::write(&file, "[kafka]\nbrokers = \"127.0.0.1:1\"\nprefix = \"\"\n").unwrap();
    let mut hub = Hub::command(([127, 0, 0, 1], 0).into());
    let refused = Process::run(hub.arg("--config").arg(&file), TIMEOUT);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("prefix"), "{}", refused.stderr);
}

#[test]
fn a_password_in_the_configuration_is_refused_and_not_repeated() {
    let directory = postern_testkit::temp_dir();
    let file = directory.path().join("hub.toml");
    let secret = "this-is-my-password";
    let text = format!("[kafka]\nbrokers = \"127.0.0.1:1\"\nusername = \"hub\"\npassword = \"{secret}\"\n");
    std::fs::write(&file, text).unwrap();
    let mut hub = Hub::command(([127, 0, 0, 1], 0).into());
    let refused = Process::run(hub.arg("--config").arg(&file), TIMEOUT);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("password_file"), "it says what to do: {}", refused.stderr);
    assert!(!refused.stderr.contains(secret), "{}", refused.stderr);
}
