//! Bob waits behind a hub for whoever wants an echo. Run a hub (`postern hub`), then `bob HUB:PORT`.
//!
//! The shortest version. What it leaves out is trust: Bob accepts everybody. `bob_trusted` accepts Alice only.

use postern_node::{Echoer, Node, Result, SecureChannelOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let hub = std::env::args().nth(1).unwrap_or("127.0.0.1:4000".into());
    let node = Node::new();
    let bob = node.create_identity().await?;

    // Whoever opens a secure channel to "listener" reaches the echoer through it, and nothing else.
    let anyone = SecureChannelOptions::trust_anyone();
    let listener = node
        .create_secure_channel_listener(&bob, "listener", anyone)
        .await?;
    node.start_worker("echoer", Echoer)?;
    node.expose("echoer", &listener)?;

    // Nobody can connect to Bob's machine: a relay on the hub forwards to it, and reaches the listener only.
    let connection = node.tcp_connect(hub).await?;
    let relay = node.create_relay(&connection, None).await?;
    node.expose("listener", &connection)?;
    println!("{}", relay.address());
    connection.closed().await;
    Ok(())
}
