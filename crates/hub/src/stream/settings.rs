//! The table `[streams]` of the hub's configuration.

use postern_node::identity::Identifier;
use serde::Deserialize;
use std::time::Duration;

/// Bytes of the records of all streams: chosen; in memory as much as a small machine can spare.
const BYTES_ON_DISK: u64 = 4 * 1024 * 1024 * 1024;
const BYTES_IN_MEMORY: u64 = 64 * 1024 * 1024;
/// One identity alone takes at most a quarter of the bytes; all who have none, half of bytes and streams.
const PART_OF_IDENTITY: u64 = 4;
const PART_OF_ANONYMOUS: u64 = 2;

/// Limits of the embedded streams, and of how many streams of either kind there are. The defaults are those of an empty table.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StreamSettings {
    /// Streams of each service, embedded or Kafka.
    pub(crate) streams: usize,
    /// Streams of one identity.
    pub(crate) streams_per_identity: usize,
    /// Partitions of one stream.
    pub(crate) partitions: u64,
    /// Bytes of all records together.
    pub(crate) bytes: Option<u64>,
    /// Bytes of the records of one stream: above that, its oldest are deleted.
    pub(crate) bytes_per_stream: u64,
    /// Records, and streams that nobody uses, are deleted after so many days.
    pub(crate) days: u64,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            streams: 1_024,
            streams_per_identity: 64,
            partitions: 16,
            bytes: None,
            bytes_per_stream: 256 * 1024 * 1024,
            days: 14,
        }
    }
}

impl StreamSettings {
    /// The quotas; records are kept in memory, or on the disk.
    pub(crate) fn quotas(&self, in_memory: bool) -> Quotas {
        Quotas {
            streams: self.streams,
            streams_per_identity: self.streams_per_identity,
            partitions: self.partitions,
            bytes: self.bytes.unwrap_or(if in_memory { BYTES_IN_MEMORY } else { BYTES_ON_DISK }),
            bytes_per_stream: self.bytes_per_stream,
            expiry: Duration::from_secs(self.days.saturating_mul(24 * 3_600)),
        }
    }
}

/// What streams may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotas {
    pub(crate) streams: usize,
    pub(crate) streams_per_identity: usize,
    pub(crate) partitions: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_per_stream: u64,
    pub(crate) expiry: Duration,
}

impl Quotas {
    /// Streams of one owner; those without an owner count as one's.
    pub(crate) fn streams_of(&self, owner: Option<&Identifier>) -> usize {
        match owner {
            Some(_) => self.streams_per_identity,
            None => self.streams / PART_OF_ANONYMOUS as usize,
        }
    }

    /// Bytes of one owner's streams.
    pub(crate) fn bytes_of(&self, owner: Option<&Identifier>) -> u64 {
        match owner {
            Some(_) => self.bytes / PART_OF_IDENTITY,
            None => self.bytes / PART_OF_ANONYMOUS,
        }
    }
}
