//! Flow control: how far the other end of a stream may send ahead of this end's socket.
//!
//! ```text
//! beside interactive streams   the window        a small message on the same connections waits for little
//! among bulk streams, or alone + burst           fewer, larger frames wake every process on the path less often
//! over a distance              window doubles    as long as the other end must be waiting for credit
//! ```
//!
//! A [`ReceiveWindow`] belongs to one end of a stream and grants credit for what the socket took. The [`FlowControlPool`]
//! bounds what all windows of a node have grown by, and shares the burst allowance. Nothing here reads the clock: the caller
//! passes the node's uptime.

use crate::round_trip::RoundTrip;
use postern_env::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The window of a new stream: bytes that one end takes beyond what its socket has taken. Small, so that a small message on
/// the same connection waits for little.
pub const INITIAL_WINDOW: u64 = 64 * 1024;
/// The burst allowance that the streams of a node share while none of them is interactive. Measured: bulk throughput against
/// the latency beside it (`bench/results.md`).
const BURST_POOL: u64 = 4 * 1024 * 1024;
/// The least and the most of it for one stream.
const BURST_PER_STREAM: (u64, u64) = (128 * 1024, 960 * 1024);
/// Bytes that a window grows to at most: the bandwidth-delay product of 100 MB/s and a round-trip time of 80 ms.
pub(super) const MAX_WINDOW: u64 = 8 * 1024 * 1024;
/// Bytes that all windows of a node together may have grown by over a distance, and again by bursts; and what may wait in a node
/// from peers without windows. Chosen: bounds memory.
const POOL_MAX: u64 = 64 * 1024 * 1024;
/// Computation of a handshake, on both sides together, which is not part of the round-trip time. Measured.
const HANDSHAKE_WORK: Duration = Duration::from_millis(3);
/// A stream that moves at most so many bytes at once is interactive: its user waits for just these. Chosen.
const INTERACTIVE_MAX: usize = 4 * 1024;
/// How long an interactive stream that moved something takes precedence, and how long a stream that moved more counts as
/// bulk. Chosen: the limit below which a reaction feels immediate.
const INTERACTIVE_HOLD: Duration = Duration::from_millis(100);
/// A stream that takes a quarter of its window within this time is busy, and its burst doubles: so what is in flight lasts no
/// longer than a few times this.
const BURST_GROW_WITHIN: Duration = Duration::from_millis(10);
/// A stream that takes longer than this loses its burst.
const BURST_STOP_AFTER: Duration = Duration::from_millis(40);

/// What the windows of all streams of one node share.
#[derive(Default)]
pub(crate) struct FlowControlPool {
    /// Bytes by which windows have grown over a distance.
    grown: AtomicU64,
    /// Bytes of bursts.
    burst: AtomicU64,
    /// Bytes that wait for the sockets of streams whose peers have no flow control.
    uncontrolled: AtomicU64,
    /// Streams that are running: they share the burst allowance.
    streams: AtomicU64,
    /// The interactive stream that moved something last, by the address of its [`InteractivityTracker`], and the uptime in
    /// microseconds until which it takes precedence.
    interactive: (AtomicUsize, AtomicU64),
    /// Bytes that streams have moved since the node was made.
    moved: AtomicU64,
}

/// The uptime in microseconds until which a stream counts as bulk.
#[derive(Default)]
pub(super) struct InteractivityTracker(AtomicU64);

