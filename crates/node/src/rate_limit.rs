//! Rate limits: a token bucket for each key, in bounded memory.
//!
//! ```text
//! bucket   holds up to `burst` tokens and gets `refill` more every `interval`; a request takes one, or is refused
//! limiter  one bucket for each key that asked lately; a full bucket is the same as none, so it can be forgotten
//! ```
//!
//! The caller passes the time, as a duration since any fixed moment of its choice: this module reads no clock. Time
//! that goes backwards earns nothing and breaks nothing.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How many requests are allowed, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests allowed in a row.
    pub burst: u32,
    /// Requests allowed again after every interval.
    pub refill: u32,
    /// The interval.
    pub interval: Duration,
}

impl Rate {
    /// `burst` requests in a row, then one in every `interval`.
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, refill: 1, interval }
    }

    /// At most `burst` requests within a `window`, all of which are allowed again when it is over.
    ///
    /// A window begins with the first request after the end of the one before.
    pub const fn per_window(burst: u32, window: Duration) -> Self {
        Self { burst, refill: burst, interval: window }
    }
}

/// The tokens of one requester. It is full when it is made.
///
/// ```
/// use postern_node::rate_limit::{Rate, TokenBucket};
/// use std::time::Duration;
///
/// let rate = Rate::new(2, Duration::from_secs(1));
/// let mut bucket = TokenBucket::full(rate, Duration::ZERO);
/// assert!(bucket.take(rate, Duration::ZERO) && bucket.take(rate, Duration::ZERO));
/// assert!(!bucket.take(rate, Duration::from_millis(999)));
/// assert!(bucket.take(rate, Duration::from_secs(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBucket {
    tokens: u32,
    /// Up to when time has been turned into tokens.
    refilled: Duration,
}

impl TokenBucket {
    /// A bucket that holds the whole burst.
    pub const fn full(rate: Rate, now: Duration) -> Self {
        Self { tokens: rate.burst, refilled: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        let left = self.tokens.checked_sub(1);
        self.tokens = left.unwrap_or_default();
        left.is_some()
    }

    /// Whether the whole burst is allowed again.
    pub fn is_full(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.tokens == rate.burst
    }

    fn fill(&mut self, rate: Rate, now: Duration) {
        let elapsed = now.saturating_sub(self.refilled).as_nanos();
        // An interval of nothing is the shortest there is, not a division by zero.
        let intervals = u32::try_from(elapsed / rate.interval.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(intervals.saturating_mul(rate.refill)).min(rate.burst);
        // A full bucket earns nothing while it waits; any other keeps the part of an interval that it has waited.
        self.refilled = match self.tokens == rate.burst {
            true => self.refilled.max(now),
            false => self.refilled + rate.interval * intervals,
        };
    }
}

/// A rate limit for each of many keys, for instance identities.
///
/// It remembers at most `capacity` keys that have not been idle long enough to be forgotten. While there are as many,
/// others are refused: whoever can make up keys gains nothing by it.
///
/// ```
/// use postern_node::rate_limit::{Rate, RateLimiter};
/// use std::time::Duration;
///
/// let mut limiter: RateLimiter<String> = RateLimiter::new(Rate::new(1, Duration::from_secs(1)), 1_000);
/// let now = Duration::ZERO;
/// assert!(limiter.allow("ann", now));
/// assert!(!limiter.allow("ann", now));
/// assert!(limiter.allow("ben", now));
/// assert!(limiter.allow("ann", now + Duration::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct RateLimiter<K> {
    rate: Rate,
    capacity: usize,
    buckets: HashMap<K, TokenBucket>,
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// A limiter of this rate for each key, that remembers at most `capacity` keys.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, capacity, buckets: HashMap::new() }
    }

