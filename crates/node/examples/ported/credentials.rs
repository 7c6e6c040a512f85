//! `06-credentials-exchange-…`: an issuer attests that a client is a member of the production cluster, and a server lets such in.

use super::workers::Echoer;
use super::{Result, run_until_stopped};
use postern_node::identity::{Attributes, CredentialAndPurposeKey, Identifier, Identity, Timestamp};
use postern_node::policy::Policy;
use postern_node::request::{CredentialClient, CredentialIssuer, RequestWorker};
use postern_node::vault::{MemoryStore, MemoryVault};
use postern_node::{Limits, Node, SecureChannelOptions, WorkerOptions, route};
use std::sync::Arc;
use std::time::Duration;

/// Everybody's key is in this file, so that the three programs know each other before they run. Keys of real programs are secret.
const ISSUER: [u8; 32] = [1; 32];
const SERVER: [u8; 32] = [2; 32];
const CLIENT: [u8; 32] = [3; 32];
/// An identifier depends on the time its key is from: the beginning of 2026.
const CREATED: Timestamp = Timestamp(1_767_225_600);
/// How long a credential lasts.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A node with the identity of a key.
async fn node_with(seed: [u8; 32]) -> Result<(Node, Identity)> {
    let vault = Arc::new(MemoryVault::new(MemoryStore::new()));
    let key = vault.import_ed25519_seed(seed.into()).await?;
    let identity = Identity::create_with_key(vault.clone(), key, CREATED).await?;
    Ok((Node::with(vault, Limits::default()), identity))
}

/// The node's view of the issuer: its keys, which members got from a source that they trust.
async fn issuer_known_to(node: &Node) -> Result<Identifier> {
    let (_, issuer) = node_with(ISSUER).await?;
    node.known_identities().pin(issuer.history().clone())?;
    Ok(issuer.identifier())
}

pub(crate) async fn issuer(listen: &str) -> Result {
    let (node, issuer) = node_with(ISSUER).await?;
    println!("issuer identifier {}", issuer.identifier());
    let (_, server) = node_with(SERVER).await?;
    let (_, client) = node_with(CLIENT).await?;
    let members = [server.identifier(), client.identifier()];
    let attributes =
        move |who: &Identifier| members.contains(who).then(|| Attributes::new(1).with("cluster", "production"));
    node.start_worker("issuer", RequestWorker::new(CredentialIssuer::new(issuer.clone(), LIFETIME, attributes)))?;
    let channels = node.create_secure_channel_listener(&issuer, "secure", SecureChannelOptions::trust_only(members));
    node.expose("issuer", &channels.await?)?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose("secure", &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    println!("issuer started");
    run_until_stopped(node).await
}

/// Asks the issuer for a credential about oneself, and checks it.
async fn obtain(node: &Node, identity: &Identity, address: &str) -> Result<(Identifier, CredentialAndPurposeKey)> {
    let issuer = issuer_known_to(node).await?;
    let connection = node.tcp_connect(address).await?;
    let trust = SecureChannelOptions::trust_only([issuer]);
    let channel = node.create_secure_channel(identity, route![&connection, "secure"], trust).await?;
    let client = CredentialClient::new(issuer, route![&channel, "issuer"]);
    let obtained = client.obtain(&node.context()?, node.known_identities(), identity.identifier()).await?;
    Ok((issuer, obtained.credential))
}

pub(crate) async fn server(issuer: &str, listen: &str) -> Result {
    let (node, server) = node_with(SERVER).await?;
    let (issuer, credential) = obtain(&node, &server, issuer).await?;

    // Whoever the issuer says belongs to the production cluster may use the echoer.
    let production: Policy = "cluster=production".parse()?;
    node.start_worker_with("echoer", Echoer, WorkerOptions::new().accept_from(production))?;
    let mut options = SecureChannelOptions::trust_anyone();
    options.authorities.insert(issuer);
    options.credentials.push(credential);
    let channels = node.create_secure_channel_listener(&server, "secure", options).await?;
    node.expose("echoer", &channels)?;
    let tcp = node.tcp_listen(listen).await?;
    node.expose("secure", &tcp)?;
    eprintln!("listening on {}", tcp.local_addr());
    println!("server started");
    run_until_stopped(node).await
}

pub(crate) async fn client(issuer: &str, server: &str) -> Result {
    let (node, client) = node_with(CLIENT).await?;
    println!("issuer identifier {}", client.identifier());
    let (issuer, credential) = obtain(&node, &client, issuer).await?;
    let connection = node.tcp_connect(server).await?;
    let mut options = SecureChannelOptions::trust_anyone();
    options.authorities.insert(issuer);
    options.credentials.push(credential);
    let channel = node.create_secure_channel(&client, route![&connection, "secure"], options).await?;
    let reply = node.context()?.send_and_receive::<String>(route![&channel, "echoer"], "Hello Ockam!").await?;
    println!("Received: {}", reply.body());
    node.shutdown().await;
    Ok(())
}
