//! A partition: the task behind one stream address. It alone uses the partition's log.
//!
//! ```text
//! producer ── push ─► ┌───────────┐ ── append ─► Log      answered in order, when the storage has them
//!          ◄─ pushed ─│ Partition │
//! consumer ── pull ─► │           │ ◄── read ─── Log      held until there is a record, or the time is over
//!          ◄─ pulled ─└───────────┘
//!                       ▲ control: what the service sends from this address, and who may use it
//! ```
//!
//! In: requests from outside. Out: answers, which are sent without waiting, so a client that does not read delays nobody.
//! Never: more than a bounded number of appends on the way and of pulls held; what is above that is refused at once.

mod appends;
mod consume;
mod refusal;

use super::access::{Access, Client};
use super::producers::{Producers, Verdict};
use super::pulls::{HeldPulls, Pull, PullFrom};
use super::stats::StreamStats;
use super::storage::{Log, StorageError};
use crate::authorization;
use appends::{Appends, Origin, Waiter};
use bytes::Bytes;
use consume::extent;
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::{Identifier, Timestamp};
use postern_node::rate_limit::{Rate, RateLimiter};
use postern_node::stream::{BATCH_BYTES_MAX, PushBatch, Status, StreamReply, StreamRequest};
use postern_node::{Context, ContextError, Counter, Route, Routed};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};

/// Rate limit of one client's requests to a partition: chosen; more than a client sends that waits for answers, and what one
/// processor handles easily.
const REQUEST_RATE: Rate = Rate::new(4_096, Duration::from_micros(200));
/// Clients whose rate a partition remembers: chosen; it has two, or a few.
const CLIENTS: usize = 256;
/// How long a pull waits that its protocol does not let wait, while the storage is still looking: chosen; a client of that
/// protocol asks again every 250 ms.
const LOOKING: Duration = Duration::from_secs(1);

/// What the service tells a partition: to send this from its address.
pub(crate) struct Control {
    pub(crate) to: Route,
    pub(crate) reply: StreamReply,
}

/// A request to share the stream, for the service to decide.
pub(crate) struct ShareRequest {
    pub(crate) stream: String,
    pub(crate) partition: usize,
    pub(crate) peer: Option<Identifier>,
    pub(crate) identities: Vec<Identifier>,
    pub(crate) request_id: u64,
    pub(crate) reply_to: Route,
}

/// What all partitions of a service have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) stats: Arc<StreamStats>,
    pub(crate) service: mpsc::Sender<ShareRequest>,
    /// KiB of records that may be on the way to the storage.
    pub(crate) budget: Arc<Semaphore>,
}

/// What belongs to one partition.
pub(crate) struct Place<L> {
    pub(crate) stream: String,
    pub(crate) partition: usize,
    pub(crate) log: L,
    pub(crate) access: watch::Receiver<Arc<Access>>,
    /// When the stream was last used, in seconds since 1970.
    pub(crate) used: Arc<Counter>,
}

pub(crate) struct Partition<L> {
    context: Context,
    place: Place<L>,
    shared: Shared,
    producers: Producers,
    appends: Appends,
    pulls: HeldPulls,
    limiter: RateLimiter<Client>,
    started: Instant,
    /// Index behind the last record that was stored here.
    end: u64,
    /// Index behind the last record that somebody asked for.
    asked: u64,
    /// What is counted of this partition in the gauges of all.
    counted: (u64, u64),
}

enum Event {
    Request(Routed<Bytes>),
    Control(Control),
    Appended,
    Arrived,
    Due,
    Ignored,
    Stopped,
}

impl<L: Log> Partition<L> {
    pub(crate) fn new(context: Context, place: Place<L>, shared: Shared) -> Self {
        shared.stats.partitions.add(1);
        Self {
            context,
            place,
            appends: Appends::new(shared.budget.clone()),
            shared,
            producers: Producers::default(),
            pulls: HeldPulls::default(),
            limiter: RateLimiter::new(REQUEST_RATE, CLIENTS),
            started: time::now(),
            end: 0,
            asked: 0,
            counted: (0, 0),
        }
    }

