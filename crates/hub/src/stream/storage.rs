//! What stream services need of a storage: logs that are appended to and read by index, and where clients have stopped.
//!
//! The embedded storage implements these with SQLite, the other with Kafka. All of it is for the task that owns a partition:
//! a [`Log`] is that partition's place in the storage.

use postern_node::identity::Identifier;
use postern_node::stream::{Record, Status};
use std::future::Future;
use std::pin::Pin;

/// Why the storage did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct StorageError {
    pub(crate) status: Status,
    /// For people: what is wrong, and what to do.
    pub(crate) reason: String,
}

impl StorageError {
    pub(crate) fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(Status::Unavailable, reason)
    }
}

pub(crate) type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Work of the storage that goes on while its requester does other things.
pub(crate) type Pending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// What was read from a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Index of the oldest record that is kept.
    pub(crate) first: u64,
    /// Where to go on.
    pub(crate) next: u64,
    pub(crate) records: Vec<Record>,
}

/// How much to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// At most so many records, at least one.
    pub(crate) records: usize,
    /// At most so many bytes of them, unless the first is larger.
    pub(crate) bytes: usize,
}

/// One partition's log.
pub(crate) trait Log: Send + 'static {
    /// Appends records behind those of earlier calls, and returns at once; the work ends when they are stored, with the
    /// index of the last. Dropping it does not take them back.
    fn append(&mut self, records: Vec<Vec<u8>>) -> Pending<u64>;

    /// Reads from an index. `None` if there is nothing at or behind it (yet). If the records there are gone, or the log
    /// ends before the index, the batch says so and has no records.
    fn read(&mut self, from: u64, extent: Extent) -> impl Future<Output = Result<Option<Batch>>> + Send;

    /// Whether `None` from the last [`read`](Self::read) is final, or the storage is still looking.
    fn has_settled(&self) -> bool;

    /// Waits until [`read`](Self::read) may have something that was not announced by an append here.
    fn arrived(&mut self) -> impl Future<Output = ()> + Send;

    /// Index of the oldest record that is kept, as far as is known.
    fn first(&self) -> u64;

    /// Index behind the newest record, as far as is known.
    fn end(&self) -> u64;

    /// Why the storage does not work now, if that is known.
    fn trouble(&self) -> Option<String>;
}

/// A storage with many logs.
pub(crate) trait StreamStorage: Clone + Send + Sync + 'static {
    type Log: Log;

    /// Under which name the catalog knows the service.
    const SERVICE: &'static str;

    /// Creates the stream outside of the catalog, if there is something to create. `known` if the catalog has it already:
    /// then it may exist. The number of its partitions.
    fn create(&self, stream: NewStream, known: bool) -> Pending<u64>;

    /// The log of a partition, which has this id in the catalog.
    fn log(&self, name: &str, partition: u64, id: i64) -> Self::Log;

    /// Deletes a stream with its records.
    fn delete(&self, name: String) -> Pending<()>;
}

/// A stream to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewStream {
    pub(crate) name: String,
    pub(crate) partitions: u64,
    pub(crate) owner: Option<Identifier>,
}

/// A client's place in a stream: whose, which client, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The identity that a secure channel with the hub says; nobody moves another's.
    pub(crate) identity: Option<Identifier>,
    pub(crate) client: String,
    pub(crate) stream: String,
    pub(crate) partition: Option<u64>,
}

/// Where clients have stopped.
pub(crate) trait IndexStorage: Send + Sync + 'static {
    /// What was saved last.
    fn get(&self, place: Place) -> Pending<Option<u64>>;

    /// Saves. Calls take effect in order; a later `get` sees them.
    fn save(&self, place: Place, index: u64) -> Result<()>;
}
