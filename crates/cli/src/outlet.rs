//! `postern outlet`.

use crate::keychain::{KeychainArguments, KeychainKind, OpenedIdentity};
use crate::output::Output;
use crate::status_reporter::report_until_stopped;
use anyhow::Result;
use clap::Args;
use postern_node::identity::{Identifier, TrustPolicy};
use postern_node::portal::OutletOptions;
use postern_node::session::HubUp;
use postern_node::{Address, Echoer, MultiAddr, SecureChannelOptions, route};
use serde::Serialize;

/// The address where the node accepts secure channels; the command line of `ockam` uses the same.
const LISTENER: &str = "api";
const OUTLET: &str = "outlet";
/// What the sessions of the command line of `ockam` ask every 10 s, to see whether the way still works.
const ECHO: &str = "echo";

#[derive(Args)]
pub(crate) struct OutletArguments {
    /// The service to share; its name is resolved at every connection.
    #[arg(long, value_name = "HOST:PORT", value_parser = service)]
    to: String,
    /// The hub to register a relay at.
    #[arg(long, value_name = "HOST:PORT")]
    hub: String,
    /// Name of the relay on the hub [default: a random one, which only those know who have the route].
    #[arg(long)]
    name: Option<String>,
    /// An identifier that may use the service; may be repeated.
    #[arg(long, value_name = "IDENTIFIER")]
    allow: Vec<Identifier>,
    #[command(flatten)]
    keychain: KeychainArguments,
}

/// Parses the argument that names the service.
fn service(text: &str) -> Result<String, &'static str> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("give HOST:PORT, for instance localhost:3000"),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Up { identifier: String, relay: String, route: String },
}

pub(crate) async fn run(arguments: OutletArguments, output: Output) -> Result<()> {
    let OpenedIdentity { node, identity, .. } = arguments.keychain.open(KeychainKind::Memory).await?;
    let trust = match arguments.allow.is_empty() {
        true => {
            tracing::warn!("anybody who knows the route may use the service; restrict it with --allow");
            TrustPolicy::Anyone
        }
        false => TrustPolicy::only(arguments.allow),
    };
    // Authentication for everybody; the outlet authorizes, so that a peer that is not allowed gets the reason.
    let options = SecureChannelOptions::trust_anyone();
    let listener = node.create_secure_channel_listener(&identity, LISTENER, options).await?;
    node.create_outlet(OUTLET, &arguments.to, OutletOptions { allow: Some(trust), admission: None })?;
    node.expose(OUTLET, &listener)?;
    node.start_worker(ECHO, Echoer)?;
    node.expose(ECHO, &listener)?;
    let name = arguments.name.unwrap_or_else(|| Address::random().to_string());
    let session = node.keep_connected(&arguments.hub, Some(name));
    node.expose(LISTENER, &session)?;

    let print_up = |up: &HubUp| {
        let relay = up.relay.as_ref().map(|relay| relay.address().to_string()).unwrap_or_default();
        let address = MultiAddr {
            hub: arguments.hub.clone(),
            listener: route![relay.as_str(), LISTENER],
            service: route![OUTLET],
        };
        let (identifier, route) = (identity.identifier().to_string(), address.to_string());
        let sentence = format!(
            "{} is shared. Allowed peers reach it with\n  \
             postern inlet --from 127.0.0.1:0 --peer {identifier} --route {route}",
            arguments.to
        );
        output.print(&Event::Up { identifier, relay, route }, sentence);
    };
    report_until_stopped(session.watch(), output, "Not reachable", print_up).await?;
    node.shutdown().await;
    Ok(())
}