impl InteractivityTracker {
    fn id(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// A running stream, until this is dropped.
pub(super) struct RunningStream<'a>(&'a FlowControlPool);

impl Drop for RunningStream<'_> {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl FlowControlPool {
    /// Counts a stream that begins to run.
    pub(super) fn join(&self) -> RunningStream<'_> {
        self.streams.fetch_add(1, Ordering::Relaxed);
        RunningStream(self)
    }

    /// Reserves room for bytes that wait although nobody granted them, if there is any; [`free_uncontrolled`](Self::free_uncontrolled)
    /// gives it back.
    pub(super) fn reserve_uncontrolled(&self, bytes: u64) -> bool {
        reserve(&self.uncontrolled, bytes)
    }

    pub(super) fn free_uncontrolled(&self, bytes: u64) {
        self.uncontrolled.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A stream has moved so many bytes at once, in either direction.
    pub(super) fn on_bytes(&self, now: Duration, interactivity: &InteractivityTracker, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        if bytes > INTERACTIVE_MAX {
            interactivity.0.store(micros(now + INTERACTIVE_HOLD), Ordering::Relaxed);
        } else if interactivity.0.load(Ordering::Relaxed) <= micros(now) {
            self.interactive.0.store(interactivity.id(), Ordering::Relaxed);
            self.interactive.1.store(micros(now + INTERACTIVE_HOLD), Ordering::Relaxed);
        }
    }

    /// Bytes that streams have moved since the node was made, in both directions.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// The burst that this stream may have now, beside its window.
    fn burst_allowance(&self, now: Duration, interactivity: &InteractivityTracker) -> u64 {
        let beside_interactive = self.interactive.0.load(Ordering::Relaxed) != interactivity.id()
            && micros(now) < self.interactive.1.load(Ordering::Relaxed);
        match beside_interactive {
            true => 0,
            false => {
                (BURST_POOL / self.streams.load(Ordering::Relaxed).max(1)).clamp(BURST_PER_STREAM.0, BURST_PER_STREAM.1)
            }
        }
    }
}

fn micros(uptime: Duration) -> u64 {
    uptime.as_micros() as u64
}

/// Reserves bytes of the pool, if enough are left.
fn reserve(used: &AtomicU64, bytes: u64) -> bool {
    let enough = used.fetch_add(bytes, Ordering::Relaxed) + bytes <= POOL_MAX;
    if !enough {
        used.fetch_sub(bytes, Ordering::Relaxed);
    }
    enough
}

/// The receive window of one end of a stream.
pub(super) struct ReceiveWindow {
    pool: Arc<FlowControlPool>,
    /// Bytes of the window, whatever other streams do.
    size: u64,
    /// Bytes of the burst, counted until the other end has used them up: credit cannot be taken back.
    burst: u64,
    /// Bytes that the other end may send in total.
    granted: u64,
    /// The uptime then.
    granted_at: Duration,
    round_trip: Arc<RoundTrip>,
}

impl ReceiveWindow {
    /// A window whose first grant is made now, over a channel with this `round_trip`.
    pub(super) fn new(pool: &Arc<FlowControlPool>, now: Duration, round_trip: Arc<RoundTrip>) -> Self {
        Self {
            pool: pool.clone(),
            size: INITIAL_WINDOW,
            burst: 0,
            granted: INITIAL_WINDOW,
            granted_at: now,
            round_trip,
        }
    }

    /// Bytes that the other end may send in total.
    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    /// The new limit to send as credit, once the socket of this stream took enough to be worth a message.
    pub(super) fn grant(&mut self, now: Duration, interactivity: &InteractivityTracker, written: u64) -> Option<u64> {
        let more = self.pending_increase(written)?;
        let time = now.saturating_sub(self.granted_at);
        if limits_throughput(self.size, more, time, self.round_trip.get().saturating_sub(HANDSHAKE_WORK)) {
            self.grow();
        }
        let wanted = match time {
            _ if time < BURST_GROW_WITHIN => (2 * self.burst).max(INITIAL_WINDOW),
            _ if time < BURST_STOP_AFTER => self.burst,
            _ => 0,
        };
        let burst = wanted.min(self.pool.burst_allowance(now, interactivity));
        if burst < self.burst {
            self.shrink_burst(burst, written);
            self.pending_increase(written)?;
        } else if reserve(&self.pool.burst, burst - self.burst) {
            self.burst = burst;
        }
        self.granted = written + self.size + self.burst;
        self.granted_at = now;
        Some(self.granted)
    }

    /// By how much the limit could be raised, if that is a quarter of the window.
    fn pending_increase(&self, written: u64) -> Option<u64> {
        let size = self.size + self.burst;
        let more = (written + size).saturating_sub(self.granted);
        (more >= size / 4).then_some(more)
    }

