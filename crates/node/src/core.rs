//! What all parts of one node share: its router, tasks, statistics, limits, vault and known identities.
//!
//! This is the bottom of the runtime: it names nothing that runs on it. What a higher module shares within a node, it
//! keeps in an [`extension`](Core::extension).

use crate::extensions::Extensions;
use crate::identity::KnownIdentities;
use crate::router::Router;
use crate::stats::Stats;
use crate::undeliverable::Undeliverable;
use crate::vault::Vault;
use crate::wire::frame::MAX_FRAME;
use postern_env as env;
use postern_env::time::{self, Duration, Instant};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How much of each thing a node holds at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// TCP connections; more are refused when they come in.
    pub connections: u64,
    /// TCP connections from one source address ([`SourceAddress`](crate::SourceAddress)).
    pub connections_per_address: usize,
    /// Relays of all owners together.
    pub relays: usize,
    /// Relays of one owner.
    pub relays_per_owner: usize,
    /// Relays registered from one source address.
    pub relays_per_address: usize,
    /// Secure channels that others have opened, on each listener.
    pub channels: usize,
    /// Handshakes that others have begun and not finished, on each listener.
    pub handshakes: usize,
    /// TCP streams of each outlet and inlet.
    pub streams: usize,
    /// Bytes of a frame, on a connection over which a secure channel with this node was made; on others at most
    /// [`MAX_FRAME_UNAUTHENTICATED`](crate::tcp::MAX_FRAME_UNAUTHENTICATED) too.
    pub frame: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_address: 1_024,
            relays: 16_384,
            relays_per_owner: 64,
            relays_per_address: 1_024,
            channels: 16_384,
            handshakes: 1_024,
            streams: 16_384,
            frame: MAX_FRAME,
        }
    }
}

/// What all parts of a node share.
pub(crate) struct Core {
    pub(crate) router: Router,
    pub(crate) tasks: TaskTracker,
    /// Begins the shutdown: nothing new is accepted, and channels and streams close over connections that are still open.
    pub(crate) stopping: CancellationToken,
    /// Then the channels and connections end.
    pub(crate) disconnecting: CancellationToken,
    pub(crate) connections: TaskTracker,
    pub(crate) stats: Stats,
    pub(crate) limits: Limits,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) known: KnownIdentities,
    extensions: Extensions,
    started: Instant,
}

impl Core {
    pub(crate) fn new(vault: Arc<dyn Vault>, limits: Limits) -> Self {
        Self {
            router: Router::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            disconnecting: CancellationToken::new(),
            connections: TaskTracker::new(),
            stats: Stats::default(),
            limits,
            vault,
            known: KnownIdentities::default(),
            extensions: Extensions::default(),
            started: time::now(),
        }
    }

    /// Runs a task that the node waits for when it shuts down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        env::task::spawn(self.tasks.track_future(task));
    }

    /// Runs the task of a connection: it goes on until everything else has closed.
    pub(crate) fn spawn_connection(&self, task: impl Future<Output = ()> + Send + 'static) {
        env::task::spawn(self.connections.track_future(task));
    }

    /// What a higher module shares within the node, made when it is first asked for. This module knows only its type.
    pub(crate) fn extension<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.extensions.get()
    }

    /// Milliseconds since the node was made.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.uptime().as_millis() as u64
    }

    pub(crate) fn uptime(&self) -> Duration {
        time::since(self.started)
    }

    /// Counts a message that went nowhere.
    pub(crate) fn dropped(&self, reason: Undeliverable) {
        self.stats.dropped.add(1);
        tracing::debug!(%reason, "a message was dropped");
    }
}
