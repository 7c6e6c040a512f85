//! How fast one depositor may deposit: a bucket of tokens for each, filled again with time.

use postern_node::identity::Identifier;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Deposits that may come at once.
pub(crate) const BURST: u32 = 32;
/// Time after which one more may come.
pub(crate) const REFILL: Duration = Duration::from_secs(2);
/// Depositors that are remembered. Above that, no others are taken until some have rested.
const DEPOSITORS: usize = 16_384;

/// The buckets of those who deposited lately.
#[derive(Default)]
pub(crate) struct Allowances(HashMap<Identifier, Bucket>);

struct Bucket {
    left: u32,
    filled: Instant,
}

impl Allowances {
    /// Takes one from the depositor's bucket; says whether there was one.
    pub(crate) fn take(&mut self, depositor: &Identifier, now: Instant) -> bool {
        if !self.0.contains_key(depositor) && self.0.len() >= DEPOSITORS {
            self.forget_rested(now);
            if self.0.len() >= DEPOSITORS {
                return false;
            }
        }
        let bucket = self.0.entry(*depositor).or_insert(Bucket { left: BURST, filled: now });
        bucket.fill(now);
        match bucket.left.checked_sub(1) {
            Some(left) => bucket.left = left,
            None => return false,
        }
        true
    }

    /// Forgets those whose buckets are full again.
    pub(crate) fn forget_rested(&mut self, now: Instant) {
        self.0.retain(|_, bucket| {
            bucket.fill(now);
            bucket.left < BURST
        });
    }
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.filled).as_millis() / REFILL.as_millis();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(BURST);
        self.filled += REFILL * earned;
        if self.left == BURST {
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_by_one() {
        let (mut all, now, who) = (Allowances::default(), Instant::now(), Identifier::from_bytes([1; 32]));
        assert!((0..BURST).all(|_| all.take(&who, now)));
        assert!(!all.take(&who, now) && !all.take(&who, now + REFILL / 2));
        assert!(all.take(&Identifier::from_bytes([2; 32]), now));
        let later = now + REFILL * 2;
        assert!(all.take(&who, later) && all.take(&who, later) && !all.take(&who, later));
        let rested = later + REFILL * BURST;
        assert!((0..BURST).all(|_| all.take(&who, rested)) && !all.take(&who, rested));
    }

    #[test]
    fn those_who_rest_are_forgotten_and_no_others_when_there_are_too_many() {
        let (mut all, now) = (Allowances::default(), Instant::now());
        let who = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Identifier::from_bytes(bytes)
        };
        assert!((0..DEPOSITORS).all(|number| all.take(&who(number), now)));
        assert!(!all.take(&who(DEPOSITORS), now));
        assert!(all.take(&who(0), now));
        assert!(all.take(&who(DEPOSITORS), now + REFILL));
        assert_eq!(all.0.len(), 2);
    }
}
