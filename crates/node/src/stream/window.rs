//! Which records a producer sends next: the batches on the way, and from where to send again. Pure; the producer does the rest.
//!
//! ```text
//! confirmed │ on the way: batch, batch … │ waiting
//!         base                         next
//! ```
//!
//! A message is sent at once while nothing is on the way. Otherwise it waits for the answer, together with others, unless so much
//! waits that a batch of its own pays (Nagle's algorithm, without its timer).

use super::protocol::BATCH_RECORDS_MAX;
use super::reply::answer_timeout;
use postern_env::time::Instant;
use std::collections::VecDeque;

/// Batches on the way at once: more than a batch for each of the hops to the hub and to its storage.
pub(super) const BATCHES_MAX: usize = 4;
/// Bytes that must wait for another batch to be sent while one is on the way: from this size on a batch costs more in bytes than
/// in requests (measured for portals, see `MAX_PAYLOAD`).
const ANOTHER_BATCH_BYTES: usize = 64 * 1024;
/// The same in records: a quarter of what a batch holds, since a record costs about as much as 256 bytes.
const ANOTHER_BATCH_RECORDS: usize = BATCH_RECORDS_MAX / 4;

/// The batches on the way.
#[derive(Default)]
pub(super) struct SendWindow {
    batches: VecDeque<Batch>,
    /// Number of the record that is sent next.
    next: u64,
    /// The stream knows this producer: it refuses a batch that does not follow the last one. Until then there is only one on the
    /// way, for a service that does not know a producer takes whichever batch comes first.
    known: bool,
    /// Records that are sent one by one, to find the one that is too large.
    singly: u64,
}

/// A batch on the way.
struct Batch {
    request_id: u64,
    first: u64,
    end: u64,
    bytes: usize,
    deadline: Instant,
}

impl SendWindow {
    /// A window at a stream that may not know the producer, from this record on.
    pub(super) fn from(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// Number of the record that is sent next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many records the next batch may have, where so many records and bytes are unconfirmed; nothing while it has to wait.
    pub(super) fn allowance(&self, end: u64, unconfirmed_bytes: usize) -> Option<usize> {
        let waiting = end.saturating_sub(self.next);
        let bytes = unconfirmed_bytes.saturating_sub(self.bytes());
        let free = match self.batches.len() {
            0 => true,
            _ if !self.known || self.singly > 0 => false,
            count => count < BATCHES_MAX && (bytes >= ANOTHER_BATCH_BYTES || waiting >= ANOTHER_BATCH_RECORDS as u64),
        };
        (free && waiting > 0).then_some(if self.singly > 0 { 1 } else { BATCH_RECORDS_MAX })
    }

    /// A batch of so many records was sent.
    pub(super) fn sent(&mut self, request_id: u64, records: usize, bytes: usize, now: Instant) {
        let deadline = now + answer_timeout(self.bytes() + bytes);
        let first = self.next;
        self.next += records as u64;
        self.batches.push_back(Batch { request_id, first, end: self.next, bytes, deadline });
    }

    fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.bytes).sum()
    }

    /// Whether an answer is one to a batch on the way.
    pub(super) fn expects(&self, request_id: u64) -> bool {
        self.batches.iter().any(|batch| batch.request_id == request_id)
    }

    /// The batch is stored, and so are all before it.
    pub(super) fn stored(&mut self, request_id: u64, expected: u64) {
        let end = self.batches.iter().find(|batch| batch.request_id == request_id).map_or(0, |batch| batch.end);
        let before = end.max(expected);
        let count = self.batches.iter().take_while(|batch| batch.end <= before).count();
        self.batches.drain(..count);
        self.known = true;
        self.singly = self.singly.saturating_sub(1);
    }

    /// Sends again from this record on, one batch at first.
    pub(super) fn restart(&mut self, from: u64) {
        *self = Self { next: from, singly: self.singly, ..Self::default() };
    }

    /// The batch has a record that is too large; `base` is the first record that is not confirmed. True if it is that one alone.
    pub(super) fn too_large(&mut self, request_id: u64, base: u64) -> bool {
        let Some(batch) = self.batches.iter().find(|batch| batch.request_id == request_id) else { return false };
        let alone = batch.first == base && batch.end == base + 1;
        self.singly = match alone {
            true => self.singly.saturating_sub(1),
            false => batch.end.saturating_sub(base),
        };
        self.restart(base);
        alone
    }

    /// When the oldest batch should have been answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_env::time;

    fn send(window: &mut SendWindow, id: u64, records: usize, bytes: usize) {
        window.sent(id, records, bytes, time::now());
    }

    #[test]
    fn one_batch_until_the_stream_knows_the_producer_then_several_if_they_pay() {
        let mut window = SendWindow::from(5);
        assert_eq!(window.allowance(5, 0), None);
        assert_eq!(window.allowance(6, 10), Some(BATCH_RECORDS_MAX));
        send(&mut window, 1, 1, 10);
        assert_eq!(window.allowance(2_000, 10_000_000), None);
        window.stored(1, 6);
        send(&mut window, 2, 1, 10);
        // What is on the way does not count as waiting.
        assert_eq!(window.allowance(8, 10 + ANOTHER_BATCH_BYTES - 1), None);
        assert_eq!(window.allowance(8, 10 + ANOTHER_BATCH_BYTES), Some(BATCH_RECORDS_MAX));
        assert_eq!(window.allowance(7 + ANOTHER_BATCH_RECORDS as u64, 20), Some(BATCH_RECORDS_MAX));
        // The time for an answer grows with what is on the way.
        assert!(window.deadline().unwrap() < time::now() + answer_timeout(100_000));
        (3..6).for_each(|id| send(&mut window, id, 1, 10));
        assert_eq!(window.allowance(2_000, 10_000_000), None);
        // An answer to a later batch says that those before it are stored too.
        window.stored(4, 9);
        assert!(window.expects(5) && !window.expects(2) && !window.expects(3));
        assert_eq!(window.next(), 10);
    }

    #[test]
    fn a_restart_sends_one_batch_first() {
        let mut window = SendWindow::from(0);
        send(&mut window, 1, 3, 10);
        window.stored(1, 3);
        send(&mut window, 2, 3, 10);
        window.restart(3);
        assert!(!window.expects(2));
        assert_eq!((window.next(), window.deadline()), (3, None));
        send(&mut window, 3, 3, 10);
        assert_eq!(window.allowance(1_000, 1_000_000), None);
    }

    #[test]
    fn a_record_that_is_too_large_is_found_by_sending_one_by_one() {
        let mut window = SendWindow::from(0);
        send(&mut window, 1, 3, 10);
        assert!(!window.too_large(1, 0));
        assert_eq!(window.allowance(9, 100), Some(1));
        send(&mut window, 2, 1, 10);
        assert_eq!(window.allowance(9, 100_000), None);
        window.stored(2, 1);
        send(&mut window, 3, 1, 10);
        assert!(window.too_large(3, 1));
        // The caller has dropped it: the last of the three has its number.
        assert_eq!((window.next(), window.allowance(8, 100)), (1, Some(1)));
        send(&mut window, 4, 1, 10);
        window.stored(4, 2);
        assert_eq!(window.allowance(8, 100), Some(BATCH_RECORDS_MAX));
    }
}
