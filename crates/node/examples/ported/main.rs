//! The examples of `ockam` (`get_started`, `tcp_inlet_and_outlet`, `file_transfer`, as of 0.150), written anew on `postern-node`.
//!
//! ```sh
//! cargo run -p postern-node --example ported                    # lists them
//! cargo run -p postern-node --example ported 03-routing
//! ```
//!
//! Each keeps the name and the workers of the original, and prints the same; `tests/ported.rs` runs them all and compares. What the
//! original has in the source (ports, the hub of the former cloud service) is an argument here, with the same default where it was on
//! this machine. An example that waits for others says on the standard error where it listens; Ctrl-C ends it.
//!
//! Two differences are on purpose. A node here lets through only what is [exposed](postern_node::Node::expose), which takes the place
//! of flow controls. And as the originals do, these examples trust whoever answers (`trust_anyone`), because nobody has told them an
//! identifier: a program that is used should know whom it talks to, as the example `secure_channel` shows.
//!
//! Not here: what needs the former cloud service (`11-attribute-based-authentication-…`), or the transports UDP and Unix-domain
//! sockets (`04-udp-…`, `04-unix-domain-socket-…`, `05-secure-channel-over-two-udp-hops-…`).

#![allow(clippy::disallowed_methods, reason = "an example is an ordinary program and reaches the system directly")]

mod credentials;
mod file_transfer;
mod node;
mod people;
mod portals;
mod routing;
mod secure_channel;
mod workers;

use postern_node::{Node, WorkerError};
use std::env;
use std::process::ExitCode;

type Result<T = (), E = WorkerError> = std::result::Result<T, E>;

const USAGE: &str = "\
ported EXAMPLE [ARGUMENT…]

01-node
02-worker
03-routing
03-routing-many-hops
04-routing-over-transport-responder            [LISTEN, 127.0.0.1:4000]
04-routing-over-transport-initiator            [RESPONDER, localhost:4000]
04-routing-over-transport-two-hops-responder   [LISTEN, 127.0.0.1:4000]
04-routing-over-transport-two-hops-middle      [RESPONDER, 127.0.0.1:4000] [LISTEN, 127.0.0.1:3000]
04-routing-over-transport-two-hops-initiator   [MIDDLE, localhost:3000]
05-secure-channel-over-two-transport-hops-responder  [LISTEN, 127.0.0.1:4000]
05-secure-channel-over-two-transport-hops-middle     [RESPONDER, 127.0.0.1:4000] [LISTEN, 127.0.0.1:3000]
05-secure-channel-over-two-transport-hops-initiator  [MIDDLE, localhost:3000]
06-credentials-exchange-issuer                 [LISTEN, 127.0.0.1:5000]
06-credentials-exchange-server                 [ISSUER, 127.0.0.1:5000] [LISTEN, 127.0.0.1:4000]
06-credentials-exchange-client                 [ISSUER, 127.0.0.1:5000] [SERVER, 127.0.0.1:4000]
hello
vault-and-identities
bob                                            HUB
alice                                          HUB
01-inlet-outlet                                INLET TARGET
02-outlet, 03-outlet                           TARGET [LISTEN, 127.0.0.1:4000]
02-inlet, 03-inlet                             INLET [OUTLET, 127.0.0.1:4000]
04-outlet                                      TARGET HUB
04-inlet                                       INLET RELAY HUB
receiver                                       HUB
sender                                         FILE RELAY HUB [CHUNK, 8192]";

/// The arguments of an example.
struct Arguments(env::Args);

impl Arguments {
    fn required(&mut self, name: &str) -> Result<String> {
        self.0.next().ok_or_else(|| format!("{name} is missing\n\n{USAGE}").into())
    }

