//! `postern hub`.

use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use postern_hub::{Hub, HubConfig};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct HubArguments {
    /// The address that nodes connect to; port 0 takes a free one [default: 0.0.0.0:4000].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The address of the health check (/healthz) and the metrics (/metrics).
    #[arg(long, value_name = "HOST:PORT")]
    status: Option<String>,
    /// Serve /join at the --status address too: the page that web links lead to (`postern invite --web`).
    #[arg(long)]
    join_page: bool,
    /// The directory for the hub's identity, its mailboxes and streams; without it all are lost when it stops.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A TOML file with listen, status, join_page, data, relay_prefix, drain_seconds and the tables limits, streams and kafka;
    /// arguments override it.
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
    config.join_page |= arguments.join_page;
    config.data = arguments.data_dir.or(config.data);
    if config.join_page && config.status.is_none() {
        bail!("the page at /join is served at the status address: give one with --status HOST:PORT");
    }
    let hub = Hub::start(&config).await.context("Failed to start the hub")?;
    let (address, status, identifier) = (hub.local_addr(), hub.status_addr(), hub.identifier().to_string());
    let stop = crate::shutdown_signal()?;
    let sentence = format!("The hub listens on {address}. It is {identifier}.");
    output.print(&Event::Listening { address, status, identifier }, sentence);
    if let Some(status) = status {
        let page = if config.join_page { format!(", page of web links: http://{status}/join") } else { String::new() };
        output.text(format_args!("Health check: http://{status}/healthz, metrics: http://{status}/metrics{page}."));
    }
    stop.await;
    output.print(&Event::Draining, "Draining: no new connections are accepted; open ones may finish.");
    let (frames, bytes) = (hub.stats().frames.get(), hub.stats().bytes.get());
    hub.drain().await;
    output.print(&Event::Stopped { frames, bytes }, format_args!("Stopped after {frames} messages, {bytes} bytes."));
    Ok(())
}
