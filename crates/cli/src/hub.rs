//! `postern hub`.

use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use postern_hub::{Hub, HubConfig};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct HubArguments {
    /// Where nodes connect to, as HOST:PORT; port 0 takes a free one [default: 0.0.0.0:4000].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where /healthz and /metrics are served.
    #[arg(long, value_name = "HOST:PORT")]
    status: Option<String>,
    /// Where the hub's identity and its mailboxes rest; without it both are gone when it stops.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A TOML file with listen, status, data, relay_prefix, drain_seconds and a table of limits; arguments win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Listening { address: SocketAddr, status: Option<SocketAddr>, identifier: String },
    Draining,
    Stopped { frames: u64, bytes: u64 },
}

pub(crate) async fn run(arguments: HubArguments, output: Output) -> Result<()> {
    let mut config = match &arguments.config {
        Some(path) => HubConfig::read(path)?,
        None => HubConfig::default(),
    };
    config.listen = arguments.listen.unwrap_or(config.listen);
    config.status = arguments.status.or(config.status);
    config.data = arguments.data_dir.or(config.data);
    let hub = Hub::start(&config).await.context("Failed to start the hub")?;
    let (address, status, identifier) = (hub.local_addr(), hub.status_addr(), hub.identifier().to_string());
    let stop = crate::shutdown_signal()?;
    let sentence = format!("The hub listens on {address}. It is {identifier}.");
    output.print(&Event::Listening { address, status, identifier }, sentence);
    if let (Some(status), false) = (status, output.is_json()) {
        println!("Its health is at http://{status}/healthz, its metrics at http://{status}/metrics.");
    }
    stop.await;
    output.print(&Event::Draining, "Stopping: nobody new is accepted; what is under way may finish.");
    let (frames, bytes) = (hub.stats().frames.get(), hub.stats().bytes.get());
    hub.drain().await;
    output.print(&Event::Stopped { frames, bytes }, format_args!("Stopped after {frames} messages, {bytes} bytes."));
    Ok(())
}
