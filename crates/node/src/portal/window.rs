//! How far the other end of a stream may be ahead of this end's socket.
//!
//! ```text
//! beside light streams      WINDOW   a small message on the same connections waits for little
//! among busy ones, or alone more     nobody waits, and large frames wake every process on the way less often
//! over a distance           doubles  as long as the other end must be waiting for credit
//! ```

use super::stream::WINDOW;
use crate::node::Core;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes by which the windows of a node's streams together are larger while none of them is light.
const AHEAD: u64 = 4 * 1024 * 1024;
/// The least and most of that for one stream.
const AHEAD_EACH: (u64, u64) = (128 * 1024, 960 * 1024);
/// Bytes that a window grows to at most: enough for 100 MB/s over 80 ms.
pub(super) const WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// Bytes that all windows of a node together may have grown by over a distance, and again may be ahead by.
const EXTRA_MAX: u64 = 64 * 1024 * 1024;
/// What a handshake costs both sides: a round trip no longer than that is no distance.
const HANDSHAKE_WORK: Duration = Duration::from_millis(3);
/// A stream that moves so few bytes at once is light: somebody waits for just these.
const LIGHT: usize = 4 * 1024;
/// How long others mind a light stream that has moved something, and how long a stream that has moved more is none.
const MINDED: Duration = Duration::from_millis(100);
/// A stream that takes a quarter of its window within this is busy, and may be twice as far ahead: so what is ahead
/// never lasts long.
const BUSY: Duration = Duration::from_millis(10);
/// A stream that takes longer for it is not ahead any more.
const SLOW: Duration = Duration::from_millis(40);

/// What the windows of one node share.
#[derive(Default)]
pub(crate) struct Windows {
    /// Bytes by which windows have grown over a distance.
    grown: AtomicU64,
    /// Bytes by which busy streams are ahead.
    ahead: AtomicU64,
    /// The light stream that moved something last, by the place of its [`Weight`], and the uptime in microseconds until
    /// which others mind it.
    light: (AtomicUsize, AtomicU64),
}

/// The uptime in microseconds until which a stream is not light.
#[derive(Default)]
pub(super) struct Weight(AtomicU64);

