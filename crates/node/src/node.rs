//! A [`Node`] is a running messaging runtime: its addresses, connections, identities, channels, relays and portals.

use crate::address::Address;
use crate::context::Context;
use crate::delivery::Undeliverable;
use crate::error::{Error, Result};
use crate::identity::{Identity, KnownIdentities, Timestamp};
use crate::portal::FlowControlPool;
use crate::router::{Origin, Router};
use crate::stats::Stats;
use crate::tcp::{Connection, MAX_FRAME, TcpConnection, TcpListener};
use crate::vault::{MemoryVault, Vault};
use crate::worker::{self, Worker};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long [`Node::shutdown`] waits for workers to finish.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of each thing a node holds at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// TCP connections; more are refused when they come in.
    pub connections: u64,
    /// Relays of all owners together.
    pub relays: usize,
    /// Relays of one owner.
    pub relays_per_owner: usize,
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
            relays: 16_384,
            relays_per_owner: 64,
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
    /// Begins the end: nothing new is taken, and everything says goodbye over connections that still stand.
    pub(crate) stopping: CancellationToken,
    /// Then the channels and connections end.
    pub(crate) disconnecting: CancellationToken,
    pub(crate) connections: TaskTracker,
    pub(crate) stats: Stats,
    pub(crate) limits: Limits,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) known: KnownIdentities,
    /// What the windows of streams share.
    pub(crate) windows: FlowControlPool,
    started: Instant,
}

impl Core {
    /// Milliseconds since the node was made.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.uptime().as_millis() as u64
    }

    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts a message that went nowhere.
    pub(crate) fn dropped(&self, reason: Undeliverable) {
        self.stats.dropped.add(1);
        tracing::debug!(%reason, "a message was dropped");
    }
}

/// A running messaging runtime. Clones are handles to the same node.
///
/// It needs a tokio runtime with I/O and time. It runs until [`shutdown`](Self::shutdown); dropping the handle
/// leaves it running.
#[derive(Clone)]
pub struct Node {
    core: Arc<Core>,
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    /// A node with its secrets in memory.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// A node with its secrets in memory and limits of its own.
    pub fn with_limits(limits: Limits) -> Self {
        Self::with(Arc::new(MemoryVault::in_memory()), limits)
    }

    /// A node with a vault and limits of its own.
    pub fn with(vault: Arc<dyn Vault>, limits: Limits) -> Self {
        let core = Core {
            router: Router::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            disconnecting: CancellationToken::new(),
            connections: TaskTracker::new(),
            stats: Stats::default(),
            limits,
            vault,
            known: KnownIdentities::default(),
            windows: FlowControlPool::default(),
            started: Instant::now(),
        };
        Self { core: Arc::new(core) }
    }

    /// A mailbox with a fresh address, to send and receive with.
    pub fn context(&self) -> Result<Context> {
        self.context_at(Address::random())
    }

    /// A mailbox with an address of its own.
    ///
    /// # Errors
    /// [`Error::AddressTaken`].
    pub fn context_at(&self, address: impl Into<Address>) -> Result<Context> {
        Context::open(&self.core, address.into(), self.core.stopping.child_token())
    }

    /// Starts a worker at an address. Only this node reaches it, until it is [exposed](Self::expose).
    ///
    /// # Errors
    /// [`Error::AddressTaken`].
    pub fn start_worker(&self, address: impl Into<Address>, worker: impl Worker) -> Result<()> {
        let context = self.context_at(address)?;
        self.core.tasks.spawn(worker::run(worker, context));
        Ok(())
    }

    /// Stops whatever has the address: it gets no more messages. Says whether there was anything.
    ///
    /// A worker finishes the messages it already has.
    pub fn stop(&self, address: impl Into<Address>) -> bool {
        self.core.router.remove(&address.into())
    }

    /// Lets messages that come from `flow` reach `address`: everything else from outside is refused.
    ///
    /// A listener stands for all the connections or channels that it accepts.
    ///
    /// # Errors
    /// [`Error::NoSuchAddress`].
    pub fn expose(&self, address: impl Into<Address>, origin: &impl Origin) -> Result<()> {
        let address = address.into();
        if self.core.router.expose(&address, origin.origin()) { Ok(()) } else { Err(Error::NoSuchAddress(address)) }
    }

    /// Listens for connections from other nodes at `host:port`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`TcpError::Listen`](crate::tcp::TcpError::Listen).
    pub async fn tcp_listen(&self, address: impl AsRef<str>) -> Result<TcpListener> {
        Ok(TcpListener::listen(&self.core, address.as_ref()).await?)
    }

    /// Connects to another node at `host:port`.
    ///
    /// # Errors
    /// [`TcpError::Connect`](crate::tcp::TcpError::Connect) and [`TcpError::Timeout`](crate::tcp::TcpError::Timeout).
    pub async fn tcp_connect(&self, address: impl AsRef<str>) -> Result<TcpConnection> {
        Ok(Connection::connect(&self.core, address.as_ref(), None).await?)
    }

    /// Makes a new identity, with its key in the node's vault.
    ///
    /// # Errors
    /// [`Error::Vault`] when the vault refuses.
    pub async fn create_identity(&self) -> Result<Identity> {
        Ok(Identity::create(self.core.vault.clone(), Timestamp::now()).await?)
    }

    /// The histories of the identities that this node has met.
    pub fn known_identities(&self) -> &KnownIdentities {
        &self.core.known
    }

    /// What this node has carried, and what it holds now.
    pub fn stats(&self) -> &Stats {
        &self.core.stats
    }

    /// Waits until the node is shut down.
    pub async fn stopped(&self) {
        self.core.stopping.cancelled().await;
    }

    /// Stops everything: first listeners, workers and portals, which say goodbye; then channels and connections, which
    /// send what is queued.
    ///
    /// Waits until all is done, at most [`SHUTDOWN_TIMEOUT`] for either half.
    pub async fn shutdown(&self) {
        self.core.stopping.cancel();
        for (begin, tasks) in [(None, &self.core.tasks), (Some(&self.core.disconnecting), &self.core.connections)] {
            begin.inspect(|begin| begin.cancel());
            tasks.close();
            let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, tasks.wait()).await;
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}
