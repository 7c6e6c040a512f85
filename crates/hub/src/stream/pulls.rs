//! Pulls that a partition holds until there is a record: one for each consumer, each with a deadline.

use super::storage::Extent;
use postern_env::time::Instant;
use postern_node::Route;

/// Pulls that a partition holds. A partition has one reader, or a few; above that, the oldest is answered with nothing.
const HELD: usize = 64;

/// A consumer's random name, or one request of a protocol that has no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullFrom {
    Consumer([u8; 16]),
    Unnamed,
}

/// A pull to answer.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) from: PullFrom,
    pub(crate) request_id: u64,
    pub(crate) index: u64,
    pub(crate) extent: Extent,
    pub(crate) reply_to: Route,
    pub(crate) deadline: Instant,
}

/// The pulls that are held, oldest first.
#[derive(Default)]
pub(crate) struct HeldPulls {
    held: Vec<Pull>,
}

impl HeldPulls {
    /// Holds a pull, in place of an older one of its consumer. Returns one that has to make room.
    pub(crate) fn insert(&mut self, pull: Pull) -> Option<Pull> {
        self.remove_of(pull.from);
        self.held.push(pull);
        (self.held.len() > HELD).then(|| self.held.remove(0))
    }

    /// Forgets what a consumer has here: a newer pull replaces it.
    pub(crate) fn remove_of(&mut self, from: PullFrom) {
        if from != PullFrom::Unnamed {
            self.held.retain(|held| held.from != from);
        }
    }

    /// Takes all, to look which can be answered.
    pub(crate) fn take(&mut self) -> Vec<Pull> {
        std::mem::take(&mut self.held)
    }

    /// Takes those whose time is over.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Pull> {
        self.held.extract_if(.., |pull| pull.deadline <= now).collect()
    }

    /// When the first has to be answered.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.held.iter().map(|pull| pull.deadline).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }
}
