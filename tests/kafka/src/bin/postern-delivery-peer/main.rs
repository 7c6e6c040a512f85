//! `postern-delivery-peer`: one of two programs that send each other numbered messages through Kafka, reliably. The tests kill it at any
//! time and start it again, and read afterwards what its handler has done.
//!
//! ```text
//! traffic ─► ReliableDelivery ═ secure channel ═ Stream ═ hub ═ Kafka ═ hub ═ Stream ═ … ─► handler ─► effects
//! ```
//!
//! It prints `progress HANDLED ACKNOWLEDGED` fifty times a second, `notice …`, and `done` when everything is handled and acknowledged. It
//! goes on until it is killed, since the other program may need it.

mod handler;
mod keys;
mod traffic;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use postern_delivery_store::SqliteDeliveryStore;
use postern_node::identity::{Identifier, Identity};
use postern_node::reliable::{DeliveryError, DeliveryOptions, DeliveryStore, ReliableDelivery, StorageKey, StoreError};
use postern_node::session::HubSession;
use postern_node::stream::Stream;
use postern_node::{Limits, Node, SecureChannelOptions};

use handler::{Effects, Plain, Transactional};
use keys::FileSecrets;
use traffic::Traffic;

/// Messages that wait to be acknowledged, before the next are sent: far more than are on the way, far less than the store takes.
const OUTSTANDING_MAX: u64 = 2_000;
/// Messages of one call.
const BATCH: u64 = 32;
/// Between two lines of progress: often enough for a test to stop the program at any of a hundred places within two seconds.
const PROGRESS_EVERY: Duration = Duration::from_millis(20);

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the program's identity if there is none, and prints its identifier.
    Identity {
        #[arg(long)]
        data: PathBuf,
    },
    /// Sends and handles, until it is killed.
    Run(Box<RunArguments>),
    /// Prints what the transactional handler has done: how many effects, and whether they are in order.
    Check {
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Parser)]
struct RunArguments {
    /// The directory with keys and messages.
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    hub: String,
    #[arg(long)]
    peer: Identifier,
    /// The stream that it sends to.
    #[arg(long)]
    sender: String,
    /// The stream that it receives from.
    #[arg(long)]
    receiver: String,
    /// Accepts the channel that the other opens.
    #[arg(long)]
    accept: bool,
    /// How many messages it sends, and how many it expects.
    #[arg(long)]
    messages: u64,
    #[arg(long)]
    seed: u64,
    /// Writes effects to this file instead of through the transaction.
    #[arg(long)]
    plain: Option<PathBuf>,
    /// Ends without warning between the effect of this message and the mark, the first time.
    #[arg(long, requires = "plain")]
    die_at: Option<u64>,
    /// Messages whose marks may be missing in the store while the next are handled.
    #[arg(long)]
    unmarked: Option<u64>,
    /// The directory of the store, if it is not that of the keys.
    #[arg(long)]
    store: Option<PathBuf>,
    /// Pages that the store's file may have, at most: to SQLite, a disk that is full.
    #[arg(long)]
    pages: Option<u32>,
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Identity { data } => {
            println!("{}", keys::open(&data).await?.1.identifier());
            Ok(())
        }
        Command::Run(arguments) => run(*arguments).await,
        Command::Check { data } => {
            let store = open(&data).await?;
            let (count, in_order) = handler::effects(&store).await?;
            println!("effects {count} {}", if in_order { "in order" } else { "OUT OF ORDER" });
            Ok(())
        }
    }
}

async fn open(data: &Path) -> Result<SqliteDeliveryStore> {
    SqliteDeliveryStore::open(data.join("delivery.db")).await.context("Failed to open the store")
}

