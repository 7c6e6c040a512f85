//! `postern-bench-messages`: how many handshakes and messages per second pass through a hub.
//!
//! ```text
//! asking node ══ secure channel ══ hub ══ secure channel ══ answering node
//!   handshakes, one after the other      echo: returns every message
//!   echoes, one in flight                sink: counts messages, returns the count on request
//!   one-way messages
//! ```
//!
//! `cargo xtask bench messages` starts two of them. Each result is a line of JSON.

use anyhow::Result;
use clap::Parser;
use postern_node::identity::Identity;
use postern_node::session::HubSession;
use postern_node::{Context, Node, Route, Routed, SecureChannel, SecureChannelOptions, Worker, WorkerError, route};
use serde::Serialize;
use std::io::Write;
use std::time::{Duration, Instant};

/// As in `postern`: what is measured includes the allocator of the shipped program.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The name of the answering node's relay.
const RELAY: &str = "bench-messages";
const LISTENER: &str = "bench-listener";
const ECHO: &str = "bench-echo";
const SINK: &str = "bench-sink";
/// Sizes of messages in bytes: one whose cost is that of a message, one whose cost is that of its bytes.
const SIZES: [usize; 2] = [64, 32 * 1024];
/// Messages sent between two looks at the clock, so that reading it does not count.
const BATCH: u64 = 64;
/// First byte of the message that asks a sink for its count.
const LAST: u8 = 1;

/// Measures handshakes and messages through a hub.
#[derive(Parser)]
struct Arguments {
    /// The hub that both nodes connect to.
    #[arg(long, value_name = "HOST:PORT")]
    hub: String,
    /// Answer until killed; otherwise measure against the node that answers there.
    #[arg(long)]
    answer: bool,
    /// How long each kind of message is sent.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Up { identifier: String },
    Handshakes { per_second: f64 },
    Echo { bytes: usize, per_second: f64, p50_us: f64, p99_us: f64 },
    Oneway { bytes: usize, per_second: f64, lost: u64 },
}

impl Event {
    fn print(&self) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        writeln!(stdout)?;
        Ok(stdout.flush()?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { hub, answer, seconds } = Arguments::parse();
    let node = Node::new();
    if answer {
        return self::answer(&node, &hub).await;
    }
    let (time, session) = (Duration::try_from_secs_f64(seconds)?, node.keep_connected(&hub, None));
    let asking = Asking { identity: node.create_identity().await?, node, session, time };
    asking.handshakes().await?;
    let channel = asking.open().await?;
    for bytes in SIZES {
        asking.echo(&channel, bytes).await?;
        asking.one_way(&channel, bytes).await?;
    }
    channel.close();
    Ok(())
}

async fn answer(node: &Node, hub: &str) -> Result<()> {
    let identity = node.create_identity().await?;
    let anyone = SecureChannelOptions::trust_anyone();
    let listener = node.create_secure_channel_listener(&identity, LISTENER, anyone).await?;
    node.start_worker(ECHO, Echo)?;
    node.start_worker(SINK, Sink(0))?;
    node.expose(ECHO, &listener)?;
    node.expose(SINK, &listener)?;
    let session = node.keep_connected(hub, Some(RELAY.into()));
    node.expose(LISTENER, &session)?;
    session.up().await?;
    Event::Up { identifier: identity.identifier().to_string() }.print()?;
    std::future::pending().await
}

/// The node that measures.
struct Asking {
    node: Node,
    identity: Identity,
    session: HubSession,
    time: Duration,
}

impl Asking {
    async fn open(&self) -> Result<SecureChannel> {
        let up = self.session.up().await?;
        let route = route![&up.connection, RELAY, LISTENER];
        Ok(self.node.create_secure_channel(&self.identity, route, SecureChannelOptions::trust_anyone()).await?)
    }

    async fn handshakes(&self) -> Result<()> {
        let (begun, mut made) = (Instant::now(), 0u32);
        while begun.elapsed() < self.time {
            self.open().await?.close();
            made += 1;
        }
        let per_second = f64::from(made) / begun.elapsed().as_secs_f64();
        Event::Handshakes { per_second }.print()
    }

    /// A context that replies through the channel reach, and the route to an address behind the channel.
    fn mailbox(&self, channel: &SecureChannel, to: &str) -> Result<(Context, Route)> {
        let context = self.node.context()?;
        self.node.expose(context.address().clone(), channel)?;
        Ok((context, route![channel, to]))
    }

    /// Sends one message at a time and waits for it to come back.
    async fn echo(&self, channel: &SecureChannel, bytes: usize) -> Result<()> {
        let (mut context, to) = self.mailbox(channel, ECHO)?;
        let (begun, mut took) = (Instant::now(), Vec::new());
        while begun.elapsed() < self.time || took.is_empty() {
            let sent = Instant::now();
            context.send(to.clone(), vec![0; bytes]).await?;
            context.receive::<Vec<u8>>().await?;
            took.push(sent.elapsed());
        }
        let per_second = took.len() as f64 / begun.elapsed().as_secs_f64();
        took.sort_unstable();
        let percentile = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1e6;
        let (p50_us, p99_us) = (percentile(50), percentile(99));
        Event::Echo { bytes, per_second, p50_us, p99_us }.print()
    }

    /// Sends as fast as backpressure allows; the sink counts.
    async fn one_way(&self, channel: &SecureChannel, bytes: usize) -> Result<()> {
        let (mut context, to) = self.mailbox(channel, SINK)?;
        let (begun, mut sent) = (Instant::now(), 0u64);
        while begun.elapsed() < self.time {
            for _ in 0..BATCH {
                context.send(to.clone(), vec![0; bytes]).await?;
                sent += 1;
            }
        }
        context.send(to, vec![LAST; bytes]).await?;
        let arrived: u64 = context.receive::<String>().await?.body().parse()?;
        let (per_second, lost) = (arrived as f64 / begun.elapsed().as_secs_f64(), sent.saturating_sub(arrived));
        Event::Oneway { bytes, per_second, lost }.print()
    }
}

struct Echo;

impl Worker for Echo {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let back = message.return_route().clone();
        Ok(context.send(back, message.into_body()).await?)
    }
}

/// Counts, and starts again at 0 after it was asked.
struct Sink(u64);

impl Worker for Sink {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        if message.body().first() != Some(&LAST) {
            self.0 += 1;
            return Ok(());
        }
        let counted = std::mem::take(&mut self.0).to_string();
        Ok(context.send(message.return_route().clone(), counted).await?)
    }
}
