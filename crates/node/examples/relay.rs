//! A relay: Bob cannot be connected to, so a hub forwards to him. The hub sees ciphertext only.
//!
//! ```sh
//! cargo run -p postern-node --example relay
//! ```
//!
//! It prints:
//!
//! ```text
//! Bob is at the relay `bob` of the hub.
//! Through the hub, from Bob: Hello Bob!
//! ```

use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Echoer, Node, Origin, Result, SecureChannelOptions, route};

#[tokio::main]
async fn main() -> Result<()> {
    // A hub is a node with a relay service. Anybody can run one: `postern hub` is the complete program.
    let hub = Node::new();
    let tcp = hub.tcp_listen("127.0.0.1:0").await?;
    RelayService::start(&hub, RelayServiceOptions::default(), &[tcp.origin()])?;
    let hub_address = tcp.local_addr().to_string();

    let (bobs, alices) = (Node::new(), Node::new());
    let bob = bobs.create_identity().await?;
    let alice = alices.create_identity().await?;

    let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
    let channels = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
    bobs.start_worker("echoer", Echoer)?;
    bobs.expose("echoer", &channels)?;

    // Bob connects out and registers a relay. What it forwards comes over his connection, so that is what his listener
    // is exposed to.
    let connection = bobs.tcp_connect(&hub_address).await?;
    let relay = bobs.create_relay(&connection, Some("bob")).await?;
    bobs.expose("listener", &connection)?;
    println!("Bob is at the relay `{}` of the hub.", relay.address());

    // Alice's secure channel goes through the hub and ends at Bob. The hub could deliver to somebody else, who could not
    // prove to be Bob.
    let connection = alices.tcp_connect(&hub_address).await?;
    let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
    let through_the_hub = route![&connection, "bob", "listener"];
    let channel = alices.create_secure_channel(&alice, through_the_hub, only_bob).await?;
    let context = alices.context()?;
    let reply = context.send_and_receive::<String>(route![&channel, "echoer"], "Hello Bob!").await?;
    println!("Through the hub, from Bob: {}", reply.body());

    for node in [alices, bobs, hub] {
        node.shutdown().await;
    }
    Ok(())
}
