//! How often an idle connection is used, so that no NAT or load balancer on the path forgets it, and so that its loss is noticed.

use crate::sync::lock;
use postern_env::time::{Duration, Instant};
use std::sync::Mutex;

/// Bounds of the interval. The shorter is below what any balancer in use cuts (10 s), the longer below 60 s, which most have.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(50);
/// The first interval: eight packets a minute in each direction, at most ten being wanted.
const FIRST: Duration = Duration::from_secs(15);
/// A connection that nothing was cut on for so long is asked a quarter less often. Chosen: most of an hour to the longest interval.
const LONGER_AFTER: Duration = Duration::from_secs(10 * 60);
/// A connection that ended after less time without traffic was not cut for being idle.
const IDLE_MIN: Duration = Duration::from_secs(4);

/// The interval of the connections that one session makes, one after the other.
pub(crate) struct KeepAlive(Mutex<State>);

struct State {
    interval: Duration,
    /// Since when it has been right.
    held_since: Option<Instant>,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self(Mutex::new(State { interval: FIRST, held_since: None }))
    }
}

impl KeepAlive {
    /// How long nothing may be sent or received.
    pub(super) fn interval(&self) -> Duration {
        lock(&self.0).interval
    }

    /// A ping was answered.
    pub(super) fn held(&self, now: Instant) {
        let mut state = lock(&self.0);
        let since = *state.held_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= LONGER_AFTER {
            *state = State { interval: (state.interval * 5 / 4).min(LONGEST), held_since: Some(now) };
        }
    }

    /// The connection was cut when it had been idle for so long: the interval is halved, from there if that is less.
    pub(super) fn cut(&self, idle: Duration) {
        if idle >= IDLE_MIN {
            let mut state = lock(&self.0);
            *state = State { interval: (state.interval.min(idle) / 2).max(SHORTEST), held_since: None };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time;

    #[test]
    fn the_interval_is_halved_when_an_idle_connection_is_cut_and_grows_slowly() {
        let (keep_alive, start) = (KeepAlive::default(), time::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        keep_alive.cut(Duration::from_secs(1));
        assert_eq!(keep_alive.interval(), FIRST);
        keep_alive.held(start);
        keep_alive.held(after(599));
        assert_eq!(keep_alive.interval(), FIRST);
        keep_alive.held(after(600));
        assert_eq!(keep_alive.interval(), FIRST * 5 / 4);
        for step in 2..20 {
            keep_alive.held(after(600 * step));
        }
        assert_eq!(keep_alive.interval(), LONGEST);
        // A balancer that cuts after 10 s does so once.
        keep_alive.cut(Duration::from_secs(10));
        assert_eq!(keep_alive.interval(), SHORTEST);
        keep_alive.cut(Duration::from_secs(60));
        assert_eq!(keep_alive.interval(), SHORTEST);
    }
}
