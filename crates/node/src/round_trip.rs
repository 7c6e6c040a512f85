//! The round-trip time of a channel, as far as it is known: that of the handshake first, then what liveness probes measure.

use crate::sync::lock;
use postern_env::time::Duration;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Measurements in a row that must show that the way became longer. Chosen: one that is late because a machine was busy
/// changes nothing.
const SAMPLES: usize = 3;
/// The longest round-trip time that a probe can show. Chosen: more than over a satellite (0.6 s); beyond, messages wait in a
/// queue, and larger windows would only lengthen it.
const MEASURED_MAX: Duration = Duration::from_secs(1);

/// The round-trip time of the way that a channel takes, without what waits in queues. Everything that uses the channel
/// shares it.
#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    /// In microseconds.
    estimate: AtomicU64,
    recent: Mutex<[Duration; SAMPLES]>,
}

impl RoundTrip {
    /// That of a channel whose handshake took so long, there and back.
    pub(crate) fn of_handshake(took: Duration) -> Self {
        let this = Self::default();
        this.set(took);
        this
    }

    /// The estimate now; zero if nothing is known.
    pub(crate) fn get(&self) -> Duration {
        Duration::from_micros(self.estimate.load(Ordering::Relaxed))
    }

    /// A probe took so long. It shows at once that the way is shorter. That it is longer it shows only while little is sent
    /// (`is_idle`), because a transfer fills queues, and only if those before it agree.
    pub(crate) fn measured(&self, took: Duration, is_idle: bool) {
        let took = took.min(MEASURED_MAX);
        if !is_idle && took >= self.get() {
            return;
        }
        let shortest = {
            let mut recent = lock(&self.recent);
            recent.rotate_left(1);
            recent[SAMPLES - 1] = took;
            recent.iter().min().copied().unwrap_or_default()
        };
        self.estimate.store(micros(shortest), Ordering::Relaxed);
    }

    /// The other end of the channel has measured so much.
    pub(crate) fn told(&self, estimate: Duration) {
        self.set(estimate.min(MEASURED_MAX));
    }

    fn set(&self, estimate: Duration) {
        *lock(&self.recent) = [estimate; SAMPLES];
        self.estimate.store(micros(estimate), Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The estimate in milliseconds after each of these probes of an idle channel.
    fn after(round_trip: &RoundTrip, probes: &[u32]) -> Vec<u128> {
        let after = |&took: &u32| {
            round_trip.measured(took * MS, true);
            round_trip.get().as_millis()
        };
        probes.iter().map(after).collect()
    }

    #[test]
    fn a_longer_way_is_believed_once_probes_agree_and_a_shorter_one_at_once() {
        let round_trip = RoundTrip::of_handshake(4 * MS);
        assert_eq!(after(&round_trip, &[200, 210, 205, 190]), [4, 4, 200, 190]);
        assert_eq!(after(&round_trip, &[3, 90, 3, 2]), [3, 3, 3, 2]);
        assert_eq!(after(&round_trip, &[60_000; 3]).last(), Some(&MEASURED_MAX.as_millis()));
    }

    #[test]
    fn a_transfer_makes_no_way_longer() {
        let round_trip = RoundTrip::of_handshake(20 * MS);
        for _ in 0..10 {
            round_trip.measured(900 * MS, false);
        }
        assert_eq!(round_trip.get(), 20 * MS);
        round_trip.measured(10 * MS, false);
        assert_eq!(round_trip.get(), 10 * MS);
    }

    #[test]
    fn what_the_other_end_measured_is_bounded() {
        let round_trip = RoundTrip::of_handshake(MS);
        round_trip.told(200 * MS);
        assert_eq!(round_trip.get(), 200 * MS);
        round_trip.told(Duration::MAX);
        assert_eq!(round_trip.get(), MEASURED_MAX);
    }
}