async fn run(arguments: RunArguments) -> Result<()> {
    let (vault, identity) = keys::open(&arguments.data).await?;
    let node = Node::with(vault, Limits::default());
    let store = open(arguments.store.as_ref().unwrap_or(&arguments.data)).await?;
    let key = StorageKey::open(&identity, &FileSecrets::new(&arguments.data)).await?;
    if let Some(pages) = arguments.pages {
        let mut transaction = store.transaction().await?;
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(transaction.connection()).await?;
    }
    let traffic = Traffic { seed: arguments.seed };
    let mut options = DeliveryOptions::default();
    options.unmarked = arguments.unmarked.unwrap_or(options.unmarked);
    let effects = Effects::default();
    let delivery = match &arguments.plain {
        None => {
            let handler = Transactional::open(&store, traffic, effects.clone()).await?;
            ReliableDelivery::start_with(&node, &identity, (store.clone(), key), handler, options).await?
        }
        Some(file) => {
            let handler = Plain::open(file, traffic, effects.clone(), arguments.die_at)?;
            ReliableDelivery::start_with(&node, &identity, (store.clone(), key), handler, options).await?
        }
    };
    let (_session, stream) = connect(&node, &identity, &delivery, &arguments).await?;
    tokio::spawn(print_notices(delivery.clone(), stream));
    let progress = print_progress(&delivery, &arguments, &effects);
    let sending = send(&delivery, &store, &arguments, traffic);
    tokio::try_join!(progress, sending)?;
    Ok(())
}

/// The stream and the channel through it.
async fn connect(
    node: &Node,
    identity: &Identity,
    delivery: &ReliableDelivery,
    arguments: &RunArguments,
) -> Result<(HubSession, Stream)> {
    let RunArguments { hub, peer, sender, receiver, accept, .. } = arguments;
    let session = node.keep_connected(hub.clone(), None);
    let stream = Stream::new(node).stream_service("stream_kafka").index_service("stream_kafka_index").client_id(sender);
    if *accept {
        let trust = SecureChannelOptions::trust_only([*peer]);
        let listener = node.create_secure_channel_listener(identity, "listener", trust).await?;
        let stream = stream.expose("listener").keep_connected(&session, sender, receiver)?;
        delivery.accept_over(peer, &stream, &listener)?;
        Ok((session, stream))
    } else {
        let stream = stream.keep_connected(&session, sender, receiver)?;
        delivery.connect_over(peer, &stream, "listener")?;
        Ok((session, stream))
    }
}

/// Sends everything that was not stored by an earlier run: the store knows how many were.
async fn send(
    delivery: &ReliableDelivery,
    store: &SqliteDeliveryStore,
    arguments: &RunArguments,
    traffic: Traffic,
) -> Result<()> {
    let RunArguments { peer, messages, accept, .. } = arguments;
    let mut state = delivery.watch(peer)?;
    let mut next = store.outgoing(peer).await?.next;
    while next <= *messages {
        state.wait_for(|state| state.outstanding.messages < OUTSTANDING_MAX).await?;
        let batch: Vec<u64> = (next..=*messages).take(BATCH as usize).collect();
        let bodies = batch.iter().map(|number| traffic.message(*accept, *number).into()).collect();
        match delivery.send_all(peer, bodies).await {
            Ok(_) => next += batch.len() as u64,
            Err(DeliveryError::Store(StoreError::Full { .. })) => {
                say(format_args!("full"));
                state.changed().await?;
            }
            Err(error) => {
                // Nothing was stored; the same messages are tried again.
                say(format_args!("error {error}"));
                tokio::time::sleep(PROGRESS_EVERY).await;
            }
        }
    }
    Ok(())
}

async fn print_progress(delivery: &ReliableDelivery, arguments: &RunArguments, effects: &Effects) -> Result<()> {
    let mut tick = tokio::time::interval(PROGRESS_EVERY);
    let mut done = false;
    loop {
        tick.tick().await;
        let (handled, outstanding) = (effects.count(), delivery.state(&arguments.peer)?.outstanding.messages);
        say(format_args!("progress {handled} {outstanding}"));
        ensure!(handled <= arguments.messages || arguments.plain.is_some(), "there are more effects than messages");
        if !done && handled >= arguments.messages && outstanding == 0 {
            done = true;
            say(format_args!("done"));
        }
    }
}

/// What either layer tells.
async fn print_notices(delivery: ReliableDelivery, stream: Stream) {
    let (mut deliveries, streams) = (delivery.notices(), stream.notices());
    loop {
        tokio::select! {
            notice = deliveries.recv() => match notice {
                Ok(notice) => say(format_args!("notice {notice:?}")),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(_) => return,
            },
            notice = streams.next() => say(format_args!("notice {notice:?}")),
        }
    }
}

/// A line for the test, which may have gone.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
