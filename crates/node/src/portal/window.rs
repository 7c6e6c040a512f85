//! How far the other end of a stream may be ahead of this end's socket.
//!
//! ```text
//! beside light streams      WINDOW   a small message on the same connections waits for little
//! among busy ones, or alone more     nobody waits, and every process on the way wakes up less often
//! over a distance           doubles  as long as the other end must be waiting for credit
//! ```

use super::stream::WINDOW;
use crate::node::Core;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Bytes by which the windows of a node's streams together are larger while none of them is light.
const AHEAD: u64 = 4 * 1024 * 1024;
/// The least and most of that for one stream.
const AHEAD_EACH: (u64, u64) = (128 * 1024, 896 * 1024);
/// Bytes that a window grows to at most: enough for 100 MB/s over 80 ms.
pub(super) const WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// Bytes that all windows of a node together may have grown by over a distance, and again may be ahead by.
const EXTRA_MAX: u64 = 64 * 1024 * 1024;
/// What a handshake costs both sides: a round trip no longer than that is no distance.
const HANDSHAKE_WORK: Duration = Duration::from_millis(5);
/// A stream that moves so few bytes at once is light: somebody waits for just these.
const LIGHT: usize = 4 * 1024;
/// Milliseconds for which others mind a light stream after it has moved something.
const MINDED: u64 = 100;
/// A stream that takes a quarter of its window within this is busy.
const BUSY: Duration = Duration::from_millis(100);

/// What the windows of one node share.
#[derive(Default)]
pub(crate) struct Windows {
    /// Bytes by which windows have grown over a distance.
    grown: AtomicU64,
    /// Bytes by which busy streams are ahead.
    ahead: AtomicU64,
    /// The light stream that moved something last, and when, in milliseconds of uptime.
    light: (AtomicUsize, AtomicU64),
}

impl Windows {
    /// A stream, told from others by any number of its own, has moved so many bytes.
    pub(super) fn moved(&self, core: &Core, stream: usize, bytes: usize) {
        if bytes <= LIGHT {
            self.light.0.store(stream, Ordering::Relaxed);
            self.light.1.store(core.uptime_ms(), Ordering::Relaxed);
        }
    }

    /// How far ahead this stream may be of what it may be in any case.
    fn ahead_of(&self, core: &Core, stream: usize) -> u64 {
        let beside_light = self.light.0.load(Ordering::Relaxed) != stream
            && core.uptime_ms().saturating_sub(self.light.1.load(Ordering::Relaxed)) < MINDED;
        match beside_light {
            true => 0,
            false => (AHEAD / core.stats.streams.get().max(1)).clamp(AHEAD_EACH.0, AHEAD_EACH.1),
        }
    }
}

/// Takes from what a node has for all its windows, if enough is left.
fn reserve(used: &AtomicU64, bytes: u64) -> bool {
    let enough = used.fetch_add(bytes, Ordering::Relaxed) + bytes <= EXTRA_MAX;
    if !enough {
        used.fetch_sub(bytes, Ordering::Relaxed);
    }
    enough
}

/// The credit window of one end of a stream.
pub(super) struct Window {
    core: Arc<Core>,
    /// Bytes, whatever other streams do.
    size: u64,
    /// Bytes more, counted until the other end has used them up: what was granted cannot be taken back.
    ahead: u64,
    /// What the other end may send in all.
    granted: u64,
    granted_at: Instant,
    round_trip: Duration,
}

impl Window {
    /// A window whose first grant is made now, over a channel whose handshake took `round_trip`.
    pub(super) fn new(core: &Arc<Core>, round_trip: Duration) -> Self {
        let round_trip = round_trip.saturating_sub(HANDSHAKE_WORK);
        Self { core: core.clone(), size: WINDOW, ahead: 0, granted: WINDOW, granted_at: Instant::now(), round_trip }
    }

