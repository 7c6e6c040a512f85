//! The names of messages.

use postern_env::random;
use std::fmt;
use std::io;

/// Names the series of counters that a store gives out for one peer: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch([u8; 16]);

/// Names a message for good: the same at both ends, over restarts and new channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// Of the sender's store, for this receiver.
    pub epoch: Epoch,
    /// From 1, without gaps.
    pub counter: u64,
}

/// Eight random bytes of a message. They tell two messages apart that two copies of a store gave the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stamp([u8; 8]);

impl Epoch {
    pub(super) const LEN: usize = 16;

    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        random::bytes().map(Self)
    }

    /// The epoch with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(super) fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        input.split_first_chunk().map(|(bytes, rest)| (Self(*bytes), rest))
    }
}

impl Stamp {
    pub(super) const LEN: usize = 8;

    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        random::bytes().map(Self)
    }

    /// The stamp with these bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    pub(super) fn read(input: &[u8]) -> Option<(Self, &[u8])> {
        input.split_first_chunk().map(|(bytes, rest)| (Self(*bytes), rest))
    }
}

/// The first eight hexadecimal digits: enough to tell the epochs of one peer apart in a log.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..4]))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.counter)
    }
}
