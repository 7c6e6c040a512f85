//! Appends on their way to the storage, in order, and who waits for them.

use crate::stream::producers::{ProducerId, Producers};
use crate::stream::storage::{Pending, Result, StorageError};
use postern_env::time::{self, Duration, Instant};
use postern_node::Route;
use postern_node::stream::{Status, StreamReply};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Appends of one partition on the way: chosen; a client has a few.
const APPENDS: usize = 64;
/// Bytes of them: room for eight of the largest batches.
const APPEND_BYTES: usize = 8 * 1024 * 1024;
/// What a record counts besides its data: about what the hub and librdkafka keep for each, so that empty records count.
const OVERHEAD: usize = 128;
/// Requests that wait for one append: its own, and repetitions. The oldest are not answered.
const WAITING: usize = 8;
/// After this time a push is answered as not confirmed: chosen, less than a client waits for an answer. Its records may still be
/// stored.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// Where records come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Single { request_id: u64 },
    Batch { request_id: u64, producer: ProducerId, begin: u64, end: u64 },
}

impl Origin {
    /// Of a batch: the producer, the number of its first new record, and that behind its last.
    pub(crate) fn batch(&self) -> Option<(&ProducerId, u64, u64)> {
        match self {
            Self::Single { .. } => None,
            Self::Batch { producer, begin, end, .. } => Some((producer, *begin, *end)),
        }
    }

    pub(crate) fn waiter(&self, reply_to: Route) -> Waiter {
        match self {
            Self::Single { request_id } => Waiter { request_id: *request_id, batch: None, reply_to, deadline: None },
            Self::Batch { request_id, producer, begin, end } => {
                Waiter::of_batch(*request_id, *producer, *begin, *end, reply_to)
            }
        }
    }
}

/// Who gets an answer when an append is done.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    request_id: u64,
    /// The producer, the number of its first record, and that behind its last; a single record has none.
    batch: Option<(ProducerId, u64, u64)>,
    pub(crate) reply_to: Route,
    /// A single record has none: its protocol cannot say that it may be stored later.
    deadline: Option<Instant>,
}

impl Waiter {
    pub(crate) fn of_batch(request_id: u64, producer: ProducerId, begin: u64, end: u64, reply_to: Route) -> Self {
        let deadline = Some(time::now() + CONFIRM_TIMEOUT);
        Self { request_id, batch: Some((producer, begin, end)), reply_to, deadline }
    }

    /// The answer; `result` has the index of the last record.
    pub(crate) fn reply(&self, result: Result<u64, &StorageError>, producers: &Producers) -> StreamReply {
        let request_id = self.request_id;
        let Some((producer, begin, end)) = self.batch else {
            return StreamReply::Pushed { request_id, stored: result.is_ok(), index: result.unwrap_or_default() };
        };
        let (status, next_sequence, reason) = match result {
            Ok(_) => (Status::Done, end, String::new()),
            Err(error) => (error.status, producers.next(&producer).unwrap_or(begin), error.reason.clone()),
        };
        StreamReply::BatchPushed { request_id, status, next_sequence, reason }
    }
}

/// An append that is done.
pub(crate) struct Done {
    pub(crate) result: Result<u64>,
    pub(crate) origin: Origin,
    pub(crate) records: u64,
    pub(crate) bytes: usize,
    pub(crate) waiting: VecDeque<Waiter>,
}

struct OnTheWay {
    work: Pending<u64>,
    origin: Origin,
    records: u64,
    bytes: usize,
    waiting: VecDeque<Waiter>,
    _budget: Option<OwnedSemaphorePermit>,
}

/// The appends of one partition, in order.
pub(crate) struct Appends {
    on_the_way: VecDeque<OnTheWay>,
    bytes: usize,
    /// Of the first, once it is known.
    done: Option<Result<u64>>,
    /// KiB that all partitions share.
    budget: Arc<Semaphore>,
}

impl Appends {
    pub(crate) fn new(budget: Arc<Semaphore>) -> Self {
        Self { on_the_way: VecDeque::new(), bytes: 0, done: None, budget }
    }

    pub(crate) fn has_room(&self, records: usize, bytes: usize) -> bool {
        let bytes = bytes + records * OVERHEAD;
        self.on_the_way.len() < APPENDS
            && self.bytes + bytes <= APPEND_BYTES
            && self.budget.available_permits() >= kib(bytes) as usize
    }

    pub(crate) fn push(&mut self, work: Pending<u64>, origin: Origin, records: u64, bytes: usize, reply_to: Route) {
        let waiting = [origin.waiter(reply_to)].into();
        let counted = bytes + records as usize * OVERHEAD;
        let budget = self.budget.clone().try_acquire_many_owned(kib(counted)).ok();
        self.bytes += counted;
        self.on_the_way.push_back(OnTheWay { work, origin, records, bytes, waiting, _budget: budget });
    }

    /// Lets a repetition wait for the append with the producer's records up to `end`; false if there is none.
    pub(crate) fn wait_for(&mut self, producer: &ProducerId, end: u64, waiter: Waiter) -> bool {
        let covers = |append: &&mut OnTheWay| {
            append.origin.batch().is_some_and(|(of, _, its_end)| of == producer && its_end >= end)
        };
        let Some(append) = self.on_the_way.iter_mut().find(covers) else { return false };
        append.waiting.push_back(waiter);
        if append.waiting.len() > WAITING {
            append.waiting.pop_front();
        }
        true
    }

    /// Waits until the first is done. Safe to drop.
    pub(crate) async fn next_done(&mut self) {
        if self.done.is_some() {
            return;
        }
        match self.on_the_way.front_mut() {
            Some(first) => self.done = Some(first.work.as_mut().await),
            None => std::future::pending().await,
        }
    }

    /// Takes the first, if it is done.
    pub(crate) fn take_done(&mut self) -> Option<Done> {
        let result = self.done.take()?;
        let OnTheWay { origin, records, bytes, waiting, .. } = self.on_the_way.pop_front()?;
        self.bytes -= bytes + records as usize * OVERHEAD;
        Some(Done { result, origin, records, bytes, waiting })
    }

    /// Takes who has waited long enough. The appends go on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Waiter> {
        let is_due = |waiter: &Waiter| waiter.deadline.is_some_and(|deadline| deadline <= now);
        let mut due = Vec::new();
        for append in &mut self.on_the_way {
            due.extend(append.waiting.iter().filter(|waiter| is_due(waiter)).cloned());
            append.waiting.retain(|waiter| !is_due(waiter));
        }
        due
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.on_the_way.iter().flat_map(|append| &append.waiting).filter_map(|waiter| waiter.deadline).min()
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
