//! Alice reaches Bob and nobody else, and gets her echo. `alice_trusted HUB:PORT`.
//!
//! She prints her identifier, and reads Bob's identifier and his relay from the standard input.

use postern_node::{Node, Result, SecureChannelOptions, route};

#[tokio::main]
async fn main() -> Result<()> {
    let hub = std::env::args().nth(1).expect("the hub's address");
    let node = Node::new();
    let alice = node.create_identity().await?;
    println!("{}", alice.identifier());
    let mut lines = std::io::stdin().lines().map_while(std::result::Result::ok);
    let bob = lines.next().expect("Bob's identifier");
    let relay = lines.next().expect("Bob's relay");
    let only_bob = SecureChannelOptions::trust_only([bob.parse().expect("an identifier")]);

    // Whoever answers the handshake must prove to be Bob: the hub cannot.
    let hub = node.tcp_connect(hub).await?;
    let bobs = route![&hub, relay, "listener"];
    let channel = node.create_secure_channel(&alice, bobs, only_bob).await?;

    let echoer = route![&channel, "echoer"];
    let mailbox = node.context()?;
    let echo = mailbox
        .send_and_receive::<String>(echoer, "Hello Bob!")
        .await?;
    println!("{}", echo.body());
    Ok(())
}
