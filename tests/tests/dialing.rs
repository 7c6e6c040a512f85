//! Names that are connected to: several addresses of which one does not answer, and names that do not resolve, in network
//! namespaces (Linux).

use std::process::Command;
use std::sync::Arc;

use postern_testkit::network_namespace::{self, Namespace};
use postern_testkit::{Hub, Person, Process, TIMEOUT, eventually, skipped};

/// 10.77.0.1 is this machine's; what is sent to 10.77.1.2 to 10.77.1.4 is lost, because nobody has the Ethernet address.
const BLACK_HOLE: &str = "ip addr add 10.77.0.1/32 dev lo
    ip link add hole type veth peer name far
    ip addr add 10.77.1.1/24 dev hole
    ip link set hole up
    ip link set far up
    for host in 2 3 4; do ip neigh add 10.77.1.$host lladdr 02:00:00:00:00:0$host dev hole nud permanent; done";
/// The address that answers is the last one.
const HOSTS: &str = "127.0.0.1 localhost
10.77.1.2 lost.test
10.77.1.3 lost.test
10.77.0.1 lost.test
";
/// The order of `/etc/hosts` is not that in which addresses are tried: the resolver's rules are (RFC 6724), which this file sets.
const ORDER: &str = "precedence ::ffff:10.77.1.0/120 100
precedence ::ffff:10.77.0.1/128 10
";

fn hub_in(namespace: &Namespace) -> Hub {
    Hub::spawn(&mut namespace.enter(&Hub::command("10.77.0.1:0".parse().unwrap())))
}

fn link_of_hub(person: &Person, state: &str) {
    person.wait_for("the hub", |seen| (seen["hubs"][0]["link"]["state"] == state).then_some(()));
}

/// Whoever connects tries a later address while the earlier ones do not answer: a hub's, and that of a service.
#[test]
fn a_name_whose_first_addresses_do_not_answer_is_reached() {
    if let Some(why) = network_namespace::unavailable() {
        return skipped(&why);
    }
    // Without the last, a name has only one of its addresses.
    let files = [("hosts", HOSTS), ("gai.conf", ORDER), ("host.conf", "multi on\n")];
    let namespace = Arc::new(Namespace::new(BLACK_HOLE, &files));
    let listed = Process::run(&mut namespace.enter(Command::new("getent").args(["ahostsv4", "lost.test"])), TIMEOUT);
    let listed = listed.success().stdout;
    assert!(listed.starts_with("10.77.1.") && listed.contains("10.77.0.1"), "the order of addresses: {listed}");
    let hub = hub_in(&namespace);
    let name = format!("lost.test:{}", hub.address().port());
    let mut ann = Person::stopped("Ann", &["--hub", &name]);
    ann.enter(namespace);
    ann.up();
    link_of_hub(&ann, "up");

    // The hub's own port is a service as good as any.
    ann.run(&["share", &name, "--name", "notes", "--kind", "tcp"]);
    ann.wait_for("the service", |seen| (seen["services"][0]["health"]["state"] == "up").then_some(()));
}

/// How often the hub's connection has failed, by the log of the engine.
fn failed_attempts(person: &Person) -> usize {
    person.process().stderr().matches("the hub cannot be used").count()
}

#[test]
fn a_name_that_does_not_resolve_is_asked_for_once_for_many_attempts_until_the_network_changes() {
    if let Some(why) = network_namespace::unavailable() {
        return skipped(&why);
    }
    // Nobody answers at the name server's port, so every question fails at once.
    let files = [("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "nameserver 127.0.0.1\n")];
    let namespace = Arc::new(Namespace::new("ip addr add 10.77.0.1/32 dev lo", &files));
    let hub = hub_in(&namespace);
    let mut ann = Person::stopped("Ann", &["--hub", &format!("hub.test:{}", hub.address().port())]);
    ann.enter(namespace.clone());
    ann.up();
    eventually("failed attempts", TIMEOUT, || (failed_attempts(&ann) >= 12).then_some(()));
    // One lookup asks for two kinds of addresses, twice. On a machine that is very slow there may have been a second one.
    let asked = namespace.datagrams_sent();
    assert!((1..=8).contains(&asked), "{asked} questions for 12 attempts");

    // The name is known now, and the file that says so counts as a change of the network.
    namespace.set_etc("hosts", "127.0.0.1 localhost\n10.77.0.1 hub.test\n");
    link_of_hub(&ann, "up");
}