    /// Credit cannot be taken back: less is granted for what the socket took, until the burst is used up.
    fn shrink_burst(&mut self, burst: u64, written: u64) {
        let used_up = (written + self.size + self.burst).saturating_sub(self.granted).min(self.burst - burst);
        self.burst -= used_up;
        self.pool.burst.fetch_sub(used_up, Ordering::Relaxed);
    }

    fn grow(&mut self) {
        let more = self.size;
        if self.size + more <= MAX_WINDOW && reserve(&self.pool.grown, more) {
            self.size += more;
        }
    }
}

impl Drop for ReceiveWindow {
    fn drop(&mut self) {
        self.pool.grown.fetch_sub(self.size - INITIAL_WINDOW, Ordering::Relaxed);
        self.pool.burst.fetch_sub(self.burst, Ordering::Relaxed);
    }
}

/// Whether a whole window of `size`, at the rate at which `bytes` were taken within `time`, lasts less than two round
/// trips: credit then comes too late.
fn limits_throughput(size: u64, bytes: u64, time: Duration, round_trip: Duration) -> bool {
    time.as_nanos() * u128::from(size) < 2 * round_trip.as_nanos() * u128::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn round_trip(took: Duration) -> Arc<RoundTrip> {
        Arc::new(RoundTrip::of_handshake(took))
    }

    #[test]
    fn a_window_follows_the_round_trip_time_of_its_channel() {
        let pool = &Arc::new(FlowControlPool::default());
        let (this, way) = (&InteractivityTracker::default(), round_trip(MS));
        // Somebody else is interactive, so that there are no bursts.
        pool.on_bytes(3600 * 1000 * MS, &InteractivityTracker::default(), 1);
        let mut window = ReceiveWindow::new(pool, MS, way.clone());
        let mut now = MS;
        let mut take_all = |window: &mut ReceiveWindow| {
            now += 200 * MS;
            window.grant(now, this, window.granted)
        };
        assert!(take_all(&mut window).is_some());
        assert_eq!(window.size, INITIAL_WINDOW, "the way is short: one window in 200 ms is as fast as the service");
        way.told(200 * MS);
        for _ in 0..10 {
            take_all(&mut window);
        }
        assert_eq!(window.size, MAX_WINDOW);
    }

    #[test]
    fn a_window_is_short_when_it_lasts_less_than_two_round_trips() {
        assert!(limits_throughput(400, 100, 10 * MS, 21 * MS));
        assert!(!limits_throughput(400, 100, 10 * MS, 20 * MS));
        assert!(!limits_throughput(400, 100, Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn windows_grow_over_a_distance_within_what_the_node_has_for_all() {
        let pool = &Arc::new(FlowControlPool::default());
        let (this, now) = (&InteractivityTracker::default(), MS);
        pool.on_bytes(now, &InteractivityTracker::default(), 1);
        let far: &mut Vec<ReceiveWindow> =
            &mut (0..16).map(|_| ReceiveWindow::new(pool, MS, round_trip(Duration::from_secs(3600)))).collect();
        for window in far.iter_mut() {
            let mut written = 0;
            while let Some(limit) = window.grant(now, this, written + window.size).filter(|_| written < 20 * MAX_WINDOW)
            {
                written = limit - window.size;
            }
        }
        assert!(far.iter().all(|window| window.size <= MAX_WINDOW));
        assert_eq!(far[0].size, MAX_WINDOW);
        assert!(far[15].size < MAX_WINDOW);
        let sum: u64 = far.iter().map(|window| window.size - INITIAL_WINDOW).sum();
        assert!(sum > POOL_MAX / 2 && sum <= POOL_MAX);
        far.clear();
        assert_eq!(pool.grown.load(Ordering::Relaxed), 0);
    }

    /// What a window of one near stream is after each of these times, in which the whole of it was taken.
    fn sizes(near: &mut ReceiveWindow, interactivity: &InteractivityTracker, times: &[Duration]) -> Vec<u64> {
        let mut now = near.granted_at;
        let mut size_after = |&time: &Duration| {
            now += time;
            let written = near.granted;
            near.grant(now, interactivity, written).map_or(0, |limit| (limit - written) / INITIAL_WINDOW)
        };
        times.iter().map(&mut size_after).collect()
    }

    #[test]
    fn a_busy_stream_runs_ahead_and_a_slow_one_does_not() {
        let pool = &Arc::new(FlowControlPool::default());
        let interactivity = &InteractivityTracker::default();
        let near = &mut ReceiveWindow::new(pool, MS, round_trip(HANDSHAKE_WORK));
        assert_eq!(near.grant(near.granted_at, interactivity, INITIAL_WINDOW / 4 - 1), None);
        assert_eq!(sizes(near, interactivity, &[MS; 6]), [2, 3, 5, 9, 16, 16]);
        assert_eq!(pool.burst.load(Ordering::Relaxed), BURST_PER_STREAM.1);
        assert_eq!(
            sizes(near, interactivity, &[BURST_GROW_WITHIN, BURST_STOP_AFTER, BURST_GROW_WITHIN, MS]),
            [16, 1, 1, 2]
        );
        // Many share what there is.
        let _running: Vec<_> = (0..1000).map(|_| pool.join()).collect();
        assert_eq!(sizes(near, interactivity, &[MS; 3]), [3, 3, 3]);
    }

    #[test]
    fn nobody_runs_ahead_beside_a_light_stream() {
        let pool = &Arc::new(FlowControlPool::default());
        let (this, interactive) = (&InteractivityTracker::default(), &InteractivityTracker::default());
        let near = &mut ReceiveWindow::new(pool, MS, round_trip(HANDSHAKE_WORK));
        let now = near.granted_at;
        pool.on_bytes(now, this, INTERACTIVE_MAX);
        assert_eq!(sizes(near, this, &[MS; 5]), [2, 3, 5, 9, 16]);

        // Nothing more is granted until the other end is no more ahead than it may be.
        let (now, granted) = (near.granted_at, near.granted);
        pool.on_bytes(now, interactive, INTERACTIVE_MAX);
        assert_eq!(near.grant(now, this, granted - INITIAL_WINDOW), None);
        assert_eq!(pool.burst.load(Ordering::Relaxed), 0);
        assert_eq!(near.grant(now, this, granted - INITIAL_WINDOW / 2), Some(granted + INITIAL_WINDOW / 2));
        assert_eq!(sizes(near, this, &[MS, INTERACTIVE_HOLD, MS]), [1, 1, 2]);
    }

    #[test]
    fn a_stream_that_moves_much_is_not_light_for_a_while() {
        let (windows, this, other) =
            (FlowControlPool::default(), &InteractivityTracker::default(), &InteractivityTracker::default());
        let is_held_back = |now| windows.burst_allowance(now, this) == 0;
        windows.on_bytes(MS, other, INTERACTIVE_MAX + 1);
        windows.on_bytes(INTERACTIVE_HOLD, other, 1);
        assert!(!is_held_back(INTERACTIVE_HOLD));
        windows.on_bytes(INTERACTIVE_HOLD + MS, other, INTERACTIVE_MAX);
        assert!(is_held_back(INTERACTIVE_HOLD + MS) && is_held_back(2 * INTERACTIVE_HOLD));
        assert!(!is_held_back(2 * INTERACTIVE_HOLD + MS));
    }

    #[test]
    fn what_is_granted_ahead_is_bounded_and_given_back() {
        let pool = &Arc::new(FlowControlPool::default());
        let mut many: Vec<ReceiveWindow> =
            (0..100).map(|_| ReceiveWindow::new(pool, MS, round_trip(Duration::ZERO))).collect();
        for window in many.iter_mut() {
            sizes(window, &InteractivityTracker::default(), &[MS; 5]);
        }
        let burst: u64 = many.iter().map(|window| window.burst).sum();
        assert!(burst > POOL_MAX / 2 && burst <= POOL_MAX);
        many.clear();
        assert_eq!(pool.burst.load(Ordering::Relaxed), 0);
    }
}
