//! `trust_anyone`: the handshake proves *an* identity, but not one that was expected. Why it is the wrong choice for a
//! private service, and what must decide instead.
//!
//! - For the initiator it means a man in the middle: whoever delivers the handshake, a hub for instance, can answer it
//!   with an identity of its own and then reads everything.
//! - For the responder it means that everybody gets in: authentication without authorization.
//!
//! It is right only where something behind the channel decides for every message, from the identity that the channel
//! proved. All other examples use `trust_only`.
//!
//! ```sh
//! cargo run -p postern-node --example secure_channel_trust_anyone
//! ```
//!
//! It prints:
//!
//! ```text
//! Alice trusts anyone and reached Bob: false
//! Alice trusts only Bob; the impostor was refused: true
//! The guarded worker answered Alice: Welcome, guest.
//! The guarded worker answered Mallory: Please leave.
//! ```

use postern_node::identity::{Identifier, Identity};
use postern_node::{Context, Node, Result, Routed, SecureChannel, SecureChannelOptions, Worker, WorkerError, route};

/// A worker behind a listener that trusts anyone: it asks who the channel proved that the sender is.
struct Guarded {
    guest: Identifier,
}

impl Worker for Guarded {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let answer = match message.peer() {
            Some(peer) if *peer == self.guest => "Welcome, guest.",
            _ => "Please leave.",
        };
        context.send(message.return_route().clone(), answer).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (alices, bobs, mallorys) = (Node::new(), Node::new(), Node::new());
    let alice = alices.create_identity().await?;
    let bob = bobs.create_identity().await?;
    let mallory = mallorys.create_identity().await?;

    // Alice wants Bob, but the connection leads to Mallory.
    let impostor = serve(&mallorys, &mallory, alice.identifier()).await?;
    let anyone = connect(&alices, &alice, &impostor, SecureChannelOptions::trust_anyone()).await?;
    println!("Alice trusts anyone and reached Bob: {}", anyone.peer().identifier == bob.identifier());
    let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
    let refused = connect(&alices, &alice, &impostor, only_bob).await.is_err();
    println!("Alice trusts only Bob; the impostor was refused: {refused}");

    // Bob accepts channels from anyone, and lets his worker decide.
    let address = serve(&bobs, &bob, alice.identifier()).await?;
    for (name, node, identity) in [("Alice", &alices, &alice), ("Mallory", &mallorys, &mallory)] {
        let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
        let channel = connect(node, identity, &address, only_bob).await?;
        let reply = node.context()?.send_and_receive::<String>(route![&channel, "guarded"], "May I?").await?;
        println!("The guarded worker answered {name}: {}", reply.body());
    }

    for node in [alices, mallorys, bobs] {
        node.shutdown().await;
    }
    Ok(())
}

async fn serve(node: &Node, identity: &Identity, guest: Identifier) -> Result<String> {
    let options = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(identity, "listener", options).await?;
    node.start_worker("guarded", Guarded { guest })?;
    node.expose("guarded", &channels)?;
    let tcp = node.tcp_listen("127.0.0.1:0").await?;
    node.expose("listener", &tcp)?;
    Ok(tcp.local_addr().to_string())
}

async fn connect(
    node: &Node,
    identity: &Identity,
    address: &str,
    options: SecureChannelOptions,
) -> Result<SecureChannel> {
    let connection = node.tcp_connect(address).await?;
    node.create_secure_channel(identity, route![&connection, "listener"], options).await
}
