//! `bob` and `alice`: two people behind a hub. Bob has a relay there; Alice types its name, and then messages.

use super::{Result, run_until_stopped};
use postern_node::{Context, Node, Routed, SecureChannelOptions, Worker, WorkerError, route};
use std::io;

/// Prints each text and answers with the same.
struct Echoer;

impl Worker for Echoer {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        println!("\n[✓] Address: 0#{}, Received: {}", context.address(), message.body());
        Ok(context.send(message.return_route().clone(), message.into_body()).await?)
    }
}

pub(crate) async fn bob(hub: &str) -> Result {
    let node = Node::new();
    node.start_worker("echoer", Echoer)?;
    let bob = node.create_identity().await?;
    let channels = node.create_secure_channel_listener(&bob, "listener", SecureChannelOptions::trust_anyone()).await?;
    node.expose("echoer", &channels)?;
    let connection = node.tcp_connect(hub).await?;
    node.expose("listener", &connection)?;
    let relay = node.create_relay(&connection, None).await?;
    println!("\n[✓] RemoteRelay was created on the node at: {hub}");
    println!("Forwarding address for Bob is:\n{}", relay.address());
    run_until_stopped(node).await
}

pub(crate) async fn alice(hub: &str) -> Result {
    let node = Node::new();
    let alice = node.create_identity().await?;
    let Some(relay) = typed("\nEnter the forwarding address for Bob: ")? else { return Ok(()) };
    let connection = node.tcp_connect(hub).await?;
    let route = route![&connection, relay.trim(), "listener"];
    let channel = node.create_secure_channel(&alice, route, SecureChannelOptions::trust_anyone()).await?;
    println!("\n[✓] End-to-end encrypted secure channel was established.\n");

    let context = node.context()?;
    while let Some(message) = typed("Type a message for Bob's echoer:")? {
        let reply = context.send_and_receive::<String>(route![&channel, "echoer"], message.trim().to_owned()).await?;
        println!("Alice received an echo: {}\n", reply.body());
    }
    node.shutdown().await;
    Ok(())
}

/// The next line that is typed after a prompt; nothing at the end of the input.
fn typed(prompt: &str) -> io::Result<Option<String>> {
    println!("{prompt}");
    io::stdin().lines().next().transpose()
}
