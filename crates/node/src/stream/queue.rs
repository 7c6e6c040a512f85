//! What a producer has taken and the hub has not confirmed: records in their order, with a budget.

use super::report::Report;
use super::transport_message::push_record;
use crate::address::Address;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, Completion};
use crate::origin::Source;
use crate::router::Endpoint;
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use bytes::Bytes;
use postern_env::time::{self, Instant};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

use super::protocol::BATCH_BYTES_MAX;

/// Unconfirmed bytes above which senders wait (backpressure): as many as may be on the way at once.
pub(super) const BUDGET: usize = super::window::BATCHES_MAX * BATCH_BYTES_MAX;
/// Unconfirmed bytes above which messages are refused: reached by senders that have waited for the hub for 5 s, and go on.
/// Chosen: some seconds of a busy sender.
pub(super) const QUEUED_BYTES_MAX: usize = 4 * BUDGET;
/// Unconfirmed messages above which messages are refused: at this number the memory for keeping them equals the bytes of
/// messages of a few hundred bytes.
pub(super) const QUEUED_RECORDS_MAX: usize = 65_536;

/// What a producer has taken and the hub has not confirmed. The front has the number [`base`](Self::base).
pub(super) struct Queue {
    state: Mutex<State>,
    gate: Arc<BackpressureGate>,
    arrived: Notify,
    drained: Notify,
    report: Arc<Report>,
}

#[derive(Default)]
struct State {
    records: VecDeque<Queued>,
    bytes: usize,
    /// Number of the front record.
    base: u64,
    closed: bool,
}

struct Queued {
    record: Bytes,
    since: Instant,
    completion: Option<Completion>,
}

impl Queue {
    pub(super) fn new(report: Arc<Report>) -> Self {
        Self { state: Mutex::default(), gate: Arc::default(), arrived: Notify::new(), drained: Notify::new(), report }
    }

    fn push(&self, record: Bytes, completion: Option<&Completion>) -> Result<Delivery, Undeliverable> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(Undeliverable::Closed);
        }
        if record.len() > BATCH_BYTES_MAX {
            return Err(Undeliverable::TooLarge);
        }
        if state.bytes + record.len() > QUEUED_BYTES_MAX || state.records.len() == QUEUED_RECORDS_MAX {
            return Err(Undeliverable::Full);
        }
        state.bytes += record.len();
        state.records.push_back(Queued { record, since: time::now(), completion: completion.map(Completion::queued) });
        if state.bytes > BUDGET {
            self.gate.close();
        }
        drop(state);
        self.report.stats.sent.add(1);
        self.arrived.notify_one();
        Ok(Delivery::blocked_on(&self.gate))
    }

    /// Refuses everything from now on. What is there stays.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.gate.open();
    }

    /// Number of the front record: the first that is not confirmed.
    pub(super) fn base(&self) -> u64 {
        lock(&self.state).base
    }

    /// Number behind the last record.
    pub(super) fn end(&self) -> u64 {
        let state = lock(&self.state);
        state.base + state.records.len() as u64
    }

    /// Messages and bytes that are not confirmed.
    pub(super) fn unconfirmed(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.records.len(), state.bytes)
    }

    /// When the oldest that is not confirmed was taken.
    pub(super) fn unconfirmed_since(&self) -> Option<Instant> {
        lock(&self.state).records.front().map(|queued| queued.since)
    }

    /// The records from a number on, as many as fit; at least one, if there is one.
    pub(super) fn batch(&self, from: u64, records_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let state = lock(&self.state);
        let skipped = usize::try_from(from.saturating_sub(state.base)).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let records = state.records.iter().skip(skipped).take(records_max).map(|queued| queued.record.clone());
        let fitting = records.take_while(|record| {
            let fits = bytes == 0 || bytes + record.len() <= bytes_max;
            bytes += record.len();
            fits
        });
        fitting.collect()
    }

    /// The records before this number are stored: they are forgotten, and senders go on.
    pub(super) fn confirm(&self, before: u64) {
        let mut state = lock(&self.state);
        let count = before.saturating_sub(state.base).min(state.records.len() as u64);
        // Dropped behind the lock: what waits for a completion may do anything.
        let confirmed: Vec<Queued> = state.records.drain(..count as usize).collect();
        state.bytes -= confirmed.iter().map(|queued| queued.record.len()).sum::<usize>();
        state.base += count;
        // Before anybody learns that everything is confirmed.
        self.report.stats.confirmed.add(count);
        self.settle(state);
        confirmed.iter().filter_map(|queued| queued.completion.as_ref()).for_each(Completion::taken);
    }

    /// Drops the front record, which the hub does not take. The next one has its number.
    pub(super) fn drop_front(&self) -> Option<usize> {
        let mut state = lock(&self.state);
        let dropped = state.records.pop_front()?;
        state.bytes -= dropped.record.len();
        self.settle(state);
        dropped.completion.as_ref().inspect(|completion| completion.taken());
        Some(dropped.record.len())
    }

    fn settle(&self, state: std::sync::MutexGuard<'_, State>) {
        if state.bytes <= BUDGET {
            self.gate.open();
        }
        if state.records.is_empty() {
            self.drained.notify_waiters();
        }
    }

    /// Waits until a record arrives, or has arrived since this was called last.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Waits until everything is confirmed.
    pub(super) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if lock(&self.state).records.is_empty() {
                return;
            }
            drained.await;
        }
    }
}

