//! What stream services count.

use postern_node::Counter;

/// What one service has done since the hub started, and what it holds now.
#[derive(Debug, Default)]
pub(crate) struct StreamStats {
    /// Streams there are now.
    pub(crate) streams: Counter,
    /// Partitions that are open now.
    pub(crate) partitions: Counter,
    /// Pulls that wait for a record now.
    pub(crate) held_pulls: Counter,
    /// Records behind the last one that somebody asked for, over all open partitions.
    pub(crate) lag: Counter,
    pub(crate) produced: Counter,
    pub(crate) produced_bytes: Counter,
    pub(crate) consumed: Counter,
    pub(crate) consumed_bytes: Counter,
    /// Records that were pushed again and dropped.
    pub(crate) repeated: Counter,
    /// Requests refused because of a quota, a rate limit, or whose the stream is.
    pub(crate) refused: Counter,
    /// Requests that the storage failed.
    pub(crate) errors: Counter,
}
