//! Alice sends what she reads to Bob, through two Kafka topics, and prints his echoes. `kafka_alice HUB:PORT ALICE_TO_BOB BOB_TO_ALICE`
//! with the two names that `kafka_bob` has printed.

use postern_node::stream::Stream;
use postern_node::{Node, Result, SecureChannelOptions, route};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, hub, to_bob, to_alice] = arguments.try_into().expect("HUB:PORT, two streams");
    let node = Node::new();
    let alice = node.create_identity().await?;
    let hub = node.tcp_connect(hub).await?;
    let stream = Stream::new(&node)
        .stream_service("stream_kafka")
        .index_service("stream_kafka_index")
        .client_id("alice")
        .connect(&hub, to_bob, to_alice)
        .await?;

    // The handshake runs through the topics, too: keys never leave the two programs.
    let anyone = SecureChannelOptions::trust_anyone();
    let channel = node
        .create_secure_channel(&alice, route![&stream, "listener"], anyone)
        .await?;
    let mailbox = node.context()?;
    for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
        let echoer = route![&channel, "echoer"];
        let echo = mailbox.send_and_receive::<String>(echoer, line).await?;
        println!("{}", echo.body());
    }
    Ok(())
}
