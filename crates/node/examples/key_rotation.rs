//! Key rotation: an identity gets a new key and keeps its identifier. Whoever has seen the new key refuses the old one.
//!
//! ```sh
//! cargo run -p postern-node --example key_rotation
//! ```
//!
//! It prints:
//!
//! ```text
//! Alice reached Bob with his first key.
//! Bob rotated his key. Same identifier: true, same key: false
//! Alice reached Bob with his new key.
//! A thief with the old key was refused: true
//! ```

use postern_node::identity::{Identifier, Identity, Timestamp};
use postern_node::{Node, Result, SecureChannelOptions, route};

#[tokio::main]
async fn main() -> Result<()> {
    let (alices, bobs) = (Node::new(), Node::new());
    let alice = alices.create_identity().await?;
    let mut bob = bobs.create_identity().await?;
    let identifier = bob.identifier();

    let first = serve(&bobs, &bob, alice.identifier()).await?;
    connect(&alices, &alice, &first, identifier).await?;
    println!("Alice reached Bob with his first key.");

    // The old key signs the change to the new one. The identifier is the hash of the first change, so it stays. A program
    // stores `bob.export()` and `bob.key_id()` now, and deletes the old key from its vault; here a thief has it.
    let thief = bob.clone();
    let old_key = bob.rotate(Timestamp::now()).await?;
    println!(
        "Bob rotated his key. Same identifier: {}, same key: {}",
        bob.identifier() == identifier,
        *bob.key_id() == old_key
    );

    // Alice verifies the longer history and remembers it.
    let second = serve(&bobs, &bob, alice.identifier()).await?;
    connect(&alices, &alice, &second, identifier).await?;
    println!("Alice reached Bob with his new key.");

    // The thief can still prove the identifier with the old key, but only with the shorter history.
    let stolen = serve(&bobs, &thief, alice.identifier()).await?;
    let refused = connect(&alices, &alice, &stolen, identifier).await.is_err();
    println!("A thief with the old key was refused: {refused}");

    alices.shutdown().await;
    bobs.shutdown().await;
    Ok(())
}

/// Accepts secure channels as an identity; the address to connect to.
async fn serve(node: &Node, identity: &Identity, only: Identifier) -> Result<String> {
    let tcp = node.tcp_listen("127.0.0.1:0").await?;
    let address = tcp.local_addr().to_string();
    // Each listener has an address of its own in the node: the port makes it unique.
    let listener = format!("listener-{}", tcp.local_addr().port());
    let options = SecureChannelOptions::trust_only([only]);
    node.create_secure_channel_listener(identity, listener.as_str(), options).await?;
    node.expose(listener.as_str(), &tcp)?;
    Ok(address)
}

async fn connect(node: &Node, identity: &Identity, address: &str, only: Identifier) -> Result<()> {
    let port = address.rsplit(':').next().unwrap_or_default();
    let connection = node.tcp_connect(address).await?;
    let route = route![&connection, format!("listener-{port}")];
    node.create_secure_channel(identity, route, SecureChannelOptions::trust_only([only])).await?;
    Ok(())
}
