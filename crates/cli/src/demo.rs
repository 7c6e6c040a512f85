//! `postern demo`: a hub, an owner and a friend as three processes, and a service shared between them.

mod fetch;
mod process;
mod service;

use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use process::DemoProcess;
use serde::Serialize;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(crate) struct DemoArguments {
    /// The service to share [default: a small web page of the demo's own].
    #[arg(long, value_name = "HOST:PORT")]
    target: Option<String>,
    /// Fetch through the portal once, verify, print the path and measurements, and exit.
    #[arg(long)]
    once: bool,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Service {
        target: &'a str,
    },
    Hub {
        process: u32,
        address: &'a str,
    },
    Owner {
        process: u32,
        identifier: &'a str,
        relay: &'a str,
    },
    Friend {
        process: u32,
        identifier: &'a str,
        address: &'a str,
    },
    Fetched {
        bytes: usize,
        /// Whether the bytes were compared with the service's own; false if it answers differently each time.
        verified: bool,
        milliseconds: u128,
        megabytes_per_second: f64,
        round_trip_microseconds: u128,
        path: &'a str,
    },
}

pub(crate) async fn run(arguments: DemoArguments, output: Output) -> Result<()> {
    let own = arguments.target.is_none();
    let target = match arguments.target {
        Some(target) => target,
        None => service::start().await?.to_string(),
    };
    let kind = if own { "a small web page" } else { "your service" };
    output.print(&Event::Service { target: &target }, format_args!("1. {kind} listens on {target}"));

    let mut hub = DemoProcess::start(&["hub", "--listen", "127.0.0.1:0"])?;
    let hub_address = hub.wait_for("listening").await?.text("address")?;
    let sentence = format!("2. a hub that can read nothing listens on {hub_address} (process {})", hub.id());
    output.print(&Event::Hub { process: hub.id(), address: &hub_address }, sentence);

    let mut owner = DemoProcess::start(&["outlet", "--to", &target, "--hub", &hub_address])?;
    let up = owner.wait_for("up").await?;
    let (owner_is, relay, route) = (up.text("identifier")?, up.text("relay")?, up.text("route")?);
    let sentence = format!(
        "3. the owner (process {}) shares the service at relay {}…\n   as {}…",
        owner.id(),
        start_of(&relay, 8),
        start_of(&owner_is, 17)
    );
    output.print(&Event::Owner { process: owner.id(), identifier: &owner_is, relay: &relay }, sentence);

    let mut friend = DemoProcess::start(&["inlet", "--from", "127.0.0.1:0", "--route", &route, "--peer", &owner_is])?;
    let address = friend.wait_for("listening").await?.text("address")?;
    let friend_is = friend.wait_for("up").await?.text("identifier")?;
    let sentence = format!(
        "4. the friend (process {}), {}…,\n   made a secure channel with the owner through the hub",
        friend.id(),
        start_of(&friend_is, 17)
    );
    let stop = crate::shutdown_signal()?;
    output.print(&Event::Friend { process: friend.id(), identifier: &friend_is, address: &address }, sentence);

    if arguments.once {
        return tokio::select! {
            () = stop => bail!("stopped before anything was fetched"),
            fetched = once(own, &target, &address, &hub_address, output) => fetched,
        };
    }
    output
        .text(format_args!("\nThe service is now on the friend's localhost:  http://{address}\nPress Ctrl-C to end."));
    tokio::select! {
        () = stop => Ok(()),
        ended = hub.ended() => bail!("the hub ended: {ended}"),
        ended = owner.ended() => bail!("the owner ended: {ended}"),
        ended = friend.ended() => bail!("the friend ended: {ended}"),
    }
}

/// Fetches through the portal, verifies what came, and prints the path and figures.
async fn once(own: bool, target: &str, address: &str, hub: &str, output: Output) -> Result<()> {
    let page = if own { service::BULK } else { "/" };
    let begun = Instant::now();
    let fetched = fetch::get(address, page).await.context("Failed to fetch through the portal")?;
    let took = begun.elapsed();
    let verified = match own {
        true => Some(service::is_bulk(&fetched)),
        false => is_as_fetched_directly(target, page, &fetched).await?,
    };
    if verified == Some(false) {
        bail!("what came through the portal is not what the service sent ({} bytes)", fetched.len());
    }
    let round_trip = round_trip(address, if own { service::SMALL } else { "/" }).await?;
    let path = format!("client → {address} (inlet) ═ {hub} (hub) ═ outlet → {target}");
    let rate = fetched.len() as f64 / 1e6 / took.as_secs_f64();
    let verdict = match verified {
        Some(_) if own => "and verified",
        Some(_) => "and verified: the same as fetched directly",
        None => "(the service answers differently each time, so nothing can be compared)",
    };
    let sentence = format!(
        "5. {} bytes fetched through it in {:.1} ms ({rate:.0} MB/s) {verdict};\n   \
         a small request takes {:.2} ms, connection included\n\n   {path}\n   ═ is end-to-end encrypted",
        fetched.len(),
        took.as_secs_f64() * 1e3,
        round_trip.as_secs_f64() * 1e3,
    );
    let event = Event::Fetched {
        bytes: fetched.len(),
        verified: verified.is_some(),
        milliseconds: took.as_millis(),
        megabytes_per_second: rate,
        round_trip_microseconds: round_trip.as_micros(),
        path: &path,
    };
    output.print(&event, sentence);
    Ok(())
}

/// Whether the service answers the same without a portal; `None` if its answers differ from each other.
async fn is_as_fetched_directly(target: &str, page: &str, fetched: &[u8]) -> Result<Option<bool>> {
    let directly = fetch::get(target, page).await.context("Failed to fetch from the service itself")?;
    if directly == fetched {
        return Ok(Some(true));
    }
    let again = fetch::get(target, page).await.context("Failed to fetch from the service itself")?;
    Ok((again == directly).then_some(false))
}

/// The median of a few small requests.
async fn round_trip(address: &str, page: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        fetch::get(address, page).await?;
        times.push(begun.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn start_of(text: &str, len: usize) -> &str {
    text.get(..len).unwrap_or(text)
}