impl Weight {
    fn place(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Windows {
    /// A stream has moved so many bytes at once, the one way or the other.
    pub(super) fn moved(&self, now: Duration, weight: &Weight, bytes: usize) {
        if bytes > LIGHT {
            weight.0.store(micros(now + MINDED), Ordering::Relaxed);
        } else if weight.0.load(Ordering::Relaxed) <= micros(now) {
            self.light.0.store(weight.place(), Ordering::Relaxed);
            self.light.1.store(micros(now + MINDED), Ordering::Relaxed);
        }
    }

    /// How far ahead this stream may be of what it may be in any case.
    fn share(&self, now: Duration, weight: &Weight, streams: u64) -> u64 {
        let beside_light = self.light.0.load(Ordering::Relaxed) != weight.place()
            && micros(now) < self.light.1.load(Ordering::Relaxed);
        match beside_light {
            true => 0,
            false => (AHEAD / streams.max(1)).clamp(AHEAD_EACH.0, AHEAD_EACH.1),
        }
    }
}

fn micros(uptime: Duration) -> u64 {
    uptime.as_micros() as u64
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
    /// The uptime then.
    granted_at: Duration,
    round_trip: Duration,
}

impl Window {
    /// A window whose first grant is made now, over a channel whose handshake took `round_trip`.
    pub(super) fn new(core: &Arc<Core>, round_trip: Duration) -> Self {
        let round_trip = round_trip.saturating_sub(HANDSHAKE_WORK);
        Self { core: core.clone(), size: WINDOW, ahead: 0, granted: WINDOW, granted_at: core.uptime(), round_trip }
    }

    /// What the other end may send in all.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// A new limit, when the socket of this stream has taken so much that it is worth a message.
    pub(super) fn grant(&mut self, now: Duration, weight: &Weight, taken: u64) -> Option<u64> {
        let more = self.more(taken)?;
        let time = now.saturating_sub(self.granted_at);
        if is_short(self.size, more, time, self.round_trip) {
            self.grow();
        }
        let wanted = match time {
            _ if time < BUSY => (2 * self.ahead).max(WINDOW),
            _ if time < SLOW => self.ahead,
            _ => 0,
        };
        let ahead = wanted.min(self.core.windows.share(now, weight, self.core.stats.streams.get()));
        if ahead < self.ahead {
            self.fall_back(ahead, taken);
            self.more(taken)?;
        } else if reserve(&self.core.windows.ahead, ahead - self.ahead) {
            self.ahead = ahead;
        }
        self.granted = taken + self.size + self.ahead;
        self.granted_at = now;
        Some(self.granted)
    }

    /// By how much the limit could be raised, if that is a quarter of the window.
    fn more(&self, taken: u64) -> Option<u64> {
        let size = self.size + self.ahead;
        let more = (taken + size).saturating_sub(self.granted);
        (more >= size / 4).then_some(more)
    }

    /// What was granted cannot be taken back: as much less is granted for what has been taken.
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
        let (core, this, now) = (node.core(), &Weight::default(), MS);
        core.windows.moved(now, &Weight::default(), 1);
        let far: &mut Vec<Window> = &mut (0..16).map(|_| Window::new(core, Duration::from_secs(3600))).collect();
        for window in far.iter_mut() {
            let mut taken = 0;
            while let Some(limit) = window.grant(now, this, taken + window.size).filter(|_| taken < 20 * WINDOW_MAX) {
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

    /// What a window of one near stream is after each of these times, in which the whole of it was taken.
    fn sizes(near: &mut Window, weight: &Weight, times: &[Duration]) -> Vec<u64> {
        let mut now = near.granted_at;
        let mut size_after = |&time: &Duration| {
            now += time;
            let taken = near.granted;
            near.grant(now, weight, taken).map_or(0, |limit| (limit - taken) / WINDOW)
        };
        times.iter().map(&mut size_after).collect()
    }

    #[tokio::test]
    async fn a_busy_stream_runs_ahead_and_a_slow_one_does_not() {
        let node = crate::Node::new();
        let (core, weight) = (node.core(), &Weight::default());
        let near = &mut Window::new(core, HANDSHAKE_WORK);
        assert_eq!(near.grant(near.granted_at, weight, WINDOW / 4 - 1), None);
        assert_eq!(sizes(near, weight, &[MS; 6]), [2, 3, 5, 9, 16, 16]);
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), AHEAD_EACH.1);
        assert_eq!(sizes(near, weight, &[BUSY, SLOW, BUSY, MS]), [16, 1, 1, 2]);
        // Many share what there is.
        core.stats.streams.add(1000);
        assert_eq!(sizes(near, weight, &[MS; 3]), [3, 3, 3]);
    }

    #[tokio::test]
    async fn nobody_runs_ahead_beside_a_light_stream() {
        let node = crate::Node::new();
        let (core, this, light) = (node.core(), &Weight::default(), &Weight::default());
        let near = &mut Window::new(core, HANDSHAKE_WORK);
        let now = near.granted_at;
        core.windows.moved(now, this, LIGHT);
        assert_eq!(sizes(near, this, &[MS; 5]), [2, 3, 5, 9, 16]);

        // Nothing more is granted until the other end is no more ahead than it may be.
        let (now, granted) = (near.granted_at, near.granted);
        core.windows.moved(now, light, LIGHT);
        assert_eq!(near.grant(now, this, granted - WINDOW), None);
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), 0);
        assert_eq!(near.grant(now, this, granted - WINDOW / 2), Some(granted + WINDOW / 2));
        assert_eq!(sizes(near, this, &[MS, MINDED, MS]), [1, 1, 2]);
    }

    #[test]
    fn a_stream_that_moves_much_is_not_light_for_a_while() {
        let (windows, this, other) = (Windows::default(), &Weight::default(), &Weight::default());
        let is_minded = |now| windows.share(now, this, 1) == 0;
        windows.moved(MS, other, LIGHT + 1);
        windows.moved(MINDED, other, 1);
        assert!(!is_minded(MINDED));
        windows.moved(MINDED + MS, other, LIGHT);
        assert!(is_minded(MINDED + MS) && is_minded(2 * MINDED));
        assert!(!is_minded(2 * MINDED + MS));
    }

    #[tokio::test]
    async fn what_is_granted_ahead_is_bounded_and_given_back() {
        let node = crate::Node::new();
        let core = node.core();
        let mut many: Vec<Window> = (0..100).map(|_| Window::new(core, Duration::ZERO)).collect();
        for window in many.iter_mut() {
            sizes(window, &Weight::default(), &[MS; 5]);
        }
        let ahead: u64 = many.iter().map(|window| window.ahead).sum();
        assert!(ahead > EXTRA_MAX / 2 && ahead <= EXTRA_MAX);
        many.clear();
        assert_eq!(core.windows.ahead.load(Ordering::Relaxed), 0);
    }
}
