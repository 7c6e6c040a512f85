//! Alice makes a secure channel with Bob through the hub, and gets her echo. `alice HUB:PORT RELAY`.
//!
//! The shortest version. What it leaves out is trust: Alice accepts whoever answers, so the hub could be in the middle.
//! `alice_trusted` accepts Bob only.

use postern_node::{Node, Result, SecureChannelOptions, route};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let hub = arguments.next().expect("the hub's address");
    let relay = arguments.next().expect("Bob's relay");
    let node = Node::new();
    let alice = node.create_identity().await?;

    // The hub forwards ciphertext. The handshake proves an identity, but Alice expects none in particular: she prints it.
    let hub = node.tcp_connect(hub).await?;
    let bobs = route![&hub, relay, "listener"];
    let anyone = SecureChannelOptions::trust_anyone();
    let channel = node.create_secure_channel(&alice, bobs, anyone).await?;
    println!("This is {}.", channel.peer().identifier);

    let echoer = route![&channel, "echoer"];
    let mailbox = node.context()?;
    let echo = mailbox
        .send_and_receive::<String>(echoer, "Hello Bob!")
        .await?;
    println!("{}", echo.body());
    Ok(())
}