    fn or(&mut self, default: &str) -> String {
        self.0.next().unwrap_or_else(|| default.to_owned())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = env::args();
    let Some(name) = arguments.nth(1) else {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    };
    match run(&name, Arguments(arguments)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(name: &str, mut arguments: Arguments) -> Result {
    let (bob, middle) = ("127.0.0.1:4000", "127.0.0.1:3000");
    let issuer = "127.0.0.1:5000";
    let arguments = &mut arguments;
    match name {
        "01-node" => node::create_and_stop().await,
        "02-worker" => routing::worker().await,
        "03-routing" => routing::hops(&["h1"]).await,
        "03-routing-many-hops" => routing::hops(&["h1", "h2", "h3"]).await,
        "04-routing-over-transport-responder" | "04-routing-over-transport-two-hops-responder" => {
            routing::responder(&arguments.or(bob)).await
        }
        "04-routing-over-transport-initiator" => routing::initiator(&arguments.or("localhost:4000")).await,
        "04-routing-over-transport-two-hops-middle" => {
            routing::middle("forward_to_responder", &arguments.or(bob), &arguments.or(middle)).await
        }
        "04-routing-over-transport-two-hops-initiator" => {
            routing::initiator_of_two_hops(&arguments.or("localhost:3000")).await
        }
        "05-secure-channel-over-two-transport-hops-responder" => secure_channel::responder(&arguments.or(bob)).await,
        "05-secure-channel-over-two-transport-hops-middle" => {
            routing::middle("forward_to_bob", &arguments.or(bob), &arguments.or(middle)).await
        }
        "05-secure-channel-over-two-transport-hops-initiator" => {
            secure_channel::initiator(&arguments.or("localhost:3000")).await
        }
        "06-credentials-exchange-issuer" => credentials::issuer(&arguments.or(issuer)).await,
        "06-credentials-exchange-server" => credentials::server(&arguments.or(issuer), &arguments.or(bob)).await,
        "06-credentials-exchange-client" => credentials::client(&arguments.or(issuer), &arguments.or(bob)).await,
        "hello" => secure_channel::hello().await,
        "vault-and-identities" => node::vault_and_identity().await,
        "bob" => people::bob(&arguments.required("HUB")?).await,
        "alice" => people::alice(&arguments.required("HUB")?).await,
        _ => run_transfers(name, arguments).await,
    }
}

/// The examples that carry other programs' data.
async fn run_transfers(name: &str, arguments: &mut Arguments) -> Result {
    let outlet = "127.0.0.1:4000";
    match name {
        "01-inlet-outlet" => portals::both(&arguments.required("INLET")?, &arguments.required("TARGET")?).await,
        "02-outlet" => portals::plain_outlet(&arguments.required("TARGET")?, &arguments.or(outlet)).await,
        "02-inlet" => portals::plain_inlet(&arguments.required("INLET")?, &arguments.or(outlet)).await,
        "03-outlet" => portals::outlet(&arguments.required("TARGET")?, &arguments.or(outlet)).await,
        "03-inlet" => portals::inlet(&arguments.required("INLET")?, &arguments.or(outlet)).await,
        "04-outlet" => portals::relayed_outlet(&arguments.required("TARGET")?, &arguments.required("HUB")?).await,
        "04-inlet" => {
            let (inlet, relay) = (arguments.required("INLET")?, arguments.required("RELAY")?);
            portals::relayed_inlet(&inlet, &relay, &arguments.required("HUB")?).await
        }
        "receiver" => file_transfer::receiver(&arguments.required("HUB")?).await,
        "sender" => {
            let (file, relay) = (arguments.required("FILE")?, arguments.required("RELAY")?);
            let hub = arguments.required("HUB")?;
            file_transfer::sender(&file, &relay, &hub, arguments.or("8192").parse()?).await
        }
        _ => Err(format!("there is no example {name}\n\n{USAGE}").into()),
    }
}

/// Runs a node until Ctrl-C.
async fn run_until_stopped(node: Node) -> Result {
    tokio::signal::ctrl_c().await?;
    node.shutdown().await;
    Ok(())
}
