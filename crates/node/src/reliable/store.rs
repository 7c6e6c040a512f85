//! What a [`DeliveryStore`] keeps: for each peer what it has not acknowledged, and how far its own messages were handled.
//!
//! ```text
//! outgoing   sequence:  … acknowledged │ acknowledged + 1 … next − 1 │ next …        counter = sequence − base
//!                         deleted      │ outstanding, encrypted      │ free
//! incoming   epoch ─► last handled, its stamp, the one begun
//! ```
//!
//! Messages are numbered by a **sequence** that never starts again; a new epoch only moves `base`, so that nothing stored has to
//! be encrypted or numbered anew.

use super::message_id::{Epoch, Stamp};
use super::storage_key::StorageKey;
use crate::identity::Identifier;
use bytes::Bytes;
use std::fmt;

/// Largest body of a message, in bytes: with its headers it fits a frame (1 MiB), sealed twice.
pub const BODY_SIZE_MAX: usize = 512 * 1024;
/// Epochs that are remembered of one sender. A sender makes another one when a backup was restored.
pub const EPOCHS_MAX: usize = 16;

/// Why a store failed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The peer has acknowledged too little.
    #[error(
        "{} messages ({} bytes) are not acknowledged yet, and no more than {} ({} bytes) are kept: \
         send again when the peer has come back, or open the store with a larger capacity",
        used.messages, used.bytes, capacity.messages, capacity.bytes
    )]
    Full {
        /// What is outstanding.
        used: Usage,
        /// What may be.
        capacity: Usage,
    },
    /// The file system has no room.
    #[error("the disk of the delivery store is full: free some space, and send again. What is stored is not lost")]
    DiskFull,
    /// The key that bodies are encrypted with is another one, or the file was altered.
    #[error("a stored message cannot be decrypted: open the store with the storage key that it was written with")]
    WrongKey,
    /// The cryptographic library has no randomness to give.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// Anything else.
    #[error("the delivery store failed: {0}")]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Wraps a store's own error.
    pub fn failed(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(reason.into())
    }
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Messages, and bytes of their encrypted bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Usage {
    /// What a store keeps for each peer, unless it is opened with another capacity.
    pub const DEFAULT_CAPACITY: Self = Self { messages: 1_000_000, bytes: 1 << 30 };

    /// Adds a message of so many bytes, if it fits `capacity`.
    pub fn add(&mut self, bytes: usize, capacity: Self) -> bool {
        let more = Self { messages: self.messages + 1, bytes: self.bytes + bytes as u64 };
        let fits = more.messages <= capacity.messages && more.bytes <= capacity.bytes;
        if fits {
            *self = more;
        }
        fits
    }
}

/// What is kept of the messages to one peer, without the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// Names the counters that are given out now.
    pub epoch: Epoch,
    /// Sequence less counter.
    pub base: u64,
    /// Sequence of the next message.
    pub next: u64,
    /// Highest sequence that the peer has acknowledged; everything up to it is deleted.
    pub acknowledged: u64,
    /// Stamp of that message; zeros if none of this epoch was acknowledged.
    pub acknowledged_stamp: Stamp,
    /// What is outstanding.
    pub used: Usage,
}

impl Outgoing {
    /// Of a peer that nothing was sent to.
    pub fn new(epoch: Epoch) -> Self {
        let (used, acknowledged_stamp) = (Usage::default(), Stamp::default());
        Self { epoch, base: 0, next: 1, acknowledged: 0, acknowledged_stamp, used }
    }

    /// The same messages in another epoch, numbered from 1.
    #[must_use]
    pub fn in_epoch(self, epoch: Epoch) -> Self {
        Self { epoch, base: self.acknowledged, acknowledged_stamp: Stamp::default(), ..self }
    }
}

/// An outstanding message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its place among those to this peer.
    pub sequence: u64,
    /// Its stamp.
    pub stamp: Stamp,
    /// Its encrypted body.
    pub sealed: Vec<u8>,
}

/// A message that is to be stored. A store gives it a sequence, and gets its encrypted body for that.
#[derive(Clone)]
pub struct Draft {
    pub(super) peer: Identifier,
    pub(super) body: Bytes,
    stamp: Stamp,
    key: StorageKey,
}

impl Draft {
    /// A message to a peer.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub fn new(key: &StorageKey, peer: Identifier, body: Bytes) -> Result<Self> {
        let stamp = Stamp::random().map_err(|_| StoreError::NoRandomness)?;
        Ok(Self { peer, body, stamp, key: key.clone() })
    }

    /// Whom it is for.
    pub fn peer(&self) -> &Identifier {
        &self.peer
    }

    /// Its stamp.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Length of its encrypted body in bytes.
    pub fn sealed_len(&self) -> usize {
        self.body.len() + StorageKey::OVERHEAD
    }

    /// Its encrypted body, for that place among the messages to its peer.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`].
    pub fn seal(&self, sequence: u64) -> Result<Vec<u8>> {
        self.key.seal(&self.peer, sequence, &self.body)
    }
}

