//! A stream: Alice's messages wait on a hub until Bob reads them; it may be a Kafka topic. What was not handled comes again.
//!
//! ```sh
//! cargo run -p postern-node --example stream
//! ```
//!
//! It prints:
//!
//! ```text
//! Alice wrote 3 messages; Bob is offline.
//! Bob reads "one", and is done with it.
//! Bob reads "two", and stops before he is done.
//! After a restart Bob reads "two".
//! After a restart Bob reads "three".
//! ```

use postern_hub::{Hub, HubConfig};
use postern_node::stream::Stream;
use postern_node::{Node, route};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `stream_service("stream_kafka").index_service("stream_kafka_index")` would use Kafka topics of the same names.
    let hub = Hub::start(&HubConfig::parse("listen = '127.0.0.1:0'")?).await?;
    let hub_address = hub.local_addr().to_string();

    let alices = Node::new();
    let session = alices.keep_connected(&hub_address, None);
    let to_bob = Stream::new(&alices).client_id("alice").connect(&session, "alice_to_bob", "bob_to_alice").await?;
    let mut context = alices.context()?;
    for text in ["one", "two", "three"] {
        context.send(route![&to_bob, "inbox"], text).await?;
    }
    to_bob.flushed().await;
    println!("Alice wrote {} messages; Bob is offline.", to_bob.stats().confirmed.get());

    let bobs = Node::new();
    let mut inbox = bobs.context_at("inbox")?;
    let session = bobs.keep_connected(&hub_address, None);
    let streams = Stream::new(&bobs).client_id("bob").expose("inbox");
    let to_alice = streams.connect(&session, "bob_to_alice", "alice_to_bob").await?;
    let message = inbox.receive::<String>().await?;
    println!("Bob reads {:?}, and is done with it.", message.body());
    drop(message);
    let message = inbox.receive::<String>().await?;
    println!("Bob reads {:?}, and stops before he is done.", message.body());
    drop(to_alice);
    bobs.shutdown().await;

    // The place that was saved under Bob's client id is that of the first message which was not handled.
    let bobs = Node::new();
    let mut inbox = bobs.context_at("inbox")?;
    let session = bobs.keep_connected(&hub_address, None);
    let streams = Stream::new(&bobs).client_id("bob").expose("inbox");
    let _to_alice = streams.connect(&session, "bob_to_alice", "alice_to_bob").await?;
    for _ in 0..2 {
        println!("After a restart Bob reads {:?}.", inbox.receive::<String>().await?.body());
    }

    alices.shutdown().await;
    bobs.shutdown().await;
    hub.stop().await;
    Ok(())
}
