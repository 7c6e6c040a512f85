//! What goes wrong with a broker: whoever runs the hub is told what to do, and nothing is lost.

use std::sync::mpsc;
use std::time::Duration;

use postern_kafka_broker::{Broker, Options, PLAIN_PASSWORD, STRANGER, STRANGER_PASSWORD, USER};
use postern_node::session::HubSession;
use postern_node::stream::Stream;
use postern_node::{Context, Node, Routed, Worker, WorkerError, route};
use postern_testkit::{TIMEOUT, eventually};
use tokio::runtime::Runtime;

use crate::conformance::unique;
use crate::harness::{TestHub, kafka, own_broker};
use crate::peer::Peer;

/// What `/healthz` answers: the code and the text.
fn health(hub: &TestHub) -> (u16, String) {
    hub.hub().status("/healthz").unwrap()
}

/// Waits until the health check fails for a reason that contains all of these words.
#[track_caller]
fn until_unhealthy(hub: &TestHub, words: &[&str]) {
    let mut last = (0, String::new());
    let found = postern_testkit::within(TIMEOUT, || {
        last = health(hub);
        (last.0 == 503 && words.iter().all(|word| last.1.contains(word))).then_some(())
    });
    assert!(found.is_some(), "the health check does not say {words:?}: {last:?}");
}

fn until_healthy(hub: &TestHub) {
    eventually("a healthy hub", TIMEOUT, || (health(hub).0 == 200).then_some(()));
}

/// Hands on what arrives.
struct Receiver(mpsc::Sender<String>);

impl Worker for Receiver {
    type Message = String;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        Ok(self.0.send(message.into_body())?)
    }
}

/// Two programs with a stream between them, that keep it up whatever happens.
struct Pair {
    runtime: Runtime,
    sender: (Node, HubSession, Stream),
    _receiver: (Node, HubSession, Stream),
    received: mpsc::Receiver<String>,
}

impl Pair {
    fn start(hub: &TestHub) -> Self {
        let runtime = Runtime::new().unwrap();
        let (name, address) = (unique("faults"), hub.address().to_string());
        let (arrived, received) = mpsc::channel();
        let _guard = runtime.enter();
        let connect = |node: &Node, client: &str, names: [String; 2]| {
            let session = node.keep_connected(address.clone(), None);
            let stream = Stream::new(node).stream_service("stream_kafka").index_service("stream_kafka_index");
            let stream = stream.client_id(unique(client));
            let stream = if client == "receiver" { stream.expose("receiver") } else { stream };
            let [to, from] = names;
            let stream = stream.keep_connected(&session, to, from).unwrap();
            (session, stream)
        };
        let names = [format!("{name}_there"), format!("{name}_back")];
        let (a, b) = (Node::new(), Node::new());
        b.start_worker("receiver", Receiver(arrived)).unwrap();
        let (session, stream) = connect(&a, "sender", names.clone());
        let sender = (a.clone(), session, stream);
        let (session, stream) = connect(&b, "receiver", [names[1].clone(), names[0].clone()]);
        drop(_guard);
        Self { runtime, sender, _receiver: (b, session, stream), received }
    }

    /// Sends messages with these numbers; they are taken at once, whether the hub is there or not.
    fn send(&self, numbers: std::ops::Range<u32>) {
        let (node, _, stream) = &self.sender;
        self.runtime.block_on(async {
            let mut context = node.context().unwrap();
            for number in numbers {
                context.send(route![stream, "receiver"], number.to_string()).await.unwrap();
            }
        });
    }

    /// All of these arrive, in order; what was sent twice may come twice.
    #[track_caller]
    fn receive(&self, numbers: std::ops::Range<u32>) {
        let mut expected = numbers.start;
        while expected < numbers.end {
            let number: u32 = self.received.recv_timeout(TIMEOUT).expect("it arrives").parse().unwrap();
            assert!(number <= expected, "{number} came instead of {expected}");
            expected = expected.max(number + 1);
        }
    }
}

/// SASL over TLS, as in hub.toml.
fn sasl(broker: &Broker, user: &str, password: &str, directory: &std::path::Path) -> String {
    let file = directory.join("password");
    std::fs::write(&file, password).unwrap();
    format!(
        "[kafka]\nbrokers = \"{}\"\nallow_anonymous = true\nca = \"{}\"\n\
         mechanism = \"PLAIN\"\nusername = \"{user}\"\npassword_file = \"{}\"\n",
        broker.sasl_bootstrap(),
        broker.ca().display(),
        file.display()
    )
}