/// Never shows the body.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("peer", &self.peer).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// How many of several messages were stored.
#[derive(Debug)]
pub struct Appended {
    /// Sequence of the first; the others follow.
    pub first: u64,
    /// So many; the rest found no room.
    pub count: usize,
    /// What is outstanding now.
    pub used: Usage,
    /// What may be.
    pub capacity: Usage,
}

/// How far the messages of one sender and epoch were handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Incoming {
    /// Counter of the last message that was handled; 0 if none was.
    pub last: u64,
    /// Its stamp.
    pub stamp: Stamp,
    /// Counter of the last message that a handler was called with, or was about to be.
    pub begun: u64,
}

impl Incoming {
    /// What has got furthest of both.
    #[must_use]
    pub fn later(self, other: Self) -> Self {
        let furthest = if other.last > self.last { other } else { self };
        Self { begun: self.begun.max(other.begun), ..furthest }
    }
}

/// What is written when a message was handled, or is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The sender.
    pub peer: Identifier,
    /// The epoch.
    pub epoch: Epoch,
    /// How far.
    pub incoming: Incoming,
}

/// Keeps what must survive a restart. Only one program may have it open.
///
/// Three degrees of durability: what [`append`](Self::append), [`new_epoch`](Self::new_epoch) and [`sync`](Self::sync) have done
/// survives a loss of power when they return; what [`commit`](Self::commit) and [`acknowledge`](Self::acknowledge) have done
/// survives the end of the process, and a loss of power after the next of the former. What is written survives in the order in
/// which it was written.
///
/// Every call is atomic. Dropping a future leaves open whether the call takes effect, never half of it.
pub trait DeliveryStore: Send + Sync + 'static {
    /// What a handler writes through. Dropping it undoes what was written.
    type Transaction: Send + 'static;

    /// The peers for whom something is outstanding.
    fn peers(&self) -> impl Future<Output = Result<Vec<Identifier>>> + Send;

    /// What is kept of the messages to a peer; made with a random epoch if there is nothing.
    fn outgoing(&self, peer: &Identifier) -> impl Future<Output = Result<Outgoing>> + Send;

    /// Stores messages to one peer, in order. Each group is stored whole or not at all, and none behind one that finds no room.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room for the first group.
    fn append(&self, peer: &Identifier, groups: Vec<Vec<Draft>>) -> impl Future<Output = Result<Appended>> + Send;

    /// The oldest outstanding messages behind a sequence, at most so many and so many bytes, but the first in any case.
    fn read(
        &self,
        peer: &Identifier,
        after: u64,
        messages: usize,
        bytes: usize,
    ) -> impl Future<Output = Result<Vec<StoredMessage>>> + Send;

    /// The stamp of an outstanding message.
    fn stamp(&self, peer: &Identifier, sequence: u64) -> impl Future<Output = Result<Option<Stamp>>> + Send;

    /// Deletes the messages to a peer up to a sequence, and remembers the stamp of the last. Returns what is outstanding.
    fn acknowledge(&self, peer: &Identifier, sequence: u64, stamp: Stamp)
    -> impl Future<Output = Result<Usage>> + Send;

    /// Puts what is outstanding for a peer into a new random epoch ([`Outgoing::in_epoch`]).
    fn new_epoch(&self, peer: &Identifier) -> impl Future<Output = Result<Outgoing>> + Send;

    /// How far the messages of a sender were handled. Of more than [`EPOCHS_MAX`] epochs the oldest are forgotten.
    fn incoming(&self, peer: &Identifier, epoch: &Epoch) -> impl Future<Output = Result<Incoming>> + Send;

    /// Begins a transaction.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;

    /// Writes progress, and stores messages that are to be sent because of it, together with what was written through the
    /// transaction. Returns the sequences of the messages.
    ///
    /// Progress never goes back: of what is there and what is written, the later of each is kept, in whatever order calls are
    /// executed.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no room for all messages.
    fn commit(
        &self,
        transaction: Option<Self::Transaction>,
        progress: Progress,
        drafts: Vec<Draft>,
    ) -> impl Future<Output = Result<Vec<u64>>> + Send;

    /// Makes sure that everything written before survives a loss of power.
    fn sync(&self) -> impl Future<Output = Result<()>> + Send;
}
