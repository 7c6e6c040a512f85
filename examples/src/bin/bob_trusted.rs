//! Bob accepts nobody but Alice, and echoes what she sends. Run a hub (`postern hub`), then `bob_trusted HUB:PORT`.
//!
//! He prints his identifier, reads Alice's from the standard input, and prints his relay when he is ready for her.

use postern_node::{Context, Node, Result, Routed, SecureChannelOptions, Worker, WorkerError};

struct Echoer;

impl Worker for Echoer {
    type Message = String;

    // Every message carries the route back to its sender.
    async fn handle_message(
        &mut self,
        context: &mut Context,
        msg: Routed<String>,
    ) -> Result<(), WorkerError> {
        let sender = msg.return_route().clone();
        context.send(sender, msg.into_body()).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let hub = std::env::args().nth(1).expect("the hub's address");
    let node = Node::new();
    let bob = node.create_identity().await?;
    println!("{}", bob.identifier());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a line");
    let alice = line.trim().parse().expect("Alice's identifier");

    // Only Alice gets a secure channel, and only through it is the echoer reached.
    let only_alice = SecureChannelOptions::trust_only([alice]);
    let listener = node
        .create_secure_channel_listener(&bob, "listener", only_alice)
        .await?;
    node.start_worker("echoer", Echoer)?;
    node.expose("echoer", &listener)?;

    // Nobody can connect to Bob's machine: a relay on the hub forwards to it.
    let connection = node.tcp_connect(hub).await?;
    node.expose("listener", &connection)?;
    let relay = node.create_relay(&connection, None).await?;
    println!("{}", relay.address());
    connection.closed().await;
    Ok(())
}
