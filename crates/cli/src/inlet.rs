//! `postern inlet`.

use crate::keychain::{KeychainArguments, KeychainKind, OpenedIdentity};
use crate::outlet::route_name;
use crate::output::Output;
use crate::status_reporter::{report_changes, report_down, report_until_stopped};
use anyhow::Result;
use clap::Args;
use postern_engine::api::{Code, Fault};
use postern_node::identity::{Error as IdentityError, Identifier, TrustPolicy};
use postern_node::portal::{EndReason, Inlet, InletRoute};
use postern_node::secure_channel::ChannelError;
use postern_node::session::{HubUp, SessionError};
use postern_node::{MultiAddr, SecureChannel, SecureChannelOptions};
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Args)]
pub(crate) struct InletArguments {
    /// The local address where the service appears; port 0 takes a free one, localhost is 127.0.0.1 and ::1.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:0")]
    from: String,
    /// The route to the service, as `postern outlet` prints it, or its beginning. Without `/secure` nothing is encrypted.
    #[arg(long)]
    route: String,
    /// The address of the owner's secure channel listener, where the route does not say it: adds `/secure/NAME`.
    #[arg(long, value_name = "NAME", value_parser = route_name)]
    listener: Option<String>,
    /// The address of the owner's outlet, where the route does not say it: adds `/service/NAME`.
    #[arg(long, value_name = "NAME", value_parser = route_name)]
    worker: Option<String>,
    /// The owner's identifier; no other peer is accepted.
    #[arg(long, value_name = "IDENTIFIER")]
    peer: Option<Identifier>,
    /// Accept whoever answers as the owner. Who controls the hub or the network can then read and change everything.
    #[arg(long, conflicts_with = "peer")]
    trust_any_peer: bool,
    #[command(flatten)]
    keychain: KeychainArguments,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Listening {
        address: SocketAddr,
        identifier: String,
    },
    Up {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        identifier: String,
    },
}

impl InletArguments {
    /// The route with the names that were given beside it.
    fn whole_route(&self) -> Result<MultiAddr> {
        let mut route = self.route.trim_end_matches('/').to_owned();
        for (kind, name) in [("secure", &self.listener), ("service", &self.worker)] {
            if let Some(name) = name {
                route = format!("{route}/{kind}/{name}");
            }
        }
        Ok(route.parse()?)
    }

    /// Whom to accept at the end of a route; nobody is authenticated on one without a channel.
    fn trust(&self, route: &MultiAddr) -> Result<Option<TrustPolicy>, Fault> {
        let invalid = |text: &str| Err(Fault::new(Code::Invalid, text));
        match (route.is_secure(), self.peer) {
            (true, Some(peer)) => Ok(Some(TrustPolicy::only([peer]))),
            (true, None) if self.trust_any_peer => {
                tracing::warn!("whoever answers is accepted as the owner; accept only one with --peer");
                Ok(Some(TrustPolicy::Anyone))
            }
            (true, None) => invalid("Name the owner with --peer, or accept whoever answers with --trust-any-peer."),
            (false, None) => {
                tracing::warn!("nothing is encrypted and nobody is authenticated: the route has no `/secure`");
                Ok(None)
            }
            (false, Some(_)) => invalid(
                "--peer cannot be checked: the route has no `/secure`. Add it with --listener, or leave out --peer.",
            ),
        }
    }
}

pub(crate) async fn run(arguments: InletArguments, output: Output) -> Result<()> {
    let route = arguments.whole_route()?;
    let trust = arguments.trust(&route)?;
    let OpenedIdentity { node, identity, .. } = arguments.keychain.open(KeychainKind::Memory).await?;
    let hub = node.keep_connected(route.hub, None);
    let identifier = identity.identifier().to_string();
    match trust {
        Some(trust) => {
            let options = SecureChannelOptions::trust(trust);
            let channel = node.keep_channel(&hub, &identity, route.listener, options).await?;
            let states = channel.watch();
            let inlet = node.create_inlet(&arguments.from, InletRoute::Kept(channel, route.service)).await?;
            print_listening(&inlet, &identifier, output);
            let print_up = |channel: &SecureChannel| {
                let peer = channel.peer().identifier.to_string();
                let sentence = format!("Connected with {peer}, end-to-end encrypted.");
                output.print(&Event::Up { peer: Some(peer), identifier: identifier.clone() }, sentence);
            };
            let explain = |error: &SessionError| explain(error, arguments.peer);
            tokio::select! {
                followed = report_until_stopped(states, output, "Not connected", explain, print_up) => followed?,
                never = report_refusals(&inlet, output) => never?,
            }
        }
        None => {
            let states = hub.watch();
            let inlet = node.create_inlet(&arguments.from, InletRoute::Plain(hub, route.service)).await?;
            print_listening(&inlet, &identifier, output);
            let print_up = |_: &HubUp| {
                let sentence = "Connected, without encryption; who is at the other end is not known.";
                output.print(&Event::Up { peer: None, identifier: identifier.clone() }, sentence);
            };
            tokio::select! {
                followed = report_until_stopped(states, output, "Not connected", SessionError::to_string, print_up) => followed?,
                never = report_refusals(&inlet, output) => never?,
            }
        }
    }
    node.shutdown().await;
    Ok(())
}

fn print_listening(inlet: &Inlet, identifier: &str, output: Output) {
    let address = inlet.local_addr();
    // The identifier ends its line, so that it can be pasted into the owner's `--allow`.
    let sentence = format!("The service is on {address}. You are\n  {identifier}");
    output.print(&Event::Listening { address, identifier: identifier.to_owned() }, sentence);
}

/// Prints why the owner does not serve us, whenever that changes.
async fn report_refusals(inlet: &Inlet, output: Output) -> Result<()> {
    let print_refused = |reason: &Option<EndReason>| {
        if let Some(reason) = reason {
            report_down(output, "Not served", reason);
        }
    };
    report_changes(inlet.refused(), print_refused).await
}

/// Why there is no channel; about another peer than the expected one, what can be done here.
fn explain(error: &SessionError, expected: Option<Identifier>) -> String {
    match (error, expected) {
        (SessionError::Channel(ChannelError::Identity(IdentityError::NotTrusted(found))), Some(expected)) => format!(
            "the other end is {found}, not {expected}, the --peer that was given; ask the owner for the identifier and the route"
        ),
        _ => error.to_string(),
    }
}