    /// What the other end may send in all.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// A new limit, when the socket of this stream has taken so much that it is worth a message.
    pub(super) fn grant(&mut self, stream: usize, taken: u64) -> Option<u64> {
        let ahead = self.core.windows.ahead_of(&self.core, stream);
        if self.ahead > ahead {
            self.fall_back(ahead, taken);
        }
        let size = self.size + self.ahead;
        let more = (taken + size).saturating_sub(self.granted);
        if more < size / 4 {
            return None;
        }
        let now = Instant::now();
        let time = now - self.granted_at;
        if is_short(self.size, more, time, self.round_trip) {
            self.grow();
        }
        let missing = ahead.saturating_sub(self.ahead);
        if time < BUSY && reserve(&self.core.windows.ahead, missing) {
            self.ahead += missing;
        }
        self.granted = taken + self.size + self.ahead;
        self.granted_at = now;
        Some(self.granted)
    }

    fn fall_back(&mut self, ahead: u64, taken: u64) {
        let used_up = (taken + self.size + self.ahead).saturating_sub(self.granted).min(self.ahead - ahead);
        self.ahead -= used_up;
        self.core.windows.ahead.fetch_sub(used_up, Ordering::Relaxed);
    }

    fn grow(&mut self) {
        let more = self.size;
        if self.size + more <= WINDOW_MAX && reserve(&self.core.windows.grown, more) {
            self.size += more;
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.core.windows.grown.fetch_sub(self.size - WINDOW, Ordering::Relaxed);
        self.core.windows.ahead.fetch_sub(self.ahead, Ordering::Relaxed);
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
        let core = node.core();
        let far: &mut Vec<Window> = &mut (0..16).map(|_| Window::new(core, Duration::from_secs(3600))).collect();
        for window in far.iter_mut() {
            core.windows.moved(core, 1, 1);
            let mut taken = 0;
            while let Some(limit) = window.grant(0, taken + window.size).filter(|_| taken < 20 * WINDOW_MAX) {
                taken = limit - window.size;
            }
        }
        assert!(far.iter().all(|window| window.size <= WINDOW_MAX));
        assert_eq!(far[0].size, WINDOW_MAX);
        assert!(far[15].size < WINDOW_MAX);
        let sum: u64 = far.iter().map(|window| window.size - WINDOW).sum();
        assert!(sum > EXTRA_MAX / 2 && sum <= EXTRA_MAX);
        far.clear();
        assert_eq!(core.windows.grown.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_busy_stream_is_ahead_as_long_as_no_light_one_is_beside_it() {
        let node = crate::Node::new();
        let core = node.core();
        let (this, light) = (1, 2);
        let near = &mut Window::new(core, HANDSHAKE_WORK);
        core.windows.moved(core, light, LIGHT);
        let mut taken = WINDOW;
        assert_eq!(near.grant(this, taken), Some(taken + WINDOW));
        assert_eq!(near.grant(this, taken + WINDOW / 4 - 1), None);

        let most = WINDOW + AHEAD_EACH.1;
        core.windows.moved(core, this, 1);
        core.windows.moved(core, light, LIGHT + 1);
        taken += WINDOW / 4;
        assert_eq!(near.grant(this, taken), Some(taken + most));
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), AHEAD_EACH.1);

        // Nothing more is granted until the other end is no more ahead than it may be beside a light one.
        core.windows.moved(core, light, 1);
        let granted = taken + most;
        assert_eq!(near.grant(this, granted - WINDOW), None);
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), 0);
        assert_eq!(near.grant(this, granted - WINDOW / 2), Some(granted + WINDOW / 2));

        // One that takes little is not worth it.
        core.windows.moved(core, this, 1);
        near.granted_at -= BUSY;
        assert_eq!(near.grant(this, granted), Some(granted + WINDOW));

        // Many share what there is.
        core.stats.streams.add(1000);
        assert_eq!(near.grant(this, granted + WINDOW), Some(granted + 2 * WINDOW + AHEAD_EACH.0));
    }

    #[tokio::test]
    async fn what_is_granted_ahead_is_bounded_and_given_back() {
        let node = crate::Node::new();
        let core = node.core();
        core.windows.moved(core, 0, 1);
        let mut many: Vec<Window> = (0..100).map(|_| Window::new(core, Duration::ZERO)).collect();
        let limits: Vec<u64> = many.iter_mut().filter_map(|window| window.grant(0, WINDOW)).collect();
        let ahead: u64 = limits.iter().map(|limit| limit - 2 * WINDOW).sum();
        assert!(ahead > EXTRA_MAX / 2 && ahead <= EXTRA_MAX);
        many.clear();
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), 0);
    }
}
