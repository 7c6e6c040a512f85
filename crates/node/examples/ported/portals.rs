//! The examples of `tcp_inlet_and_outlet`: a TCP service beside one node appears on the localhost of another.

use super::{Result, run_until_stopped};
use postern_node::portal::OutletOptions;
use postern_node::{Node, Route, SecureChannelOptions, route};

/// The name that these examples give the listener of an outlet's node.
const LISTENER: &str = "secure_channel_listener";

/// Both ends in one node.
pub(crate) async fn both(inlet: &str, target: &str) -> Result {
    let node = Node::new();
    node.create_outlet("outlet", target, OutletOptions::default())?;
    open_inlet(node, inlet, route!["outlet"]).await
}

/// An outlet without encryption.
pub(crate) async fn plain_outlet(target: &str, listen: &str) -> Result {
    let node = Node::new();
    node.create_outlet("outlet", target, OutletOptions::default())?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose("outlet", &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    run_until_stopped(node).await
}

pub(crate) async fn plain_inlet(inlet: &str, outlet: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(outlet).await?;
    open_inlet(node, inlet, route![&connection, "outlet"]).await
}

/// An outlet that is reached through secure channels only.
pub(crate) async fn outlet(target: &str, listen: &str) -> Result {
    let node = secure_outlet(target).await?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose(LISTENER, &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    run_until_stopped(node).await
}

pub(crate) async fn inlet(inlet: &str, outlet: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(outlet).await?;
    secure_inlet(node, inlet, route![&connection, LISTENER]).await
}

/// An outlet behind a hub: neither end needs a port that the other can reach.
pub(crate) async fn relayed_outlet(target: &str, hub: &str) -> Result {
    let node = secure_outlet(target).await?;
    let connection = node.tcp_connect(hub).await?;
    node.expose(LISTENER, &connection)?;
    let relay = node.create_relay(&connection, None).await?;
    println!("\n[✓] RemoteRelay was created on the node at: {hub}");
    println!("Forwarding address in Hub is:\n{}", relay.address());
    run_until_stopped(node).await
}

pub(crate) async fn relayed_inlet(inlet: &str, relay: &str, hub: &str) -> Result {
    let node = Node::new();
    let connection = node.tcp_connect(hub).await?;
    secure_inlet(node, inlet, route![&connection, relay, LISTENER]).await
}

/// A node with an outlet behind a listener for secure channels.
async fn secure_outlet(target: &str) -> Result<Node> {
    let node = Node::new();
    let identity = node.create_identity().await?;
    let trust = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(&identity, LISTENER, trust).await?;
    node.create_outlet("outlet", target, OutletOptions::default())?;
    node.expose("outlet", &channels)?;
    Ok(node)
}

/// Opens an inlet through a secure channel with the listener that a route leads to.
async fn secure_inlet(node: Node, inlet: &str, listener: Route) -> Result {
    let identity = node.create_identity().await?;
    let channel = node.create_secure_channel(&identity, listener, SecureChannelOptions::trust_anyone()).await?;
    open_inlet(node, inlet, route![&channel, "outlet"]).await
}

async fn open_inlet(node: Node, address: &str, outlet: Route) -> Result {
    let inlet = node.create_inlet(address, outlet).await?;
    eprintln!("listening on {}", inlet.local_addr());
    run_until_stopped(node).await
}
