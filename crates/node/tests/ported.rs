//! The examples of `ockam` that are written anew under `examples/ported`: each runs as programs of its own, and prints what the original
//! prints. What an original prints is in this file as text; of the workers' lines that is what releases up to 2024 print, because 0.150
//! shows a dump of its own data structure in place of the message.

use crate::examples::built_examples;
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Node, Origin};
use postern_testkit::client::ask;
use postern_testkit::{Process, Service, TIMEOUT, temp_dir};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

fn ported(arguments: &[&str]) -> Command {
    let mut command = Command::new(built_examples().join("ported"));
    command.args(arguments);
    command
}

/// What an example prints that ends by itself.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    Process::run(&mut ported(arguments), TIMEOUT).success().stdout
}

/// An example that runs until it is stopped.
struct Running(Process);

impl Running {
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        Self(Process::spawn(&mut ported(arguments)))
    }

    /// Where it listens; it says so on its standard error.
    #[track_caller]
    fn address(&self) -> String {
        let line = self.0.wait_for_line(|line| line.starts_with("listening on "), TIMEOUT);
        line["listening on ".len()..].trim().to_owned()
    }

    /// Stops it, and gives all that it has printed.
    #[track_caller]
    fn printed(&self) -> String {
        self.0.interrupt();
        let _ = self.0.wait(TIMEOUT);
        self.0.stdout()
    }

    /// The name of the relay that it has; it prints it alone on a line, behind these words.
    #[track_caller]
    fn relay(&self, behind: &str) -> String {
        let _ = self.0.wait_for_line(|line| line == behind, TIMEOUT);
        let is_name = |line: &str| !line.is_empty() && line.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
        self.0.wait_for_line(is_name, TIMEOUT)
    }
}

/// A hub in this process, in place of that of the former cloud service.
async fn hub() -> (Node, String) {
    let hub = Node::new();
    let listener = hub.tcp_listen("127.0.0.1:0").await.unwrap();
    RelayService::start(&hub, RelayServiceOptions::default(), &[listener.origin()]).unwrap();
    (hub, listener.local_addr().to_string())
}

/// Whether the service behind an inlet answers.
#[track_caller]
fn echoes(inlet: &str) {
    let address: SocketAddr = inlet.parse().unwrap();
    assert_eq!(ask(address, b"hello").unwrap(), b"hello");
}

#[test]
fn examples_of_one_node_print_what_the_originals_print() {
    for (name, expected) in [
        ("01-node", ""),
        ("02-worker", "Address: 0#echoer, Received: Hello Ockam!\nApp Received: Hello Ockam!\n"),
        (
            "03-routing",
            "Address: 0#h1, Received: Any Message\n\
             Address: 0#echoer, Received: Hello Ockam!\n\
             Address: 0#h1, Received: Any Message\n\
             App Received: Hello Ockam!\n",
        ),
        (
            "03-routing-many-hops",
            "Address: 0#h1, Received: Any Message\n\
             Address: 0#h2, Received: Any Message\n\
             Address: 0#h3, Received: Any Message\n\
             Address: 0#echoer, Received: Hello Ockam!\n\
             Address: 0#h3, Received: Any Message\n\
             Address: 0#h2, Received: Any Message\n\
             Address: 0#h1, Received: Any Message\n\
             App Received: Hello Ockam!\n",
        ),
        ("hello", "App Received: Hello Ockam!\n"),
        ("vault-and-identities", ""),
    ] {
        assert_eq!(printed(&[name]), expected, "{name}");
    }
}

const ECHOED: &str = "Address: 0#echoer, Received: Hello Ockam!\n";
const ANSWERED: &str = "App Received: Hello Ockam!\n";

#[test]
fn a_message_is_routed_over_a_connection() {
    let responder = Running::start(&["04-routing-over-transport-responder", "127.0.0.1:0"]);
    assert_eq!(printed(&["04-routing-over-transport-initiator", &responder.address()]), ANSWERED);
    assert_eq!(responder.printed(), ECHOED);
}

#[test]
fn a_message_is_routed_over_two_connections() {
    let responder = Running::start(&["04-routing-over-transport-two-hops-responder", "127.0.0.1:0"]);
    let middle = ["04-routing-over-transport-two-hops-middle", &responder.address(), "127.0.0.1:0"];
    let middle = Running::start(&middle);
    assert_eq!(printed(&["04-routing-over-transport-two-hops-initiator", &middle.address()]), ANSWERED);
    assert_eq!(responder.printed(), ECHOED);
    assert_eq!(middle.printed(), "Address: 0#forward_to_responder, Received: Any Message\n");
}

#[test]
fn a_secure_channel_goes_over_two_connections() {
    let responder = Running::start(&["05-secure-channel-over-two-transport-hops-responder", "127.0.0.1:0"]);
    let middle = ["05-secure-channel-over-two-transport-hops-middle", &responder.address(), "127.0.0.1:0"];
    let middle = Running::start(&middle);
    assert_eq!(printed(&["05-secure-channel-over-two-transport-hops-initiator", &middle.address()]), ANSWERED);
    assert_eq!(responder.printed(), ECHOED);
    // What follows the first message of the handshake goes straight to where Bob's answer came from.
    assert_eq!(middle.printed(), "Address: 0#forward_to_bob, Received: Any Message\n");
}

