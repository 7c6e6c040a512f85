//! When to doubt that the peer is there: the clock of missing answers. It reads no clock itself.

use crate::backoff::{Backoff, Jitter};
use postern_env::time::{Duration, Instant};

/// What to do when an answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Ask over the channel that there is.
    Ask,
    /// Make another channel, or ask for one.
    Replace,
}

/// Asks first, then replaces, with growing intervals until something is answered.
pub(super) struct Probe {
    backoff: Backoff,
    deadline: Option<Instant>,
    /// What the peer was asked since the last progress, and how long to wait for the answer.
    asked: Option<Duration>,
}

impl Probe {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        // One peer's channel: there is nothing to spread.
        Self { backoff: Backoff::new(first, longest).with_jitter(Jitter::None), deadline: None, asked: None }
    }

    /// Something was answered.
    pub(super) fn progress(&mut self) {
        self.backoff.reset();
        self.deadline = None;
        self.asked = None;
    }

    /// Whether something is to be answered; the clock runs only then.
    pub(super) fn expect(&mut self, expecting: bool, now: Instant) {
        match (expecting, self.deadline) {
            (false, Some(_)) => self.progress(),
            (true, None) => self.deadline = Some(now + self.backoff.next(0.0)),
            _ => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline has passed.
    pub(super) fn expired(&mut self, now: Instant) -> Doubt {
        let delay = self.backoff.next(0.0);
        match self.asked.take() {
            None => {
                // The answer takes no longer than what was waited for before.
                let delay = delay / 2;
                self.asked = Some(delay);
                self.deadline = Some(now + delay);
                Doubt::Ask
            }
            Some(_) => {
                self.deadline = Some(now + delay);
                Doubt::Replace
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time;

    #[test]
    fn it_asks_before_it_replaces_and_less_and_less_often() {
        let (second, start) = (Duration::from_secs(1), time::now());
        let mut probe = Probe::new(second, second * 60);
        probe.expect(false, start);
        assert_eq!(probe.deadline(), None);
        probe.expect(true, start);
        let mut at = probe.deadline().unwrap();
        assert_eq!(at - start, second);
        let mut doubts = Vec::new();
        for _ in 0..6 {
            doubts.push((probe.expired(at), (probe.deadline().unwrap() - at).as_secs()));
            at = probe.deadline().unwrap();
        }
        let expected = [1, 4, 4, 16, 16, 60];
        let kinds = [Doubt::Ask, Doubt::Replace].into_iter().cycle();
        assert_eq!(doubts, kinds.zip(expected).collect::<Vec<_>>()[..6].to_vec());
        probe.progress();
        probe.expect(true, at);
        assert_eq!((probe.deadline().unwrap() - at, probe.expired(at)), (second, Doubt::Ask));
        probe.expect(false, at);
        assert_eq!(probe.deadline(), None);
    }
}