    /// Whether the key may make a request now; if so, it is counted.
    pub fn allow<Q>(&mut self, key: &Q, now: Duration) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(bucket) = self.buckets.get_mut(key) {
            return bucket.take(self.rate, now);
        }
        if self.buckets.len() >= self.capacity {
            self.forget_idle(now);
        }
        if self.buckets.len() >= self.capacity {
            return false;
        }
        let mut bucket = TokenBucket::full(self.rate, now);
        let allowed = bucket.take(self.rate, now);
        self.buckets.insert(key.to_owned(), bucket);
        allowed
    }

    /// Forgets the keys whose whole burst is allowed again.
    pub fn forget_idle(&mut self, now: Duration) {
        let rate = self.rate;
        self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BURST: u32 = 32;
    const INTERVAL: Duration = Duration::from_secs(2);
    const NOW: Duration = Duration::from_secs(1_000);

    fn limiter(capacity: usize) -> RateLimiter<u32> {
        RateLimiter::new(Rate::new(BURST, INTERVAL), capacity)
    }

    #[test]
    fn a_burst_and_then_one_by_one() {
        let mut limiter = limiter(10);
        assert!((0..BURST).all(|_| limiter.allow(&1, NOW)));
        assert!(!limiter.allow(&1, NOW) && !limiter.allow(&1, NOW + INTERVAL / 2));
        assert!(limiter.allow(&2, NOW));
        let later = NOW + INTERVAL * 2;
        assert!(limiter.allow(&1, later) && limiter.allow(&1, later) && !limiter.allow(&1, later));
        let idle = later + INTERVAL * BURST;
        assert!((0..BURST).all(|_| limiter.allow(&1, idle)) && !limiter.allow(&1, idle));
    }

    #[test]
    fn a_window_allows_so_many_and_all_of_them_again_when_it_is_over() {
        let rate = Rate::per_window(3, INTERVAL);
        let mut bucket = TokenBucket::full(rate, Duration::ZERO);
        assert!((0..3).all(|_| bucket.take(rate, NOW)));
        assert!(!bucket.take(rate, NOW + INTERVAL - Duration::from_millis(1)));
        assert!((0..3).all(|_| bucket.take(rate, NOW + INTERVAL)) && !bucket.take(rate, NOW + INTERVAL));
    }

    #[test]
    fn idle_keys_are_forgotten_and_new_ones_refused_while_there_are_too_many() {
        const CAPACITY: u32 = 100;
        let mut limiter = limiter(CAPACITY as usize);
        assert!((0..CAPACITY).all(|key| limiter.allow(&key, NOW)));
        assert!(!limiter.allow(&CAPACITY, NOW));
        assert!(limiter.allow(&0, NOW));
        assert!(limiter.allow(&CAPACITY, NOW + INTERVAL));
        assert_eq!(limiter.len(), 2);
        limiter.forget_idle(NOW + INTERVAL * 2);
        assert!(limiter.is_empty());
    }

    #[test]
    fn a_clock_that_goes_backwards_earns_nothing() {
        let mut limiter = limiter(10);
        assert!((0..BURST).all(|_| limiter.allow(&1, NOW)));
        assert!(!limiter.allow(&1, Duration::ZERO) && !limiter.allow(&1, NOW));
        assert!(limiter.allow(&1, NOW + INTERVAL));
    }

    proptest! {
        /// Against the definition: within any span, no more than the burst and what the span refills.
        #[test]
        fn no_more_than_the_burst_and_the_refills_are_allowed(
            burst in 0u32..10, interval in 0u64..50, gaps in prop::collection::vec(0u64..60, 1..100),
        ) {
            let rate = Rate::new(burst, Duration::from_millis(interval));
            let mut bucket = TokenBucket::full(rate, NOW);
            let (mut elapsed, mut allowed) = (0, 0);
            for gap in gaps {
                elapsed += gap;
                allowed += u64::from(bucket.take(rate, NOW + Duration::from_millis(elapsed)));
                if let Some(refills) = elapsed.checked_div(interval) {
                    prop_assert!(allowed <= u64::from(burst) + refills);
                }
            }
            prop_assert!(burst > 0 || allowed == 0);
        }
    }
}
