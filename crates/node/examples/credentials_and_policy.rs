//! Credentials and a policy: an authority says who is an editor, and a policy lets editors in whom nobody listed.
//!
//! ```sh
//! cargo run -p postern-node --example credentials_and_policy
//! ```
//!
//! It prints:
//!
//! ```text
//! The policy: role=editor
//! Alice, an editor: Hello!
//! Carol, a reader, was refused: true
//! ```

use postern_node::identity::{Attributes, CredentialAndPurposeKey, Identifier, Identity, Timestamp};
use postern_node::policy::Policy;
use postern_node::{Echoer, Node, SecureChannelOptions, route};
use std::error::Error;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The authority signs what somebody's attributes are. It need not be online when they are presented.
    let authority = Node::new().create_identity().await?;
    let (alices, carols) = (Node::new(), Node::new());
    let (alice, carol) = (alices.create_identity().await?, carols.create_identity().await?);
    let editor = credential(&authority, &alice, "editor").await?;
    let reader = credential(&authority, &carol, "reader").await?;

    // The server knows the authority's keys, and no editor. Its policy decides from attributes (attribute-based access
    // control) instead of a list of identifiers.
    let servers = Node::new();
    let server = servers.create_identity().await?;
    servers.known_identities().pin(authority.history().clone())?;
    let policy: Policy = "role=editor".parse()?;
    println!("The policy: {policy}");
    let mut options = SecureChannelOptions::trust(policy.into());
    options.authorities.insert(authority.identifier());
    let channels = servers.create_secure_channel_listener(&server, "listener", options).await?;
    servers.start_worker("echoer", Echoer)?;
    servers.expose("echoer", &channels)?;
    let tcp = servers.tcp_listen("127.0.0.1:0").await?;
    servers.expose("listener", &tcp)?;
    let address = tcp.local_addr().to_string();

    let echoed = visit(&alices, &alice, editor, &address, server.identifier()).await?;
    println!("Alice, an editor: {echoed}");
    let refused = visit(&carols, &carol, reader, &address, server.identifier()).await;
    println!("Carol, a reader, was refused: {}", refused.is_err());

    for node in [alices, carols, servers] {
        node.shutdown().await;
    }
    Ok(())
}

async fn credential(
    authority: &Identity,
    subject: &Identity,
    role: &str,
) -> Result<CredentialAndPurposeKey, Box<dyn Error>> {
    // The schema number says what the attributes mean; programs choose it.
    let attributes = Attributes::new(1).with("role", role);
    Ok(authority.issue_credential(subject.identifier(), attributes, DAY, Timestamp::now()).await?)
}

/// Presents a credential to the server and asks its echoer.
async fn visit(
    node: &Node,
    identity: &Identity,
    credential: CredentialAndPurposeKey,
    address: &str,
    server: Identifier,
) -> Result<String, Box<dyn Error>> {
    let mut options = SecureChannelOptions::trust_only([server]);
    options.credentials.push(credential);
    let connection = node.tcp_connect(address).await?;
    let channel = node.create_secure_channel(identity, route![&connection, "listener"], options).await?;
    let timeout = Duration::from_secs(1);
    let context = node.context()?;
    let reply = context.send_and_receive_within::<String>(timeout, route![&channel, "echoer"], "Hello!").await?;
    Ok(reply.into_body())
}
