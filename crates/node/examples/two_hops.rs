//! A message over two connections: a worker on the node in the middle forwards it, and forwards the reply back.
//!
//! ```sh
//! cargo run -p postern-node --example two_hops
//! ```
//!
//! It prints:
//!
//! ```text
//! client => middle => server: HELLO
//! ```

use postern_node::{Context, Node, Result, Route, Routed, Uppercase, Worker, WorkerError, route};

/// Forwards every request along a route, and its reply to the sender.
///
/// A node never forwards between its connections by itself (access control): a worker like this one decides what may
/// pass. For anything that a secure channel protects, a relay does it, see the example `relay`.
struct Forwarder {
    next: Route,
}

impl Worker for Forwarder {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let sender = message.return_route().clone();
        let reply = context.send_and_receive::<Vec<u8>>(self.next.clone(), message.into_body()).await?;
        context.send(sender, reply.into_body()).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Node::new();
    server.start_worker("uppercase", Uppercase)?;
    let server_listener = server.tcp_listen("127.0.0.1:0").await?;
    server.expose("uppercase", &server_listener)?;

    // The middle connects to the server and listens for clients, which reach its forwarder and nothing else.
    let middle = Node::new();
    let to_server = middle.tcp_connect(server_listener.local_addr().to_string()).await?;
    middle.start_worker("forwarder", Forwarder { next: route![&to_server, "uppercase"] })?;
    let middle_listener = middle.tcp_listen("127.0.0.1:0").await?;
    middle.expose("forwarder", &middle_listener)?;

    let client = Node::new();
    let to_middle = client.tcp_connect(middle_listener.local_addr().to_string()).await?;
    let context = client.context()?;
    let reply = context.send_and_receive::<String>(route![&to_middle, "forwarder"], "hello").await?;
    println!("client => middle => server: {}", reply.body());

    for node in [client, middle, server] {
        node.shutdown().await;
    }
    Ok(())
}