    /// Runs until the node stops, or the service drops its end of `control`.
    pub(crate) async fn run(mut self, mut control: mpsc::Receiver<Control>) {
        loop {
            let due = self.next_deadline();
            let event = tokio::select! {
                received = self.context.receive::<Bytes>() => match received {
                    Ok(message) => Event::Request(message),
                    Err(ContextError::Stopped) => Event::Stopped,
                    Err(_) => Event::Ignored,
                },
                command = control.recv() => command.map_or(Event::Stopped, Event::Control),
                () = self.appends.next_done() => Event::Appended,
                () = self.place.log.arrived() => Event::Arrived,
                () = until(due) => Event::Due,
            };
            match event {
                Event::Request(message) => self.handle(message).await,
                Event::Control(Control { to, reply }) => self.send(to, &reply),
                Event::Appended => self.finish_append().await,
                Event::Arrived => self.serve_pulls().await,
                Event::Due => self.answer_due(),
                Event::Ignored => {}
                Event::Stopped => break,
            }
            self.update_gauges();
        }
        self.shared.stats.partitions.sub(1);
        self.count(0, 0);
    }

    fn next_deadline(&self) -> Option<Instant> {
        [self.pulls.next_deadline(), self.appends.next_deadline()].into_iter().flatten().min()
    }

    async fn handle(&mut self, message: Routed<Bytes>) {
        self.place.used.set(Timestamp::now().0);
        let Some(request) = StreamRequest::decode(message.body()) else {
            return tracing::debug!("a request to a stream could not be decoded and was ignored");
        };
        let (client, peer, reply_to) = (Client::of(&message), message.peer(), message.return_route());
        let party = self.place.access.borrow().party(peer);
        let refused = if !authorization::of_stream(&request, party).allows(true) {
            Some(refusal::denied())
        } else if !self.limiter.allow(&client, time::since(self.started)) {
            Some(refusal::too_many_requests())
        } else {
            None
        };
        if let Some(error) = refused {
            return self.refuse(reply_to, &request, &error);
        }
        match request {
            StreamRequest::Push { request_id, data } => self.push_one(request_id, data, reply_to.clone()),
            StreamRequest::PushBatch(batch) => self.push_batch(batch, reply_to),
            StreamRequest::Pull { request_id, index, limit } => {
                let extent = extent(limit, BATCH_BYTES_MAX as u64);
                let deadline = time::now() + LOOKING;
                let reply_to = reply_to.clone();
                self.pull(Pull { from: PullFrom::Unnamed, request_id, index, extent, reply_to, deadline }).await;
            }
            StreamRequest::HeldPull(pull) => self.held_pull(pull, reply_to.clone()).await,
            StreamRequest::Share { request_id, identities } => {
                self.share(request_id, identities, peer.copied(), reply_to.clone());
            }
            StreamRequest::Create { .. } | StreamRequest::CreatePartitioned { .. } => {
                self.refuse(reply_to, &request, &refusal::not_here());
            }
        }
    }

    fn push_batch(&mut self, batch: PushBatch, reply_to: &Route) {
        let PushBatch { request_id, producer, sequence, mut records } = batch;
        let bytes: usize = records.iter().map(Vec::len).sum();
        let waiter = |end| Waiter::of_batch(request_id, producer, sequence, end, reply_to.clone());
        if records.is_empty() || (records.len() > 1 && bytes > BATCH_BYTES_MAX) {
            let error = refusal::bad_batch();
            return self.answer_push(&waiter(sequence), Err(&error));
        }
        if let Err(error) = self.check_room(&records) {
            return self.answer_push(&waiter(sequence), Err(&error));
        }
        let end = sequence.saturating_add(records.len() as u64);
        match self.producers.accept(producer, sequence, records.len() as u64) {
            Verdict::Append { skip } => {
                self.shared.stats.repeated.add(skip as u64);
                let begin = sequence.saturating_add(skip as u64);
                self.push(
                    Origin::Batch { request_id, producer, begin, end },
                    records.split_off(skip),
                    reply_to.clone(),
                );
            }
            Verdict::Repeated { stored } => {
                self.shared.stats.repeated.add(records.len() as u64);
                if stored || !self.appends.wait_for(&producer, end, waiter(end)) {
                    self.answer_push(&waiter(end), Ok(0));
                }
            }
            Verdict::OutOfOrder => {
                self.answer_push(&waiter(sequence), Err(&refusal::out_of_order()));
            }
        }
    }

    /// Whether records can be taken now.
    fn check_room(&self, records: &[Vec<u8>]) -> Result<(), StorageError> {
        if records.iter().any(|record| record.len() > BATCH_BYTES_MAX) {
            return Err(refusal::too_large());
        }
        let bytes = records.iter().map(Vec::len).sum();
        if self.appends.has_room(records.len(), bytes) { Ok(()) } else { Err(refusal::busy(self.place.log.trouble())) }
    }