/// A producer's address.
pub(super) struct ProducerEndpoint {
    pub(super) queue: Arc<Queue>,
    /// Of the paired consumer: answers come from there.
    pub(super) source: Arc<Source>,
}

impl Endpoint for ProducerEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let onward = message.onward.rest();
        if onward.len() == 0 {
            return Err(Undeliverable::NoRoute);
        }
        let via: Option<&Address> = message.via();
        let mut record = Vec::new();
        push_record(&mut record, onward, via, message.return_route, message.body.payload());
        let taken = self.queue.push(record.into(), message.completion);
        taken.inspect_err(|_| self.queue.report.stats.refused.add(1))
    }

    fn source(&self) -> Option<Arc<Source>> {
        Some(self.source.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(Report::new().0)
    }

    fn record(len: usize) -> Bytes {
        vec![7; len].into()
    }

    #[test]
    fn the_gate_closes_at_the_budget_and_the_queue_refuses_at_its_end() {
        let queue = queue();
        let large = record(BATCH_BYTES_MAX);
        let taken = (0..).take_while(|_| queue.push(large.clone(), None).is_ok()).count();
        assert_eq!(taken, QUEUED_BYTES_MAX / BATCH_BYTES_MAX);
        assert!(queue.gate.is_closed());
        assert_eq!(queue.push(large, None).err(), Some(Undeliverable::Full));
        queue.confirm((taken - BUDGET / BATCH_BYTES_MAX - 1) as u64);
        assert!(queue.gate.is_closed());
        queue.confirm((taken - BUDGET / BATCH_BYTES_MAX) as u64);
        assert!(!queue.gate.is_closed());
        assert_eq!(queue.push(record(BATCH_BYTES_MAX + 1), None).err(), Some(Undeliverable::TooLarge));
        queue.close();
        assert_eq!(queue.push(record(1), None).err(), Some(Undeliverable::Closed));
    }

    #[test]
    fn small_records_are_bounded_by_their_number() {
        let queue = queue();
        let taken = (0..).take_while(|_| queue.push(Bytes::new(), None).is_ok()).count();
        assert_eq!(taken, QUEUED_RECORDS_MAX);
    }

    #[test]
    fn batches_are_bounded_and_never_empty() {
        let queue = queue();
        for len in [10, BATCH_BYTES_MAX, 10, 10] {
            drop(queue.push(record(len), None).unwrap());
        }
        let lens = |from, max| queue.batch(from, max, BATCH_BYTES_MAX).iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(lens(0, 9), [10]);
        assert_eq!(lens(1, 9), [BATCH_BYTES_MAX]);
        assert_eq!(lens(2, 9), [10, 10]);
        assert_eq!(lens(2, 1), [10]);
        assert_eq!(lens(4, 9), [0; 0]);
        assert_eq!(queue.batch(1, 9, 10).len(), 1);
        queue.confirm(2);
        assert_eq!((queue.base(), queue.end(), queue.unconfirmed()), (2, 4, (2, 20)));
        assert_eq!(lens(2, 9), [10, 10]);
        assert_eq!(queue.drop_front(), Some(10));
        assert_eq!((queue.base(), queue.end()), (2, 3));
    }
}
