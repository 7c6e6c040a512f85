//! Two nodes and a message: what a worker, a route and an exposed address are.
//!
//! ```sh
//! cargo run -p postern-node --example echo
//! ```
//!
//! It prints:
//!
//! ```text
//! The echoer answered: Hello!
//! An address that is not exposed: no answer within 0.2 seconds
//! ```

use postern_node::{Echoer, Node, Result, route};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<()> {
    // The server starts a worker at an address of its node and listens on a free port.
    let server = Node::new();
    server.start_worker("echoer", Echoer)?;
    server.start_worker("private", Echoer)?;
    let listener = server.tcp_listen("127.0.0.1:0").await?;
    // Access control: messages from outside reach an address only after it was exposed to where they come from.
    server.expose("echoer", &listener)?;

    // The client connects. A route lists addresses: first the connection, then the worker at its other end.
    let client = Node::new();
    let connection = client.tcp_connect(listener.local_addr().to_string()).await?;
    let context = client.context()?;
    let reply = context.send_and_receive::<String>(route![&connection, "echoer"], "Hello!").await?;
    println!("The echoer answered: {}", reply.body());

    let timeout = Duration::from_millis(200);
    let refused = context.send_and_receive_within::<String>(timeout, route![&connection, "private"], "Hello!").await;
    if let Err(error) = refused {
        println!("An address that is not exposed: {error}");
    }

    client.shutdown().await;
    server.shutdown().await;
    Ok(())
}
