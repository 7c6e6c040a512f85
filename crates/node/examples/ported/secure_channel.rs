//! `hello` and `05-secure-channel-over-two-transport-hops-…`: what a channel carries is encrypted by one end and decrypted by the other,
//! however many nodes are between them.

use super::routing::ask;
use super::workers::Echoer;
use super::{Result, run_until_stopped};
use postern_node::{Node, SecureChannelOptions, route};

/// Both ends in one node: the message leaves the channel at the worker that sent it.
pub(crate) async fn hello() -> Result {
    let node = Node::new();
    let bob = node.create_identity().await?;
    let channels = node.create_secure_channel_listener(&bob, "bob", SecureChannelOptions::trust_anyone()).await?;
    let alice = node.create_identity().await?;
    let channel = node.create_secure_channel(&alice, route!["bob"], SecureChannelOptions::trust_anyone()).await?;

    let mut context = node.context_at("app")?;
    node.expose("app", &channels)?;
    context.send(route![&channel, "app"], "Hello Ockam!").await?;
    let message = context.receive::<String>().await?;
    println!("App Received: {}", message.body());
    node.shutdown().await;
    Ok(())
}

/// Bob: the echoer is reached through a channel with him, and only so.
pub(crate) async fn responder(listen: &str) -> Result {
    let node = Node::new();
    node.start_worker("echoer", Echoer)?;
    let bob = node.create_identity().await?;
    let trust = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(&bob, "bob_listener", trust).await?;
    node.expose("echoer", &channels)?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose("bob_listener", &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    run_until_stopped(node).await
}

/// Alice: the node in the middle relays her channel and reads nothing of it.
pub(crate) async fn initiator(middle: &str) -> Result {
    let node = Node::new();
    let alice = node.create_identity().await?;
    let connection = node.tcp_connect(middle).await?;
    let route = route![&connection, "forward_to_bob", "bob_listener"];
    let channel = node.create_secure_channel(&alice, route, SecureChannelOptions::trust_anyone()).await?;
    ask(&node, route![&channel, "echoer"]).await
}
