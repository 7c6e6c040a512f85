//! A secure channel: mutual authentication and end-to-end encryption between two identities that accept only each other.
//!
//! ```sh
//! cargo run -p postern-node --example secure_channel
//! ```
//!
//! It prints:
//!
//! ```text
//! Alice reached Bob: true
//! Bob's echoer answered: Hello Bob!
//! Mallory was refused: true
//! ```

use postern_node::{Echoer, Node, Result, SecureChannelOptions, route};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<()> {
    let (bobs, alices, mallorys) = (Node::new(), Node::new(), Node::new());
    let bob = bobs.create_identity().await?;
    let alice = alices.create_identity().await?;
    let mallory = mallorys.create_identity().await?;

    // Bob's listener accepts Alice only. His echoer is exposed to its channels, not to plain connections.
    let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
    let channels = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
    bobs.start_worker("echoer", Echoer)?;
    bobs.expose("echoer", &channels)?;
    let tcp = bobs.tcp_listen("127.0.0.1:0").await?;
    bobs.expose("listener", &tcp)?;

    // Alice accepts Bob only. Identifiers are exchanged beforehand, for instance in an invitation.
    let only_bob = || SecureChannelOptions::trust_only([bob.identifier()]);
    let connection = alices.tcp_connect(tcp.local_addr().to_string()).await?;
    let channel = alices.create_secure_channel(&alice, route![&connection, "listener"], only_bob()).await?;
    println!("Alice reached Bob: {}", channel.peer().identifier == bob.identifier());
    let context = alices.context()?;
    let reply = context.send_and_receive::<String>(route![&channel, "echoer"], "Hello Bob!").await?;
    println!("Bob's echoer answered: {}", reply.body());

    // Mallory proves last who she is, so to her the handshake seems to succeed. Bob refuses the proof: nothing that she
    // sends is answered.
    let connection = mallorys.tcp_connect(tcp.local_addr().to_string()).await?;
    let channel = mallorys.create_secure_channel(&mallory, route![&connection, "listener"], only_bob()).await?;
    let context = mallorys.context()?;
    let timeout = Duration::from_millis(500);
    let echo = context.send_and_receive_within::<String>(timeout, route![&channel, "echoer"], "Hello Bob!").await;
    println!("Mallory was refused: {}", echo.is_err());

    for node in [mallorys, alices, bobs] {
        node.shutdown().await;
    }
    Ok(())
}