#[test]
fn credentials_of_an_issuer_open_a_worker() {
    let issuer = Running::start(&["06-credentials-exchange-issuer", "127.0.0.1:0"]);
    let issuer_address = issuer.address();
    let server = Running::start(&["06-credentials-exchange-server", &issuer_address, "127.0.0.1:0"]);
    let client = printed(&["06-credentials-exchange-client", &issuer_address, &server.address()]);
    let is_named = |line: Option<&str>| {
        line.and_then(|line| line.strip_prefix("issuer identifier I")).is_some_and(|digits| digits.len() == 64)
    };
    let mut lines = client.lines();
    assert!(is_named(lines.next()), "{client}");
    assert_eq!(lines.collect::<Vec<_>>(), ["Received: Hello Ockam!"]);
    assert_eq!(server.printed(), format!("server started\n{ECHOED}"));
    let issuer = issuer.printed();
    let mut lines = issuer.lines();
    assert!(is_named(lines.next()), "{issuer}");
    assert_eq!(lines.collect::<Vec<_>>(), ["issuer started"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alice_talks_to_bob_through_a_hub() {
    let (_hub, hub) = hub().await;
    let bob = Running::start(&["bob", &hub]);
    let relay = bob.relay("Forwarding address for Bob is:");
    let alice = Process::spawn(&mut ported(&["alice", &hub]));
    for line in [relay.as_str(), "Hello Bob!", "Are you there?"] {
        alice.type_line(line);
    }
    alice.end_input();
    assert!(alice.wait(TIMEOUT).success());
    assert_eq!(
        alice.stdout(),
        "\nEnter the forwarding address for Bob: \n\
         \n[✓] End-to-end encrypted secure channel was established.\n\n\
         Type a message for Bob's echoer:\n\
         Alice received an echo: Hello Bob!\n\n\
         Type a message for Bob's echoer:\n\
         Alice received an echo: Are you there?\n\n\
         Type a message for Bob's echoer:\n"
    );
    assert_eq!(
        bob.printed(),
        format!(
            "\n[✓] RemoteRelay was created on the node at: {hub}\n\
             Forwarding address for Bob is:\n{relay}\n\
             \n[✓] Address: 0#echoer, Received: Hello Bob!\n\
             \n[✓] Address: 0#echoer, Received: Are you there?\n"
        )
    );
}

#[test]
fn inlets_and_outlets_carry_a_service() {
    let service = Service::echo();
    let target = service.address().to_string();
    let both = Running::start(&["01-inlet-outlet", "127.0.0.1:0", &target]);
    echoes(&both.address());
    for (outlet, inlet) in [("02-outlet", "02-inlet"), ("03-outlet", "03-inlet")] {
        let outlet = Running::start(&[outlet, &target, "127.0.0.1:0"]);
        let inlet = Running::start(&[inlet, "127.0.0.1:0", &outlet.address()]);
        echoes(&inlet.address());
        assert_eq!((outlet.printed(), inlet.printed()), (String::new(), String::new()));
    }
    assert_eq!(service.accepted(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inlet_reaches_an_outlet_through_a_hub() {
    let (_hub, hub) = hub().await;
    let service = Service::echo();
    let outlet = Running::start(&["04-outlet", &service.address().to_string(), &hub]);
    let relay = outlet.relay("Forwarding address in Hub is:");
    let inlet = Running::start(&["04-inlet", "127.0.0.1:0", &relay, &hub]);
    echoes(&inlet.address());
    assert_eq!(
        outlet.printed(),
        format!("\n[✓] RemoteRelay was created on the node at: {hub}\nForwarding address in Hub is:\n{relay}\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_arrive_whole_in_chunks_of_every_size() {
    let (_hub, hub) = hub().await;
    for (size, chunk) in [(0, "8192"), (100, "8192"), (100, "32"), (100 << 10, "8192"), (100 << 10, "51200")] {
        let (from, to) = (temp_dir(), temp_dir());
        let content = postern_testkit::Payload::new(size).bytes();
        let path = from.path().join("sent.bin");
        fs::write(&path, &content).unwrap();
        let receiver = Running(Process::spawn(ported(&["receiver", &hub]).current_dir(to.path())));
        let relay = receiver.relay("Forwarding address for Receiver is:");
        let sender = Running::start(&["sender", path.to_str().unwrap(), &relay, &hub, chunk]);
        assert!(receiver.0.wait(TIMEOUT).success());
        assert!(fs::read(to.path().join("sent.bin")).unwrap() == content, "{size} bytes in chunks of {chunk}");
        assert_eq!(sender.printed(), "\n[✓] End-to-end encrypted secure channel was established.\n\n");
    }
}
