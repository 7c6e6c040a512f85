//! `postern outlet`.

use crate::keychain::{KeychainArguments, KeychainKind, OpenedIdentity};
use crate::output::Output;
use crate::status_reporter::report_until_stopped;
use anyhow::{Context, Result};
use clap::{ArgGroup, Args};
use postern_node::identity::{Identifier, TrustPolicy};
use postern_node::portal::OutletOptions;
use postern_node::session::{HubUp, SessionError};
use postern_node::{
    Address, Echoer, MultiAddr, Node, Origin, Route, SecureChannelListener, SecureChannelOptions, route,
};
use serde::Serialize;

/// What the sessions of the command line of `ockam` ask every 10 s, to see whether the way still works.
const ECHO: &str = "echo";

#[derive(Args)]
#[command(group = ArgGroup::new("entrance").required(true))]
pub(crate) struct OutletArguments {
    /// The service to share; its name is resolved at every connection.
    #[arg(long, value_name = "HOST:PORT", value_parser = service)]
    to: String,
    /// The hub to register a relay at.
    #[arg(long, value_name = "HOST:PORT", group = "entrance")]
    hub: Option<String>,
    /// Instead of a hub: the address where inlets connect to this program; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", group = "entrance")]
    listen: Option<String>,
    /// Name of the relay on the hub [default: a random one, which only those know who have the route].
    #[arg(long, conflicts_with = "listen")]
    name: Option<String>,
    /// The address where secure channels are accepted. Examples of `ockam` use `secure_channel_listener`.
    #[arg(long, value_name = "NAME", value_parser = route_name, default_value = "api")]
    listener: String,
    /// The address of the outlet behind it.
    #[arg(long, value_name = "NAME", value_parser = route_name, default_value = "outlet")]
    worker: String,
    /// An identifier that may use the service; may be repeated.
    #[arg(long, value_name = "IDENTIFIER")]
    allow: Vec<Identifier>,
    /// Share without a secure channel, for inlets that cannot open one: nothing is encrypted and nobody is authenticated.
    #[arg(long, conflicts_with_all = ["allow", "listener"])]
    plain: bool,
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

/// Parses an argument that names a worker.
pub(crate) fn route_name(text: &str) -> Result<String, &'static str> {
    match text.is_empty() || text.contains('/') {
        true => Err("give one name, without `/`"),
        false => Ok(text.to_owned()),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Up {
        identifier: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        relay: Option<String>,
        route: String,
    },
}

pub(crate) async fn run(arguments: OutletArguments, output: Output) -> Result<()> {
    let OpenedIdentity { node, identity, .. } = arguments.keychain.open(KeychainKind::Memory).await?;
    let allow = arguments.policy();
    node.create_outlet(arguments.worker.as_str(), &arguments.to, OutletOptions { allow, admission: None })?;
    let channels = match arguments.plain {
        true => None,
        false => {
            // Authentication for everybody; the outlet authorizes, so that a peer that is not allowed gets the reason.
            let options = SecureChannelOptions::trust_anyone();
            let listener = arguments.listener.as_str();
            Some(node.create_secure_channel_listener(&identity, listener, options).await?)
        }
    };
    arguments.expose_behind(&node, channels.as_ref())?;
    let identifier = identity.identifier().to_string();
    match (&arguments.hub, &arguments.listen) {
        (_, Some(listen)) => {
            let entrance = node.tcp_listen(listen).await?;
            let stop = crate::shutdown_signal()?;
            arguments.expose_to(&node, &entrance)?;
            arguments.print_up(&entrance.local_addr().to_string(), None, identifier, output);
            stop.await;
        }
        (Some(hub), None) => {
            let name = arguments.name.clone().unwrap_or_else(|| Address::random().to_string());
            let session = node.keep_connected(hub, Some(name));
            arguments.expose_to(&node, &session)?;
            let print_up = |up: &HubUp| {
                let relay = up.relay.as_ref().map(|relay| relay.address().to_string()).unwrap_or_default();
                arguments.print_up(hub, Some(relay), identifier.clone(), output);
            };
            let states = session.watch();
            report_until_stopped(states, output, "Not reachable", SessionError::to_string, print_up).await?;
        }
        (None, None) => unreachable!("one of the two is a required argument"),
    }
    node.shutdown().await;
    Ok(())
}

impl OutletArguments {
    /// Who may use the outlet. Without channels nobody is known, so there is nothing to decide by.
    fn policy(&self) -> Option<TrustPolicy> {
        if self.plain {
            tracing::warn!(
                "nothing is encrypted and nobody is authenticated: whoever reaches the outlet may use the service, \
                 and the hub and the network read it"
            );
            return None;
        }
        if self.allow.is_empty() {
            tracing::warn!("anybody who knows the route may use the service; restrict it with --allow");
            return Some(TrustPolicy::Anyone);
        }
        Some(TrustPolicy::only(self.allow.iter().copied()))
    }

    /// Exposes what inlets reach through a channel, if there are channels.
    fn expose_behind(&self, node: &Node, channels: Option<&SecureChannelListener>) -> Result<()> {
        let Some(channels) = channels else { return Ok(()) };
        node.expose(self.worker.as_str(), channels)?;
        node.start_worker(ECHO, Echoer).context("Failed to offer the worker that answers sessions")?;
        Ok(node.expose(ECHO, channels)?)
    }

    /// Exposes what inlets address first to what they come through.
    fn expose_to(&self, node: &Node, entrance: &impl Origin) -> Result<()> {
        let first = if self.plain { &self.worker } else { &self.listener };
        Ok(node.expose(first.as_str(), entrance)?)
    }

    /// Prints that the service is shared, and how inlets reach it.
    fn print_up(&self, entrance: &str, relay: Option<String>, identifier: String, output: Output) {
        let mut way: Route = relay.as_deref().into_iter().collect();
        let (hub, worker) = (entrance.to_owned(), self.worker.as_str());
        let route = match self.plain {
            true => MultiAddr { hub, listener: Route::new(), service: way.then(worker) },
            false => {
                way.push_back(self.listener.as_str());
                MultiAddr { hub, listener: way, service: route![worker] }
            }
        };
        let route = route.to_string();
        let sentence = match self.plain {
            true => format!(
                "{} is shared, without encryption. Everybody reaches it with\n  \
                 postern inlet --from 127.0.0.1:0 --route {route}",
                self.to
            ),
            false => format!(
                "{} is shared by\n  {identifier}\nAllowed peers reach it with\n  \
                 postern inlet --from 127.0.0.1:0 --peer {identifier} --route {route}",
                self.to
            ),
        };
        output.print(&Event::Up { identifier, relay, route }, sentence);
    }
}
