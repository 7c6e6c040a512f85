//! `02-worker`, `03-routing…` and `04-routing-over-transport…`: workers of one node, of two and of three.

use super::workers::{Echoer, Hop, Relay};
use super::{Result, run_until_stopped};
use postern_node::{Node, Route, route};

pub(crate) async fn worker() -> Result {
    hops(&[]).await
}

/// A message to the echoer, over hops of the same node, and its answer over the same.
pub(crate) async fn hops(names: &[&str]) -> Result {
    let node = Node::new();
    node.start_worker("echoer", Echoer)?;
    for name in names {
        node.start_worker(*name, Hop)?;
    }
    let mut context = node.context_at("app")?;
    let route: Route = names.iter().copied().chain(["echoer"]).collect();
    context.send(route, "Hello Ockam!").await?;
    let reply = context.receive::<String>().await?;
    println!("App Received: {}", reply.body());
    node.shutdown().await;
    Ok(())
}

/// A node whose echoer others reach over TCP.
pub(crate) async fn responder(listen: &str) -> Result {
    let node = Node::new();
    node.start_worker("echoer", Echoer)?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose("echoer", &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    run_until_stopped(node).await
}

pub(crate) async fn initiator(responder: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(responder).await?;
    ask(&node, route![&connection, "echoer"]).await
}

/// A node that passes messages on to another one, through a worker of that name: by itself a node forwards nothing.
pub(crate) async fn middle(relay: &str, responder: &str, listen: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(responder).await?;
    let tcp = node.tcp_listen(listen).await?;
    // Who has got a message from the responder answers to where that came from, which is the connection and not the relay.
    node.expose(&connection, &tcp)?;
    node.start_worker(relay, Relay(connection))?;
    node.expose(relay, &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    run_until_stopped(node).await
}

pub(crate) async fn initiator_of_two_hops(middle: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(middle).await?;
    ask(&node, route![&connection, "forward_to_responder", "echoer"]).await
}

/// Sends a greeting along a route, prints the answer, and stops the node.
pub(crate) async fn ask(node: &Node, route: Route) -> Result {
    let reply = node.context()?.send_and_receive::<String>(route, "Hello Ockam!").await?;
    println!("App Received: {}", reply.body());
    node.shutdown().await;
    Ok(())
}
