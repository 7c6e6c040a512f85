//! A message over two connections: the node in the middle forwards it along the route, and the reply comes back.
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

use postern_node::{Node, Result, Uppercase, route};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Node::new();
    server.start_worker("uppercase", Uppercase)?;
    let server_listener = server.tcp_listen("127.0.0.1:0").await?;
    server.expose("uppercase", &server_listener)?;

    // The middle connects to the server and listens for clients. Its connection is an address like any other: clients
    // can send through it once it is exposed to them.
    let middle = Node::new();
    let to_server = middle.tcp_connect(server_listener.local_addr().to_string()).await?;
    let middle_listener = middle.tcp_listen("127.0.0.1:0").await?;
    middle.expose(&to_server, &middle_listener)?;

    // Each node removes the front of the route and forwards the rest. It also puts its own hop in front of the return
    // route, so the server can reply without knowing the client.
    let client = Node::new();
    let to_middle = client.tcp_connect(middle_listener.local_addr().to_string()).await?;
    let both_hops = route![&to_middle, to_server.address(), "uppercase"];
    let reply = client.context()?.send_and_receive::<String>(both_hops, "hello").await?;
    println!("client => middle => server: {}", reply.body());

    for node in [client, middle, server] {
        node.shutdown().await;
    }
    Ok(())
}
