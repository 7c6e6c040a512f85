//! A [`Node`] is a running messaging runtime: its addresses, connections, identities, channels, relays and portals.

mod channels;
mod connections;
mod deliveries;
mod error;
mod mailboxes;
mod portals;
mod relays;
mod sessions;
mod streams;

pub use error::{Error, Result};

use crate::address::Address;
use crate::context::Context;
use crate::core::{Core, Limits};
use crate::identity::{Identity, KnownIdentities, Timestamp};
use crate::origin::Origin;
use crate::processor::{self, Processor};
use crate::stats::Stats;
use crate::vault::{MemoryVault, Vault};
use crate::worker::{self, Worker, WorkerOptions};
use postern_env::time::{self, Duration};
use std::sync::Arc;

/// How long [`Node::shutdown`] waits for workers to finish.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

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
        Self { core: Arc::new(Core::new(vault, limits)) }
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
        Ok(Context::open(&self.core, address.into(), self.core.stopping.child_token())?)
    }

    /// Starts a worker at an address. Only this node reaches it, until it is [exposed](Self::expose).
    ///
    /// # Errors
    /// [`Error::AddressTaken`].
    pub fn start_worker(&self, address: impl Into<Address>, worker: impl Worker) -> Result<()> {
        let context = self.context_at(address)?;
        self.core.spawn(worker::run(worker, context));
        Ok(())
    }

    /// Starts a worker with limits of its own on who may send to it, and to whom it may send.
    ///
    /// # Errors
    /// [`Error::AddressTaken`].
    pub fn start_worker_with(
        &self,
        address: impl Into<Address>,
        worker: impl Worker,
        options: WorkerOptions,
    ) -> Result<()> {
        let stop = self.core.stopping.child_token();
        let context = Context::open_with(&self.core, address.into(), stop, options.into_policies())?;
        self.core.spawn(worker::run(worker, context));
        Ok(())
    }

    /// Starts a processor at an address, which messages of its context come from and answers go to.
    ///
    /// # Errors
    /// [`Error::AddressTaken`].
    pub fn start_processor(&self, address: impl Into<Address>, processor: impl Processor) -> Result<()> {
        let context = self.context_at(address)?;
        self.core.spawn(processor::run(processor, context));
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
    /// A listener stands for all the connections or channels that it accepts. Nothing needs to have the address yet: then it is
    /// exposed as soon as something takes it. It ends when what has the address stops, or when `flow` ends.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node was shut down.
    pub fn expose(&self, address: impl Into<Address>, origin: &impl Origin) -> Result<()> {
        if self.core.stopping.is_cancelled() {
            return Err(Error::Stopped);
        }
        self.core.router.expose_in_advance(&address.into(), origin.origin());
        Ok(())
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

    /// Stops everything: first listeners, workers and portals, which close their channels and streams; then channels and connections, which
    /// send what is queued.
    ///
    /// Waits until all is done, at most [`SHUTDOWN_TIMEOUT`] for either half.
    pub async fn shutdown(&self) {
        self.core.stopping.cancel();
        for (begin, tasks) in [(None, &self.core.tasks), (Some(&self.core.disconnecting), &self.core.connections)] {
            begin.inspect(|begin| begin.cancel());
            tasks.close();
            let _ = time::timeout(SHUTDOWN_TIMEOUT, tasks.wait()).await;
        }
    }

    /// Begins the shutdown and does not wait for it: for a worker, which the node would wait for.
    pub fn shutdown_in_background(&self) {
        let node = self.clone();
        postern_env::task::spawn(async move { node.shutdown().await });
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Context {
    /// The node that this context belongs to: a worker starts and stops others with it.
    pub fn node(&self) -> Node {
        Node { core: self.core().clone() }
    }
}
