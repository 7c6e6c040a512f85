//! What a node counts: numbers only, nothing about who or where.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that several tasks count at once.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Sets the number, where one task knows it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Counts less.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }
}

/// What a node has carried since it started, and what it holds now.
#[derive(Debug, Default)]
pub struct Stats {
    /// TCP connections to other nodes, now.
    pub connections: Counter,
    /// Connections, handshakes, relays and streams refused because of a limit.
    pub refused: Counter,
    /// Frames read from other nodes.
    pub frames: Counter,
    /// Bytes of those frames.
    pub bytes: Counter,
    /// Messages that went nowhere.
    pub dropped: Counter,
    /// Relays that this node keeps for others, now.
    pub relays: Counter,
    /// Messages that relays have forwarded.
    pub relayed: Counter,
    /// Secure channels open now.
    pub channels: Counter,
    /// Handshakes that failed or were given up.
    pub failed_handshakes: Counter,
    /// Portal streams open now.
    pub streams: Counter,
}
