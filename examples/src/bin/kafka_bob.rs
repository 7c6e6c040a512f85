//! Bob waits behind two Kafka topics for whoever wants an echo. Run a hub with Kafka (`docs/kafka.md`), then `kafka_bob HUB:PORT`.
//!
//! He prints the names of the two streams. What this leaves out is trust, as in `bob`: he accepts everybody.

use postern_node::stream::Stream;
use postern_node::{Address, Echoer, Node, Result, SecureChannelOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let hub = std::env::args().nth(1).unwrap_or("127.0.0.1:4000".into());
    let node = Node::new();
    let bob = node.create_identity().await?;
    let anyone = SecureChannelOptions::trust_anyone();
    let listener = node
        .create_secure_channel_listener(&bob, "listener", anyone)
        .await?;
    node.start_worker("echoer", Echoer)?;
    node.expose("echoer", &listener)?;

    // The hub creates a Kafka topic for each direction. Both carry only what Bob and Alice encrypt.
    let id = Address::random();
    let (to_bob, to_alice) = (format!("alice_to_bob_{id}"), format!("bob_to_alice_{id}"));
    let hub = node.tcp_connect(hub).await?;
    let _stream = Stream::new(&node)
        .stream_service("stream_kafka")
        .index_service("stream_kafka_index")
        .client_id("bob")
        .expose("listener")
        .connect(&hub, &to_alice, &to_bob)
        .await?;
    println!("{to_bob}\n{to_alice}");
    hub.closed().await;
    Ok(())
}