#[test]
fn a_broker_that_is_down_at_the_start_or_later_delays_messages_and_loses_none() {
    let Some(mut broker) = own_broker(Options::default()) else { return };
    broker.stop().unwrap();
    let hub = TestHub::with_kafka(&broker.bootstrap());
    until_unhealthy(&hub, &["kafka", "brokers of [kafka]"]);
    let pair = Pair::start(&hub);
    pair.send(0..20);

    broker.restart().unwrap();
    until_healthy(&hub);
    pair.receive(0..20);

    broker.kill().unwrap();
    pair.send(20..40);
    until_unhealthy(&hub, &["kafka"]);
    broker.restart().unwrap();
    pair.receive(20..40);
    until_healthy(&hub);
}

#[test]
fn a_wrong_password_or_ca_is_named_and_once_it_is_right_nothing_is_missing() {
    let Some(broker) = own_broker(Options::default()) else { return };
    let directory = postern_testkit::temp_dir();
    let right = sasl(&broker, USER, PLAIN_PASSWORD, directory.path());
    let wrong = tempfile::tempdir().unwrap();

    let mut hub = TestHub::start(&sasl(&broker, USER, "wrong-secret", wrong.path()));
    until_unhealthy(&hub, &["password", USER]);
    assert!(!health(&hub).1.contains("wrong-secret"));
    let refused = Peer::connect(hub.address()).create("stream_kafka", Some(&unique("refused"))).unwrap_err();
    assert!(refused.contains("password"), "{refused}");
    let pair = Pair::start(&hub);
    pair.send(0..10);

    let (ca, other) = (broker.ca().display().to_string(), broker.other_ca().display().to_string());
    hub.reconfigure(&right.replace(&ca, &other));
    until_unhealthy(&hub, &["certificate"]);
    pair.send(10..20);

    hub.reconfigure(&right);
    until_healthy(&hub);
    pair.receive(0..20);
}

#[test]
fn a_user_without_rights_on_the_topics_is_named() {
    let Some(broker) = own_broker(Options::default()) else { return };
    let directory = postern_testkit::temp_dir();
    let hub = TestHub::start(&sasl(&broker, STRANGER, STRANGER_PASSWORD, directory.path()));
    let mut peer = Peer::connect(hub.address());
    let name = unique("forbidden");
    let refused = peer.create("stream_kafka", Some(&name)).unwrap_err();
    assert!(refused.contains(&name) && refused.contains(STRANGER), "which topic, and whose rights: {refused}");
    let pair = Pair::start(&hub);
    pair.send(0..10);
    broker.grant(&format!("User:{STRANGER}"), "postern-").unwrap();
    pair.receive(0..10);
}

#[test]
fn every_way_into_kafka_works() {
    let Some(broker) = own_broker(Options::default()) else { return };
    broker.grant("User:CN=client", "postern-").unwrap();
    let directory = postern_testkit::temp_dir();
    let plain = sasl(&broker, USER, PLAIN_PASSWORD, directory.path());
    let scram = tempfile::tempdir().unwrap();
    let scram = sasl(&broker, USER, postern_kafka_broker::SCRAM_PASSWORD, scram.path());
    let (certificate, key) = broker.client_certificate();
    let client = format!(
        "[kafka]\nbrokers = \"{}\"\nallow_anonymous = true\nca = \"{}\"\n\
         certificate = \"{}\"\nkey = \"{}\"\n",
        broker.tls_bootstrap(),
        broker.ca().display(),
        certificate.display(),
        key.display()
    );
    let ways = [
        kafka(&broker.bootstrap()),
        plain,
        scram.replace("PLAIN", "SCRAM-SHA-256"),
        scram.replace("PLAIN", "SCRAM-SHA-512"),
        client,
    ];
    for configuration in ways {
        let hub = TestHub::start(&configuration);
        let mut peer = Peer::connect(hub.address());
        let (_, stream) = peer.create("stream_kafka", Some(&unique("way"))).expect(&configuration);
        peer.push(&stream, b"in").unwrap().expect(&configuration);
        eventually("the record", TIMEOUT, || peer.pull(&stream, 0, 1).unwrap().pop());
        until_healthy(&hub);
    }
}

#[test]
fn what_kafka_deleted_before_it_was_read_is_reported() {
    let Some(broker) = own_broker(Options::default()) else { return };
    let mut hub = TestHub::with_kafka(&broker.bootstrap());
    let pair = Pair::start(&hub);
    pair.send(0..5);
    pair.receive(0..5);
    let topic = broker.tools().topics().unwrap().into_iter().find(|topic| topic.ends_with("_there")).unwrap();

    // While the hub is away nobody reads; Kafka deletes everything up to the last record.
    hub.kill();
    broker.tools().produce(&topic, "x\ny\nz").unwrap();
    broker.tools().delete_records(&topic, 0, 8).unwrap();
    hub.kill_and_restart();
    pair.send(5..8);
    pair.receive(5..8);
    let notices = pair._receiver.2.notices();
    eventually("the gap", Duration::from_secs(5), || match notices.try_next() {
        Some(postern_node::stream::Notice::Gap { from: 5, to: 8 }) => Some(()),
        _ => None,
    });
}
