//! How fast one identity may ask for something: a bucket of tokens for each, filled again with time.

use postern_node::identity::Identifier;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Identities that are remembered. Above that, no others are served until some have rested.
const REMEMBERED: usize = 16_384;

/// The buckets of those who asked lately.
pub(super) struct RateLimits {
    buckets: HashMap<Identifier, Bucket>,
    rate: Rate,
}

/// How much may be asked for at once, and after how long once more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) refill: Duration,
}

struct Bucket {
    left: u32,
    filled: Instant,
}

impl RateLimits {
    pub(super) fn new(rate: Rate) -> Self {
        Self { buckets: HashMap::new(), rate }
    }

    /// Takes one from somebody's bucket; says whether there was one.
    pub(super) fn try_acquire(&mut self, who: &Identifier, now: Instant) -> bool {
        if !self.buckets.contains_key(who) && self.buckets.len() >= REMEMBERED {
            self.remove_full(now);
            if self.buckets.len() >= REMEMBERED {
                return false;
            }
        }
        let rate = self.rate;
        let bucket = self.buckets.entry(*who).or_insert(Bucket { left: rate.burst, filled: now });
        bucket.fill(rate, now);
        let taken = bucket.left.checked_sub(1);
        bucket.left = taken.unwrap_or_default();
        taken.is_some()
    }

    /// Forgets those whose buckets are full again.
    pub(super) fn remove_full(&mut self, now: Instant) {
        let rate = self.rate;
        self.buckets.retain(|_, bucket| {
            bucket.fill(rate, now);
            bucket.left < rate.burst
        });
    }
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: Instant) {
        let earned = now.saturating_duration_since(self.filled).as_millis() / rate.refill.as_millis().max(1);
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(rate.burst);
        self.filled = if self.left == rate.burst { now } else { self.filled + rate.refill * earned };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: u32 = 32;
    const REFILL: Duration = Duration::from_secs(2);

    fn all() -> RateLimits {
        RateLimits::new(Rate { burst: BURST, refill: REFILL })
    }

    #[test]
    fn a_burst_and_then_one_by_one() {
        let (mut all, now, who) = (all(), Instant::now(), Identifier::from_bytes([1; 32]));
        assert!((0..BURST).all(|_| all.try_acquire(&who, now)));
        assert!(!all.try_acquire(&who, now) && !all.try_acquire(&who, now + REFILL / 2));
        assert!(all.try_acquire(&Identifier::from_bytes([2; 32]), now));
        let later = now + REFILL * 2;
        assert!(all.try_acquire(&who, later) && all.try_acquire(&who, later) && !all.try_acquire(&who, later));
        let rested = later + REFILL * BURST;
        assert!((0..BURST).all(|_| all.try_acquire(&who, rested)) && !all.try_acquire(&who, rested));
    }

    #[test]
    fn those_who_rest_are_forgotten_and_no_others_when_there_are_too_many() {
        let (mut all, now) = (all(), Instant::now());
        let who = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Identifier::from_bytes(bytes)
        };
        assert!((0..REMEMBERED).all(|number| all.try_acquire(&who(number), now)));
        assert!(!all.try_acquire(&who(REMEMBERED), now));
        assert!(all.try_acquire(&who(0), now));
        assert!(all.try_acquire(&who(REMEMBERED), now + REFILL));
        assert_eq!(all.buckets.len(), 2);
    }
}
