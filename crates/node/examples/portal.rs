//! A portal: a TCP service beside one node appears on the localhost of another, through a secure channel.
//!
//! ```sh
//! cargo run -p postern-node --example portal
//! ```
//!
//! It prints:
//!
//! ```text
//! The service answered through the portal: hello from the service
//! ```

#![allow(clippy::disallowed_methods, reason = "an example is an ordinary program and reaches the system directly")]

use postern_node::identity::TrustPolicy;
use postern_node::portal::OutletOptions;
use postern_node::{Node, SecureChannelOptions, route};
use std::error::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The service: any TCP server that the owner's node can connect to. This one greets once.
    let service = TcpListener::bind("127.0.0.1:0").await?;
    let service_address = service.local_addr()?.to_string();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = service.accept().await?;
        socket.write_all(b"hello from the service").await
    });

    let (owners, friends) = (Node::new(), Node::new());
    let owner = owners.create_identity().await?;
    let friend = friends.create_identity().await?;

    // The owner opens an outlet for the service. Its policy is checked for every stream, besides the channel's.
    let only_friend = SecureChannelOptions::trust_only([friend.identifier()]);
    let channels = owners.create_secure_channel_listener(&owner, "listener", only_friend).await?;
    let allow = Some(TrustPolicy::only([friend.identifier()]));
    owners.create_outlet("outlet", service_address, OutletOptions { allow, ..OutletOptions::default() })?;
    owners.expose("outlet", &channels)?;
    let tcp = owners.tcp_listen("127.0.0.1:0").await?;
    owners.expose("listener", &tcp)?;

    // The friend makes a channel to the owner and opens an inlet on a free port of localhost.
    let connection = friends.tcp_connect(tcp.local_addr().to_string()).await?;
    let only_owner = SecureChannelOptions::trust_only([owner.identifier()]);
    let channel = friends.create_secure_channel(&friend, route![&connection, "listener"], only_owner).await?;
    let inlet = friends.create_inlet("127.0.0.1:0", route![&channel, "outlet"]).await?;

    // A client program needs to know nothing about it.
    let mut client = TcpStream::connect(inlet.local_addr()).await?;
    let mut greeting = String::new();
    client.read_to_string(&mut greeting).await?;
    println!("The service answered through the portal: {greeting}");

    serving.await??;
    friends.shutdown().await;
    owners.shutdown().await;
    Ok(())
}
