//! Exponential backoff with jitter: how long to wait before something that failed is tried again.
//!
//! ```text
//! first, 2 × first, 4 × first … longest, longest …      each changed by the jitter
//! ```
//!
//! The caller passes the randomness and does the waiting, so the sequence is a pure function of what it is given:
//! this module reads no clock, draws no random number and never sleeps.

use std::time::Duration;

/// How the delays of many callers are spread, so that all the peers of a server that restarted do not come back in
/// step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// Not at all: for attempts that put no load on a shared server.
    None,
    /// Each delay is shortened by a random part of up to one half ("equal jitter").
    #[default]
    ShortenByHalf,
    /// Each delay is between three and five quarters of its nominal value.
    WithinQuarter,
}

impl Jitter {
    /// The delay, for a `random` number from 0 (inclusive) to 1.
    fn apply(self, delay: Duration, random: f32) -> Duration {
        // In double precision, so that a jitter of nothing changes nothing.
        let random = f64::from(random.clamp(0.0, 1.0));
        match self {
            Self::None => delay,
            Self::ShortenByHalf => delay.mul_f64(1.0 - random / 2.0),
            Self::WithinQuarter => delay.mul_f64(0.75 + random / 2.0),
        }
    }
}

/// An exponential backoff: a sequence of delays that double from the first up to the longest.
///
/// ```
/// use postern_node::backoff::{Backoff, Jitter};
/// use std::time::Duration;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(500)).with_jitter(Jitter::None);
/// let delays: Vec<u128> = (0..5).map(|_| backoff.next(0.0).as_millis()).collect();
/// assert_eq!(delays, [100, 200, 400, 500, 500]);
///
/// backoff.reset();
/// assert_eq!(backoff.next(0.0).as_millis(), 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter: Jitter,
    /// The nominal delay that comes next.
    delay: Duration,
}

impl Backoff {
    /// Delays from `first` to `longest`, with the default [`Jitter`].
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, jitter: Jitter::ShortenByHalf, delay: first }
    }

    /// The same delays with another jitter.
    #[must_use]
    pub const fn with_jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The same delays as they go on after so many attempts, for callers that store only a number of attempts.
    #[must_use]
    pub fn after(mut self, attempts: u32) -> Self {
        let factor = 1u32.checked_shl(attempts).unwrap_or(u32::MAX);
        self.delay = self.first.saturating_mul(factor).min(self.longest);
        self
    }

    /// The next delay. `random` is a number from 0 (inclusive) to 1 that decides the jitter.
    pub fn next(&mut self, random: f32) -> Duration {
        let delay = self.jitter.apply(self.delay, random);
        self.delay = self.delay.saturating_mul(2).min(self.longest);
        delay
    }

    /// Starts again with the first delay, after a success.
    pub fn reset(&mut self) {
        self.delay = self.first;
    }

    /// Changes the longest delay: the delays go on doubling from where they are, for instance when an outage has
    /// lasted long.
    pub fn set_longest(&mut self, longest: Duration) {
        self.longest = longest;
        self.delay = self.delay.min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_millis(500);

    fn nominal(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.next(0.0).as_millis()).collect()
    }

    #[test]
    fn delays_double_up_to_the_longest_and_start_again_after_a_reset() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        assert_eq!(nominal(&mut backoff, 5), [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(nominal(&mut backoff, 2), [100, 200]);
    }

    #[test]
    fn the_longest_delay_can_be_raised_and_lowered_on_the_way() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        nominal(&mut backoff, 20);
        backoff.set_longest(Duration::from_secs(5));
        assert_eq!(nominal(&mut backoff, 6), [500, 1000, 2000, 4000, 5000, 5000]);
        backoff.set_longest(LONGEST);
        assert_eq!(nominal(&mut backoff, 2), [500, 500]);
    }

    #[test]
    fn a_number_of_attempts_stands_for_the_delays_before_it() {
        for attempts in 0..40 {
            let mut stepped = Backoff::new(FIRST, LONGEST);
            nominal(&mut stepped, attempts as usize);
            assert_eq!(Backoff::new(FIRST, LONGEST).after(attempts), stepped);
        }
        let longest = Backoff::new(FIRST, Duration::MAX).after(u32::MAX).next(0.0);
        assert!(longest > Duration::from_secs(3600));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bounds(random in 0.0f32..1.0, attempts in 0u32..10) {
            let backoff = Backoff::new(FIRST, LONGEST).after(attempts);
            let nominal = backoff.with_jitter(Jitter::None).next(random);
            let shortened = backoff.with_jitter(Jitter::ShortenByHalf).next(random);
            prop_assert!(nominal / 2 <= shortened && shortened <= nominal);
            let around = backoff.with_jitter(Jitter::WithinQuarter).next(random);
            prop_assert!(nominal * 3 / 4 <= around && around <= nominal * 5 / 4);
        }
    }
}
