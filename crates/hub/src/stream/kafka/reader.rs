//! A place in a partition that records come from in order: the queue that librdkafka fills, and the records taken from it that
//! may be asked for again.

use super::client::{HubConsumer, HubContext};
use crate::stream::storage::Extent;
use postern_node::stream::Record;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Bytes of records that were sent and are kept for a client that asks again, or a second one that is a little behind: chosen.
const TAIL_BYTES: usize = 64 * 1024;

/// What a read found.
pub(super) enum Polled {
    Records(Vec<Record>),
    Nothing,
    Failed(KafkaError),
}

pub(super) struct OpenReader {
    /// The handle that fills the queue.
    consumer: Arc<HubConsumer>,
    queue: PartitionQueue<HubContext>,
    arrived: Arc<Notify>,
    /// Taken from the queue, in order.
    taken: VecDeque<Record>,
    taken_bytes: usize,
    /// Indexes from here on are covered, up to `next`.
    covered: u64,
    /// Index behind the last record taken.
    next: u64,
    at_end: bool,
    /// The watermarks when it was opened.
    pub(super) low: u64,
    pub(super) high: u64,
}

impl OpenReader {
    /// On a queue whose partition is assigned from an index afterwards.
    pub(super) fn new(
        consumer: &Arc<HubConsumer>,
        mut queue: PartitionQueue<HubContext>,
        from: u64,
        (low, high): (u64, u64),
    ) -> Self {
        let consumer = consumer.clone();
        let arrived = Arc::new(Notify::new());
        let notify = arrived.clone();
        queue.set_nonempty_callback(move || notify.notify_one());
        let (taken, covered, next) = (VecDeque::new(), from, from);
        Self { consumer, queue, arrived, taken, taken_bytes: 0, covered, next, at_end: from == high, low, high }
    }

    /// The handle that fills the queue.
    pub(super) fn consumer(&self) -> &HubConsumer {
        &self.consumer
    }

    /// Whether that is this one.
    pub(super) fn is_of(&self, consumer: &Arc<HubConsumer>) -> bool {
        Arc::ptr_eq(&self.consumer, consumer)
    }

    /// Whether records from an index can be read here.
    pub(super) fn covers(&self, from: u64) -> bool {
        (self.covered..=self.next).contains(&from)
    }

    /// Whether everything that there is was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Waits until the queue has something new.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Reads records from an index that is covered.
    pub(super) fn read(&mut self, from: u64, extent: Extent) -> Polled {
        self.forget_before(from);
        let failed = self.take(from, extent);
        let mut bytes = 0;
        let wanted = self.taken.iter().skip_while(|record| record.index < from).take(extent.records);
        let records: Vec<Record> = wanted
            .enumerate()
            .take_while(|(number, record)| {
                bytes += record.data.len();
                *number == 0 || bytes <= extent.bytes
            })
            .map(|(_, record)| record.clone())
            .collect();
        match failed {
            // The error comes again with the next read.
            _ if !records.is_empty() => Polled::Records(records),
            Some(error) => Polled::Failed(error),
            None => Polled::Nothing,
        }
    }

    /// Takes from the queue until there is as much as is asked for, or nothing more.
    fn take(&mut self, from: u64, extent: Extent) -> Option<KafkaError> {
        let ahead = |record: &&Record| record.index >= from;
        let mut records = self.taken.iter().filter(ahead).count();
        let mut bytes: usize = self.taken.iter().filter(ahead).map(|record| record.data.len()).sum();
        while records < extent.records && bytes < extent.bytes {
            match self.queue.poll(Duration::ZERO) {
                None => return None,
                Some(Err(KafkaError::PartitionEOF(_))) => self.at_end = true,
                Some(Err(error)) => return Some(error),
                Some(Ok(message)) => {
                    let index = u64::try_from(message.offset()).unwrap_or_default();
                    // What is left in the queue of an earlier assignment.
                    if index < self.next {
                        continue;
                    }
                    let data = message.payload().unwrap_or_default().to_vec();
                    drop(message);
                    (records, bytes) = (records + 1, bytes + data.len());
                    self.taken_bytes += data.len();
                    self.taken.push_back(Record { index, data });
                    self.next = index + 1;
                    self.at_end = false;
                }
            }
        }
        None
    }

    /// Forgets records that were sent, but for the last.
    fn forget_before(&mut self, from: u64) {
        while self.taken_bytes > TAIL_BYTES && self.taken.front().is_some_and(|record| record.index < from) {
            if let Some(record) = self.taken.pop_front() {
                self.taken_bytes -= record.data.len();
                self.covered = record.index + 1;
            }
        }
    }
}
