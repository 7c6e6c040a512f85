//! How far the other end of a stream may be ahead of this end's socket.

use super::stream::WINDOW;
use crate::node::Core;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes that a window grows to at most: enough for 100 MB/s over 80 ms.
pub(super) const WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// Bytes that all windows of a node together may have grown by.
const GROWN_MAX: u64 = 64 * 1024 * 1024;
/// What a handshake costs both sides: a round trip no longer than that is no distance.
const HANDSHAKE_WORK: Duration = Duration::from_millis(5);

/// The credit window of one end of a stream. It starts at [`WINDOW`] and doubles as long as the way there and back
/// is so long that the other end must be waiting for credit.
pub(super) struct Window {
    core: Arc<Core>,
    /// Bytes.
    size: u64,
    /// What the other end may send in all.
    granted: u64,
    granted_at: Instant,
    round_trip: Duration,
}

impl Window {
    /// A window whose first grant is made now, over a channel whose handshake took `round_trip`.
    pub(super) fn new(core: &Arc<Core>, round_trip: Duration) -> Self {
        let round_trip = round_trip.saturating_sub(HANDSHAKE_WORK);
        Self { core: core.clone(), size: WINDOW, granted: WINDOW, granted_at: Instant::now(), round_trip }
    }

    /// What the other end may send in all.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// A new limit, when the socket has taken so much that it is worth a message.
    pub(super) fn grant(&mut self, taken: u64) -> Option<u64> {
        let more = (taken + self.size).saturating_sub(self.granted);
        if more < self.size / 4 {
            return None;
        }
        let now = Instant::now();
        if is_short(self.size, more, now - self.granted_at, self.round_trip) {
            self.grow();
        }
        self.granted = taken + self.size;
        self.granted_at = now;
        Some(self.granted)
    }

    fn grow(&mut self) {
        let more = self.size;
        if self.size + more > WINDOW_MAX {
            return;
        }
        if self.core.grown.fetch_add(more, Ordering::Relaxed) + more > GROWN_MAX {
            self.core.grown.fetch_sub(more, Ordering::Relaxed);
            return;
        }
        self.size += more;
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.core.grown.fetch_sub(self.size - WINDOW, Ordering::Relaxed);
    }
}

/// Whether a whole window of `size`, at the rate at which `bytes` were taken within `time`, lasts less than two round
/// trips: credit then comes too late.
fn is_short(size: u64, bytes: u64, time: Duration, round_trip: Duration) -> bool {
    time.as_nanos() * u128::from(size) < 2 * round_trip.as_nanos() * u128::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_window_is_short_when_it_lasts_less_than_two_round_trips() {
        assert!(is_short(400, 100, 10 * MS, 21 * MS));
        assert!(!is_short(400, 100, 10 * MS, 20 * MS));
        assert!(!is_short(400, 100, Duration::ZERO, Duration::ZERO));
    }

    #[tokio::test]
    async fn windows_grow_over_a_distance_within_what_the_node_has_for_all() {
        let node = crate::Node::new();
        let near = &mut Window::new(node.core(), HANDSHAKE_WORK);
        let far: &mut Vec<Window> = &mut (0..16).map(|_| Window::new(node.core(), Duration::from_secs(3600))).collect();
        let mut taken = 0;
        for _ in 0..10 {
            taken += WINDOW;
            assert_eq!(near.grant(taken), Some(taken + WINDOW));
        }
        assert_eq!(near.grant(taken + WINDOW / 4 - 1), None);
        let mut sum = 0;
        for window in far.iter_mut() {
            let mut taken = 0;
            while let Some(limit) = window.grant(taken + window.size).filter(|_| taken < 20 * WINDOW_MAX) {
                taken = limit - window.size;
            }
            assert!(window.size <= WINDOW_MAX);
            sum += window.size - WINDOW;
        }
        assert_eq!(far[0].size, WINDOW_MAX);
        assert!(far[15].size < WINDOW_MAX);
        assert!(sum > GROWN_MAX / 2 && sum <= GROWN_MAX);
        far.clear();
        assert_eq!(node.core().grown.load(Ordering::Relaxed), 0);
    }
}
