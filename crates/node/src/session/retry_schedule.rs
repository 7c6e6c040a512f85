//! When a session with a hub tries again: soon after a short outage, so that a restart is hardly noticed; seldom during a long
//! one, which spares batteries and, when it returns, the hub.
//!
//! ```text
//! at once, spread over 0.1 s ─► doubling up to a fifth of the outage ─► after a minute up to 30 s
//!                               0.5 s to 1.6 s
//! ```
//!
//! A change of the network begins a new outage.

use crate::backoff::Backoff;
use crate::dialing::NetworkMonitor;
use postern_env::random;
use postern_env::time::{self, Duration, Instant};

/// The first attempt of a session follows within this time; a random part of it, so that the peers of a hub that restarted
/// do not come back in one moment. Every later wait is shortened by a random part of up to a half.
pub const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait in the first seconds of an outage. Later it is a fifth of the outage. Chosen: the restart of a hub is
/// noticed with time to spare for connections and handshakes within the 2 s that README promises.
const SHORTEST_LIMIT: Duration = Duration::from_millis(500);
/// Longest wait during the first minute: the promised 2 s, less 0.4 s for connections and handshakes.
pub const LONGEST_RETRY: Duration = Duration::from_millis(1_600);
/// An outage that has lasted so long is a long one.
pub const LONG_OUTAGE: Duration = Duration::from_secs(60);
/// Longest wait during a long outage. Chosen: two attempts a minute; a change of the network ends the wait.
pub const LONG_OUTAGE_RETRY: Duration = Duration::from_secs(30);

/// The waits of one outage.
#[derive(Debug)]
pub(super) struct RetrySchedule {
    since: Instant,
    /// Nothing before the first attempt.
    backoff: Option<Backoff>,
}

impl RetrySchedule {
    /// Of an outage that begins now, or counts as a new one because the network changed.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, backoff: None }
    }

    /// Waits until it is time for the next attempt. `seen` is the number of changes of the network that an attempt was made
    /// after.
    pub(super) async fn wait(&mut self, network: &NetworkMonitor, seen: &mut u64) {
        let wait = self.next(time::now(), random::fraction());
        tokio::select! {
            () = time::sleep(wait) => return,
            () = network.changed(seen) => {}
        }
        *self = Self::new(time::now());
        time::sleep(self.next(time::now(), random::fraction())).await;
    }

    /// The next wait. `random` is a number from 0 (inclusive) to 1.
    fn next(&mut self, now: Instant, random: f32) -> Duration {
        let Some(backoff) = &mut self.backoff else {
            self.backoff = Some(Backoff::new(2 * FIRST_RETRY, SHORTEST_LIMIT));
            return FIRST_RETRY.mul_f64(f64::from(random.clamp(0.0, 1.0)));
        };
        backoff.set_longest(longest_wait(now.saturating_duration_since(self.since)));
        backoff.next(random)
    }
}

/// The longest wait once an outage has lasted so long.
fn longest_wait(outage: Duration) -> Duration {
    match outage < LONG_OUTAGE {
        true => (outage / 5).clamp(SHORTEST_LIMIT, LONGEST_RETRY),
        false => LONG_OUTAGE_RETRY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time::now;

    /// The waits of an outage of this length in which every attempt fails at once.
    fn waits(outage: Duration, random: f32) -> Vec<Duration> {
        let begun = now();
        let (mut schedule, mut elapsed, mut waits) = (RetrySchedule::new(begun), Duration::ZERO, Vec::new());
        while elapsed < outage {
            let wait = schedule.next(begun + elapsed, random);
            elapsed += wait;
            waits.push(wait);
        }
        waits
    }

    #[test]
    fn waits_grow_with_the_outage() {
        let millis: Vec<u128> = waits(Duration::from_secs(4), 0.0).iter().map(Duration::as_millis).collect();
        assert_eq!(millis[..4], [0, 200, 400, 500]);
        let minute = waits(LONG_OUTAGE, 0.0);
        assert_eq!(minute.iter().max(), Some(&LONGEST_RETRY));
        assert!((30..60).contains(&minute.len()), "{}", minute.len());
        let hour = waits(Duration::from_secs(3600), 0.0);
        assert_eq!(hour.last(), Some(&LONG_OUTAGE_RETRY));
        assert!(hour.len() - minute.len() < 130, "{}", hour.len());
    }

    #[tokio::test]
    async fn a_change_of_the_network_ends_the_wait_and_the_long_outage() {
        let (network, mut seen, begun) = (NetworkMonitor::default(), 0, now());
        let mut schedule = RetrySchedule::new(begun);
        while schedule.next(begun + LONG_OUTAGE, 0.0) < LONG_OUTAGE_RETRY {}
        network.announce();
        schedule.wait(&network, &mut seen).await;
        assert!(schedule.since > begun && seen == 1, "it counts as a new outage");
        assert!(schedule.next(schedule.since, 0.0) <= 2 * FIRST_RETRY, "whose first attempt has been made");
    }

    #[test]
    fn the_first_attempts_of_many_are_spread() {
        let first = |random| RetrySchedule::new(now()).next(now(), random);
        assert_eq!((first(0.0), first(0.5)), (Duration::ZERO, FIRST_RETRY / 2));
        assert!(first(0.999) <= FIRST_RETRY);
    }
}
