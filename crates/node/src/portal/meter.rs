//! Counting what streams carry, cheaply enough for every read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what some streams of one end of a portal carry, and how many are live.
///
/// Every holder reads it at any time; streams count with one relaxed addition for every read and every message.
#[derive(Debug, Default)]
pub struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
    live: AtomicU64,
}

impl Meter {
    /// Bytes sent to the other end of the portal.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that came from the other end of the portal.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Streams that were let in and have not ended.
    pub fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts one more live stream, unless there are `max` already.
    pub(super) fn enter(self: &Arc<Self>, max: u64) -> Option<LiveStream> {
        let more = |live: u64| (live < max).then(|| live + 1);
        let entered = self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.is_ok().then(|| LiveStream(self.clone()))
    }
}

/// A stream that counts as live until this is dropped.
pub(super) struct LiveStream(Arc<Meter>);

impl LiveStream {
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.0
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_enter_than_may() {
        let meter = Arc::new(Meter::default());
        let first = meter.enter(2);
        let second = meter.enter(2);
        assert!(first.is_some() && second.is_some() && meter.enter(2).is_none());
        assert_eq!(meter.live(), 2);
        drop(first);
        assert!(meter.enter(2).is_some());
        drop(second);
        assert_eq!(meter.live(), 0);
    }
}
