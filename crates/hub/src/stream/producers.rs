//! How far each producer of a partition has come: what makes a batch that is sent again stored once, and in order.
//!
//! ```text
//! records of a producer:   … stored │ accepted, on the way to the storage │ expected next
//! ```
//!
//! In: batches, and what came of appending them. Out: which of their records are new. The table is bounded; a producer that is
//! forgotten starts with the number it gives.

use std::collections::HashMap;

/// Producers that a partition remembers: a partition has few at a time, and each program that starts is a new one.
const PRODUCERS: usize = 256;

/// A producer's random name.
pub(crate) type ProducerId = [u8; 16];

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Append its records, without the first `skip`.
    Append { skip: usize },
    /// All of it has been accepted before, and is stored now or later.
    Repeated { stored: bool },
    /// Records before it are missing.
    OutOfOrder,
}

#[derive(Default)]
pub(crate) struct Producers {
    known: HashMap<ProducerId, Progress>,
    /// Grows with each use.
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    stored: u64,
    accepted: u64,
    used: u64,
}

impl Producers {
    /// Accepts a batch of `count` records that begins with number `sequence`, as far as it is new.
    pub(crate) fn accept(&mut self, producer: ProducerId, sequence: u64, count: u64) -> Verdict {
        self.clock += 1;
        let end = sequence.saturating_add(count);
        if !self.known.contains_key(&producer) {
            self.make_room();
        }
        let new = Progress { stored: sequence, accepted: sequence, used: 0 };
        let progress = self.known.entry(producer).or_insert(new);
        progress.used = self.clock;
        if sequence > progress.accepted {
            return Verdict::OutOfOrder;
        }
        if end <= progress.accepted {
            return Verdict::Repeated { stored: end <= progress.stored };
        }
        let skip = usize::try_from(progress.accepted - sequence).unwrap_or(usize::MAX);
        progress.accepted = end;
        Verdict::Append { skip }
    }

    /// The records from `begin` up to `end` are stored; false if records before them are not.
    pub(crate) fn stored(&mut self, producer: &ProducerId, begin: u64, end: u64) -> bool {
        let Some(progress) = self.known.get_mut(producer) else { return true };
        let in_order = begin <= progress.stored;
        if in_order {
            progress.stored = progress.stored.max(end);
        }
        in_order
    }

    /// Records were not stored: the producer has to send again what is not.
    pub(crate) fn failed(&mut self, producer: &ProducerId) {
        if let Some(progress) = self.known.get_mut(producer) {
            progress.accepted = progress.stored;
        }
    }

    /// Number of the record that a producer is to begin with when it sends again: all before it are stored.
    pub(crate) fn next(&self, producer: &ProducerId) -> Option<u64> {
        self.known.get(producer).map(|progress| progress.stored)
    }

    /// Forgets the producer that was silent longest, of those that have nothing on the way.
    fn make_room(&mut self) {
        if self.known.len() < PRODUCERS {
            return;
        }
        let idle = self.known.iter().filter(|(_, progress)| progress.stored == progress.accepted);
        let oldest = idle.min_by_key(|(_, progress)| progress.used).map(|(producer, _)| *producer);
        if let Some(oldest) = oldest {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: ProducerId = [1; 16];
    const BEN: ProducerId = [2; 16];

    #[test]
    fn records_are_taken_once_and_in_order() {
        let mut producers = Producers::default();
        assert_eq!(producers.accept(ANN, 7, 3), Verdict::Append { skip: 0 });
        assert_eq!(producers.accept(BEN, 0, 1), Verdict::Append { skip: 0 });
        assert_eq!(producers.accept(ANN, 7, 3), Verdict::Repeated { stored: false });
        assert!(producers.stored(&ANN, 7, 10));
        assert_eq!(producers.accept(ANN, 7, 3), Verdict::Repeated { stored: true });
        assert_eq!(producers.accept(ANN, 8, 4), Verdict::Append { skip: 2 });
        assert_eq!(producers.accept(ANN, 13, 1), Verdict::OutOfOrder);
        assert_eq!(producers.next(&ANN), Some(10));
    }

    #[test]
    fn after_a_failure_the_producer_begins_with_what_is_not_stored() {
        let mut producers = Producers::default();
        for sequence in [0, 2, 4] {
            assert_eq!(producers.accept(ANN, sequence, 2), Verdict::Append { skip: 0 });
        }
        assert!(producers.stored(&ANN, 0, 2));
        producers.failed(&ANN);
        // The third was stored although the second was not: it comes again, behind the second.
        assert!(!producers.stored(&ANN, 4, 6));
        assert_eq!(producers.next(&ANN), Some(2));
        assert_eq!(producers.accept(ANN, 4, 2), Verdict::OutOfOrder);
        assert_eq!(producers.accept(ANN, 2, 2), Verdict::Append { skip: 0 });
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_one_that_was_silent_longest() {
        let mut producers = Producers::default();
        for number in 0..PRODUCERS as u64 + 1 {
            let mut name = ANN;
            name[..8].copy_from_slice(&number.to_be_bytes());
            assert_eq!(producers.accept(name, 5, 1), Verdict::Append { skip: 0 });
            assert!(producers.stored(&name, 5, 6));
        }
        assert_eq!(producers.known.len(), PRODUCERS);
        let mut first = ANN;
        first[..8].copy_from_slice(&0u64.to_be_bytes());
        assert!(!producers.known.contains_key(&first));
    }

    #[test]
    fn numbers_near_the_end_do_not_overflow() {
        let mut producers = Producers::default();
        assert_eq!(producers.accept(ANN, u64::MAX, 5), Verdict::Repeated { stored: true });
        assert_eq!(producers.accept(BEN, u64::MAX - 1, 5), Verdict::Append { skip: 0 });
    }
}