    fn push_one(&mut self, request_id: u64, data: Vec<u8>, reply_to: Route) {
        let (origin, records) = (Origin::Single { request_id }, vec![data]);
        match self.check_room(&records) {
            Ok(()) => self.push(origin, records, reply_to),
            Err(error) => self.answer_push(&origin.waiter(reply_to), Err(&error)),
        }
    }

    /// Appends records that there is room for.
    fn push(&mut self, origin: Origin, records: Vec<Vec<u8>>, reply_to: Route) {
        let (count, bytes) = (records.len() as u64, records.iter().map(Vec::len).sum());
        let work = self.place.log.append(records);
        self.appends.push(work, origin, count, bytes, reply_to);
    }

    /// Answers who waits for the append that is done, and the pulls that wait for its records.
    async fn finish_append(&mut self) {
        let Some(done) = self.appends.take_done() else { return };
        match done.result {
            Ok(last) => {
                self.end = self.end.max(last.saturating_add(1));
                self.shared.stats.produced.add(done.records);
                self.shared.stats.produced_bytes.add(done.bytes as u64);
                let in_order = done
                    .origin
                    .batch()
                    .is_none_or(|(producer, begin, end)| self.producers.stored(producer, begin, end));
                for waiter in &done.waiting {
                    match in_order {
                        true => self.answer_push(waiter, Ok(last)),
                        false => self.answer_push(waiter, Err(&refusal::out_of_order())),
                    }
                }
                self.serve_pulls().await;
            }
            Err(error) => {
                self.shared.stats.errors.add(1);
                if let Some((producer, ..)) = done.origin.batch() {
                    self.producers.failed(producer);
                }
                done.waiting.iter().for_each(|waiter| self.answer_push(waiter, Err(&error)));
            }
        }
    }

    fn answer_push(&self, waiter: &Waiter, result: Result<u64, &StorageError>) {
        if result.is_err() {
            self.shared.stats.refused.add(1);
        }
        self.send(waiter.reply_to.clone(), &waiter.reply(result, &self.producers));
    }

    /// Answers what has waited long enough.
    fn answer_due(&mut self) {
        let now = time::now();
        for pull in self.pulls.take_due(now) {
            match self.place.log.trouble() {
                Some(trouble) => {
                    let error = StorageError::unavailable(trouble);
                    self.send(pull.reply_to.clone(), &refusal::pull(&pull, &error));
                }
                None => self.answer_with_nothing(&pull),
            }
        }
        for waiter in self.appends.take_due(now) {
            self.answer_push(&waiter, Err(&refusal::not_confirmed(self.place.log.trouble())));
        }
    }

    fn share(&self, request_id: u64, identities: Vec<Identifier>, peer: Option<Identifier>, reply_to: Route) {
        let (stream, partition) = (self.place.stream.clone(), self.place.partition);
        let request = ShareRequest { stream, partition, peer, identities, request_id, reply_to: reply_to.clone() };
        if self.shared.service.try_send(request).is_err() {
            self.send(reply_to, &StreamReply::Shared { request_id, status: Status::Unavailable });
        }
    }

    fn refuse(&self, reply_to: &Route, request: &StreamRequest, error: &StorageError) {
        self.shared.stats.refused.add(1);
        self.send(reply_to.clone(), &refusal::request(request, error, &self.producers));
    }

    fn send(&self, to: Route, reply: &StreamReply) {
        if let Err(error) = self.context.send_at_once(to, reply.encode()) {
            tracing::debug!(%error, "the answer of a stream could not be delivered; the client will ask again");
        }
    }

    fn update_gauges(&mut self) {
        let end = self.end.max(self.place.log.end());
        self.count(self.pulls.len() as u64, end.saturating_sub(self.asked));
    }

    /// Replaces what this partition adds to the gauges of all.
    fn count(&mut self, held: u64, lag: u64) {
        let (held_before, lag_before) = std::mem::replace(&mut self.counted, (held, lag));
        let stats = &self.shared.stats;
        for (counter, before, now) in [(&stats.held_pulls, held_before, held), (&stats.lag, lag_before, lag)] {
            counter.add(now.saturating_sub(before));
            counter.sub(before.saturating_sub(now));
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
