//! `postern inlet`.

use crate::keychain::{KeychainArguments, KeychainKind, OpenedIdentity};
use crate::output::Output;
use crate::status_reporter::{report_changes, report_down, report_until_stopped};
use anyhow::{Context, Result};
use clap::Args;
use postern_node::identity::Identifier;
use postern_node::portal::{EndReason, InletRoute};
use postern_node::{MultiAddr, SecureChannel, SecureChannelOptions};
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Args)]
pub(crate) struct InletArguments {
    /// The local address where the service appears; port 0 takes a free one, localhost is 127.0.0.1 and ::1.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:0")]
    from: String,
    /// The route to the service, as `postern outlet` prints it.
    #[arg(long)]
    route: MultiAddr,
    /// The owner's identifier; no other peer is accepted.
    #[arg(long, value_name = "IDENTIFIER")]
    peer: Identifier,
    #[command(flatten)]
    keychain: KeychainArguments,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Listening { address: SocketAddr, identifier: String },
    Up { peer: String, identifier: String },
}

pub(crate) async fn run(arguments: InletArguments, output: Output) -> Result<()> {
    let OpenedIdentity { node, identity, .. } = arguments.keychain.open(KeychainKind::Memory).await?;
    let MultiAddr { hub, listener, service } = arguments.route;
    let hub = node.keep_connected(hub, None);
    let options = SecureChannelOptions::trust_only([arguments.peer]);
    let channel = node.keep_channel(&hub, &identity, listener, options).await?;
    let states = channel.watch();
    let outlet = service.back().context("the route has no service")?;
    let inlet = node.create_inlet(&arguments.from, InletRoute::Kept(channel, outlet)).await?;
    let (address, identifier) = (inlet.local_addr(), identity.identifier().to_string());
    let sentence = format!("The service is on {address}. You are {identifier}.");
    output.print(&Event::Listening { address, identifier: identifier.clone() }, sentence);

    let print_up = |channel: &SecureChannel| {
        let peer = channel.peer().identifier.to_string();
        let sentence = format!("Connected with {peer}, end-to-end encrypted.");
        output.print(&Event::Up { peer, identifier: identifier.clone() }, sentence);
    };
    let print_refused = |reason: &Option<EndReason>| {
        if let Some(reason) = reason {
            report_down(output, "Not served", reason);
        }
    };
    tokio::select! {
        followed = report_until_stopped(states, output, "Not connected", print_up) => followed?,
        never = report_changes(inlet.refused(), print_refused) => never?,
    }
    node.shutdown().await;
    Ok(())
}
