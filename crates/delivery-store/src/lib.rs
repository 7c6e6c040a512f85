//! A [`DeliveryStore`] in SQLite: deliveries that survive the end of the process, and a loss of power.
//!
//! ```text
//! ReliableDelivery ── commands ──► Owner ── one transaction for all that wait ──► file.db (write-ahead log)
//! handler ◄────── lent ─────────── (has the connection)
//! ```
//!
//! One task owns the connection. What waits for it at the same time is written by one transaction, so that many messages cost one
//! sync of the disk. While a handler writes through its transaction, the connection is lent to it.
//!
//! | what | survives |
//! |---|---|
//! | messages that were sent, new epochs, what was synced before an acknowledgement | a loss of power (`synchronous=FULL`) |
//! | marks of messages that were handled or begun, deletions | the end of the process; a loss of power after the next of the above (`NORMAL`) |
//!
//! The file is the program's too: a handler writes its own tables through [`SqliteTransaction::connection`], and its effect takes
//! place exactly once. Bodies of messages are encrypted before they come here; what a program writes is not.
//! `PRAGMA user_version` belongs to the store.
//!
//! # Example
//!
//! A handler that counts the messages of each sender, exactly:
//!
//! ```
//! use postern_delivery_store::SqliteDeliveryStore;
//! use postern_node::reliable::{Handler, Received};
//! use postern_node::WorkerError;
//!
//! #[derive(Clone)]
//! struct Counter;
//!
//! impl Handler<SqliteDeliveryStore> for Counter {
//!     async fn handle(&mut self, message: &mut Received<'_, SqliteDeliveryStore>) -> Result<(), WorkerError> {
//!         let from = message.from().to_string();
//!         let transaction = message.transaction().await?;
//!         let count = "INSERT INTO counts VALUES (?, 1) ON CONFLICT (sender) DO UPDATE SET messages = messages + 1";
//!         sqlx::query(count).bind(from).execute(transaction.connection()).await?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let store = SqliteDeliveryStore::open(directory.path().join("delivery.db")).await?;
//! let mut setup = store.transaction().await?;
//! let table = "CREATE TABLE IF NOT EXISTS counts (sender TEXT PRIMARY KEY, messages INTEGER NOT NULL) STRICT";
//! sqlx::query(table).execute(setup.connection()).await?;
//! setup.commit().await?;
//! // Now `ReliableDelivery::start(&node, &identity, store, key, Counter)`.
//! # Ok(())
//! # }
//! ```

mod file;
mod owner;
mod records;
mod transaction;

pub use file::OpenError;
pub use transaction::SqliteTransaction;

use owner::{Answer, Command, Commit, Owner};
use postern_env::task;
use postern_node::identity::Identifier;
use postern_node::reliable::{
    Appended, DeliveryStore, Draft, Epoch, Incoming, Outgoing, Progress, Stamp, StoreError, StoredMessage, Usage,
};
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for the connection; whoever has more waits. Chosen: several peers with a few each.
const COMMANDS_MAX: usize = 256;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A store in an SQLite file. Clones are handles to the same; the file is closed when the last is dropped and no transaction is
/// open.
#[derive(Clone)]
pub struct SqliteDeliveryStore {
    commands: mpsc::Sender<Command>,
}

impl SqliteDeliveryStore {
    /// Opens or creates a file, whose directory must exist. No other process can open it meanwhile.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Usage::DEFAULT_CAPACITY).await
    }

    /// The same with a capacity for each peer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_with(path: impl AsRef<Path>, capacity: Usage) -> Result<Self, OpenError> {
        let connection = file::open(path.as_ref()).await?;
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        task::spawn(Owner::new(connection, capacity).run(waiting));
        Ok(Self { commands })
    }

    /// A transaction of the program's own. While it is open the deliveries wait; dropping it undoes what was written.
    ///
    /// # Errors
    /// [`StoreError`]: the file cannot be written.
    pub async fn transaction(&self) -> Result<SqliteTransaction> {
        self.ask(Command::Begin).await
    }

    /// Waits until everything that was asked before is written, and closes the file. Other handles fail from then on.
    pub async fn close(&self) {
        let _ = self.ask(Command::Close).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let closed = || StoreError::failed("the file was closed");
        self.commands.send(command(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

impl DeliveryStore for SqliteDeliveryStore {
    type Transaction = SqliteTransaction;

    async fn peers(&self) -> Result<Vec<Identifier>> {
        self.ask(Command::Peers).await
    }

    async fn outgoing(&self, peer: &Identifier) -> Result<Outgoing> {
        self.ask(|answer| Command::Outgoing(*peer, answer)).await
    }

    async fn append(&self, peer: &Identifier, groups: Vec<Vec<Draft>>) -> Result<Appended> {
        self.ask(|answer| Command::Append(*peer, groups, answer)).await
    }

    async fn read(&self, peer: &Identifier, after: u64, messages: usize, bytes: usize) -> Result<Vec<StoredMessage>> {
        self.ask(|answer| Command::Read { peer: *peer, after, messages, bytes, answer }).await
    }

    async fn stamp(&self, peer: &Identifier, sequence: u64) -> Result<Option<Stamp>> {
        self.ask(|answer| Command::Stamp(*peer, sequence, answer)).await
    }

    async fn acknowledge(&self, peer: &Identifier, sequence: u64, stamp: Stamp) -> Result<Usage> {
        self.ask(|answer| Command::Acknowledge(*peer, sequence, stamp, answer)).await
    }

    async fn new_epoch(&self, peer: &Identifier) -> Result<Outgoing> {
        self.ask(|answer| Command::NewEpoch(*peer, answer)).await
    }

    async fn incoming(&self, peer: &Identifier, epoch: &Epoch) -> Result<Incoming> {
        self.ask(|answer| Command::Incoming(*peer, *epoch, answer)).await
    }

    async fn begin(&self) -> Result<SqliteTransaction> {
        self.transaction().await
    }

    async fn commit(
        &self,
        transaction: Option<SqliteTransaction>,
        progress: Progress,
        drafts: Vec<Draft>,
    ) -> Result<Vec<u64>> {
        let commit = Commit { progress: Some(progress), drafts };
        match transaction {
            None => self.ask(|answer| Command::Commit(commit, answer)).await,
            Some(transaction) => transaction.finish(commit).await,
        }
    }

    async fn sync(&self) -> Result<()> {
        self.ask(Command::Sync).await
    }
}
