//! `postern bench messages`: how many handshakes and messages per second go through a hub.
//!
//! ```text
//! asking node ══ secure channel ══ hub ══ secure channel ══ answering node
//!   handshakes, one after the other      echo: gives every message back
//!   echoes, one under way                sink: counts messages, tells the count when asked
//!   one-way messages
//! ```
//!
//! What comes out is one JSON object per line on the standard output. Hidden from the help: it serves
//! `cargo xtask bench`.

use std::time::{Duration, Instant};

use postern_node::session::HubSession;
use postern_node::{
    Context, Node, Result, Route, Routed, SecureChannel, SecureChannelOptions, Worker, route,
};

/// The name of the answering node's relay.
const RELAY: &str = "bench-messages";
const LISTENER: &str = "bench-listener";
const ECHO: &str = "bench-echo";
const SINK: &str = "bench-sink";
/// Sizes of messages in bytes.
const SIZES: [usize; 2] = [64, 32 * 1024];
/// First byte of the message that asks a sink for its count.
const LAST: u8 = 1;

/// What to do, and where.
pub(crate) struct Options {
    /// The hub's `host:port`.
    pub(crate) hub: String,
    /// Answer, until killed; otherwise ask whoever answers there.
    pub(crate) answer: bool,
    /// How long each kind of message is sent.
    pub(crate) time: Duration,
}

/// Answers or asks, as the options say.
///
/// # Errors
/// When the hub or the answering node cannot be reached.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let node = Node::new();
    match options.answer {
        true => answer(&node, &options.hub).await,
        false => ask(&node, &options.hub, options.time).await,
    }
}

async fn answer(node: &Node, hub: &str) -> Result<()> {
    let identity = node.create_identity().await?;
    let listener =
        node.create_secure_channel_listener(&identity, LISTENER, SecureChannelOptions::trust_anyone()).await?;
    node.start_worker(ECHO, Echo)?;
    node.start_worker(SINK, Sink(0))?;
    node.expose(ECHO, &listener)?;
    node.expose(SINK, &listener)?;
    let session = connect(node, hub, Some(RELAY)).await?;
    node.expose(LISTENER, &session)?;
    println!(r#"{{"event":"up","identifier":"{}"}}"#, identity.identifier());
    node.stopped().await;
    Ok(())
}

async fn ask(node: &Node, hub: &str, time: Duration) -> Result<()> {
    let session = connect(node, hub, None).await?;
    let handshakes = Handshakes { node, identity: node.create_identity().await?, session };
    handshakes.measure(time).await?;
    let channel = handshakes.open().await?;
    for size in SIZES {
        echoes(node, &channel, size, time).await?;
        one_way(node, &channel, size, time).await?;
    }
    channel.close();
    Ok(())
}

async fn connect(node: &Node, hub: &str, relay: Option<&str>) -> Result<HubSession> {
    let session = node.keep_connected(hub, relay.map(str::to_owned));
    session.up().await.map_err(|error| postern_node::Error::Worker(error.to_string().into()))?;
    Ok(session)
}

struct Handshakes<'a> {
    node: &'a Node,
    identity: postern_node::identity::Identity,
    session: HubSession,
}

impl Handshakes<'_> {
    async fn open(&self) -> Result<SecureChannel> {
        let up = self.session.up().await.map_err(|error| postern_node::Error::Worker(error.to_string().into()))?;
        let route = route![&up.connection, RELAY, LISTENER];
        self.node.create_secure_channel(&self.identity, route, SecureChannelOptions::trust_anyone()).await
    }

    async fn measure(&self, time: Duration) -> Result<()> {
        let (begun, mut made) = (Instant::now(), 0u32);
        while begun.elapsed() < time {
            self.open().await?.close();
            made += 1;
        }
        let rate = f64::from(made) / begun.elapsed().as_secs_f64();
        println!(r#"{{"event":"handshakes","per_second":{rate:.1}}}"#);
        Ok(())
    }
}

/// A mailbox that answers through the channel reach, and the way to an address behind the channel.
fn mailbox(node: &Node, channel: &SecureChannel, to: &str) -> Result<(Context, Route)> {
    let context = node.context()?;
    node.expose(context.address().clone(), channel)?;
    Ok((context, route![channel, to]))
}

async fn echoes(node: &Node, channel: &SecureChannel, size: usize, time: Duration) -> Result<()> {
    let (mut context, to) = mailbox(node, channel, ECHO)?;
    let begun = Instant::now();
    let mut took = Vec::new();
    while begun.elapsed() < time {
        let sent = Instant::now();
        context.send(to.clone(), vec![0; size]).await?;
        context.receive::<Vec<u8>>().await?;
        took.push(sent.elapsed());
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    took.sort_unstable();
    let percentile = |part: usize| took[took.len() * part / 100].as_nanos() as f64 / 1e3;
    let (p50, p99) = (percentile(50), percentile(99));
    println!(
        r#"{{"event":"echo","bytes":{size},"per_second":{rate:.1},"p50_us":{p50:.1},"p99_us":{p99:.1}}}"#
    );
    Ok(())
}

/// Sends as fast as it goes, and counts at the far end.
async fn one_way(node: &Node, channel: &SecureChannel, size: usize, time: Duration) -> Result<()> {
    let (mut context, to) = mailbox(node, channel, SINK)?;
    let (begun, mut sent) = (Instant::now(), 0u64);
    while begun.elapsed() < time {
        for _ in 0..64 {
            context.send(to.clone(), vec![0; size]).await?;
            sent += 1;
        }
    }
    context.send(to, vec![LAST; size]).await?;
    let counted = context.receive::<String>().await?.into_body();
    let arrived: u64 = counted.parse().unwrap_or_default();
    let rate = arrived as f64 / begun.elapsed().as_secs_f64();
    let lost = sent.saturating_sub(arrived);
    println!(r#"{{"event":"oneway","bytes":{size},"per_second":{rate:.1},"lost":{lost}}}"#);
    Ok(())
}

struct Echo;

impl Worker for Echo {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<()> {
        let back = message.return_route().clone();
        context.send(back, message.into_body()).await
    }
}

/// Counts, and starts again at 0 when it has told.
struct Sink(u64);

impl Worker for Sink {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<()> {
        if message.body().first() != Some(&LAST) {
            self.0 += 1;
            return Ok(());
        }
        let counted = std::mem::take(&mut self.0).to_string();
        context.send(message.return_route().clone(), counted).await
    }
}
