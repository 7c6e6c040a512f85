//! A partition's log in Kafka: appends go to the one producer of all streams, reads to a place in its topic that the one consumer
//! of all streams is assigned to while somebody reads.
//!
//! ```text
//! append ─► producer ─► broker ─► delivery reports ─► done
//! read   ◄─ tail ◄─ queue of the partition ◄─ consumer    from another index: assigned anew, in a blocking call
//! ```
//!
//! Nothing here blocks: a read that has to be assigned first finds nothing, and `arrived` says when to look again.

use super::client::REQUEST_TIMEOUT;
use super::delivery::BatchDelivery;
use super::reader::{OpenReader, Polled};
use super::storage::Handles;
use crate::stream::storage::{Batch, Extent, Log, Pending, Result, StorageError};
use postern_env::task::{self, JoinHandle};
use postern_env::time::{self, Duration, Instant};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::sync::Arc;

/// A reader that nobody has asked for this long is closed: twice as long as a pull is held.
const IDLE: Duration = Duration::from_secs(60);
/// Between two assignments for readers at different places: chosen, so that they take turns instead of taking each other's place.
const TURN: Duration = Duration::from_millis(100);
/// After the storage failed, before it is asked again: chosen.
const RETRY: Duration = Duration::from_secs(1);

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicPartition {
    fn list(&self, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, offset)?;
        Ok(list)
    }
}

pub(crate) struct KafkaLog {
    handles: Arc<Handles>,
    at: TopicPartition,
    reader: Reader,
    /// When the reader was last asked, and last assigned.
    asked: Instant,
    assigned: Option<Instant>,
    /// When to look again, for a reader whose turn it was not, or while Kafka does not work.
    retry: Option<Instant>,
    first: u64,
    end: u64,
}

enum Reader {
    Closed,
    /// Being assigned, or closed: what comes of it, and the index that is read from then.
    Changing(JoinHandle<Result<Place>>),
    Open(OpenReader),
    /// A read of this index is answered with the batch, once.
    Outside(u64, Batch),
}

/// What came of assigning a place.
enum Place {
    Open(OpenReader),
    /// Kafka has nothing there (any more, or yet).
    Outside(u64, Batch),
    Closed,
}

impl KafkaLog {
    pub(super) fn new(handles: Arc<Handles>, topic: String, partition: i32) -> Self {
        let at = TopicPartition { topic, partition };
        let asked = time::now();
        Self { handles, at, reader: Reader::Closed, asked, assigned: None, retry: None, first: 0, end: 0 }
    }

    /// Begins to read from an index, unless another reader's turn is not over.
    fn assign(&mut self, from: u64) {
        let turn = self.assigned.map(|assigned| assigned + TURN).filter(|turn| *turn > time::now());
        if turn.is_some() {
            self.retry = turn;
            return;
        }
        self.assigned = Some(time::now());
        let (handles, at) = (self.handles.clone(), self.at.clone());
        let before = std::mem::replace(&mut self.reader, Reader::Closed);
        self.reader = Reader::Changing(task::spawn(async move {
            let client = handles.client.clone();
            let work = move || open(&handles, &at, from, before);
            client.blocking(work).await
        }));
    }

    /// Unassigns what nobody reads.
    fn close(&mut self) {
        let at = self.at.clone();
        let before = std::mem::replace(&mut self.reader, Reader::Closed);
        self.reader = Reader::Changing(task::spawn_blocking(move || {
            unassign(&at, before);
            Ok(Place::Closed)
        }));
    }

    /// Reads from the open reader; `None` if it is elsewhere.
    fn read_open(&mut self, from: u64, extent: Extent) -> Result<Option<Batch>> {
        let Reader::Open(reader) = &mut self.reader else { return Ok(None) };
        // The consumer may have been renewed: nothing comes through the one of before.
        if !reader.covers(from) || !reader.is_of(&self.handles.consumer()) {
            self.assign(from);
            return Ok(None);
        }
        match reader.read(from, extent) {
            Polled::Records(records) => {
                let next = records.last().map_or(from, |record| record.index + 1);
                self.end = self.end.max(next);
                self.handles.client.health.works();
                Ok(Some(Batch { first: self.first, next, records }))
            }
            Polled::Nothing => Ok(None),
            Polled::Failed(error) => {
                self.close();
                // The records there are gone: the next assignment finds out which are left.
                let lost = [RDKafkaErrorCode::AutoOffsetReset, RDKafkaErrorCode::OffsetOutOfRange];
                if error.rdkafka_error_code().is_some_and(|code| lost.contains(&code)) {
                    self.assigned = None;
                    return Ok(None);
                }
                Err(self.handles.client.explain(&self.at.topic, &error))
            }
        }
    }

    /// Takes what came of assigning.
    fn changed(&mut self, place: Result<Place>) {
        self.reader = match place {
            Ok(Place::Open(reader)) => {
                (self.first, self.end) = (reader.low, self.end.max(reader.high));
                Reader::Open(reader)
            }
            Ok(Place::Outside(from, batch)) => {
                self.first = batch.first;
                Reader::Outside(from, batch)
            }
            Ok(Place::Closed) => Reader::Closed,
            Err(error) => {
                tracing::debug!(%error, "a topic could not be read; it is tried again");
                Reader::Closed
            }
        };
    }
}

impl Log for KafkaLog {
    fn append(&mut self, records: Vec<Vec<u8>>) -> Pending<u64> {
        let (delivery, result) = BatchDelivery::of(records.len());
        let (delivery, producer) = (Arc::new(delivery), self.handles.producer());
        for (sent, record) in records.iter().enumerate() {
            let to = BaseRecord::<'_, (), [u8], _>::with_opaque_to(&self.at.topic, delivery.clone());
            if let Err((error, _)) = producer.send(to.partition(self.at.partition).payload(record)) {
                if producer.client().fatal_error().is_some() {
                    self.handles.client.health.suspect.notify_one();
                }
                delivery.refused(records.len() - sent, error);
                break;
            }
        }
        let (client, topic) = (self.handles.client.clone(), self.at.topic.clone());
        Box::pin(async move {
            let stopped = || StorageError::unavailable("the hub's connection to Kafka was renewed; send again");
            let last = result.await.map_err(|_| stopped())?.map_err(|error| client.explain(&topic, &error))?;
            client.health.works();
            Ok(last)
        })
    }

    async fn read(&mut self, from: u64, extent: Extent) -> Result<Option<Batch>> {
        self.asked = time::now();
        match &self.reader {
            Reader::Open(_) => self.read_open(from, extent),
            Reader::Outside(at, batch) if *at == from => {
                let batch = batch.clone();
                self.reader = Reader::Closed;
                self.assigned = None;
                Ok(Some(batch))
            }
            Reader::Closed | Reader::Outside(..) => {
                // While Kafka does not work the pull waits, as for a record: it may be back before the time is over.
                match self.handles.client.health.trouble() {
                    Some(_) => self.retry = Some(time::now() + RETRY),
                    None => self.assign(from),
                }
                Ok(None)
            }
            Reader::Changing(_) => Ok(None),
        }
    }

    fn has_settled(&self) -> bool {
        match &self.reader {
            Reader::Open(reader) => reader.is_at_end(),
            Reader::Closed => self.handles.client.health.trouble().is_some(),
            Reader::Changing(_) | Reader::Outside(..) => false,
        }
    }

    async fn arrived(&mut self) {
        let retry = until(self.retry);
        match &mut self.reader {
            Reader::Changing(work) => {
                let place = work.await.unwrap_or_else(|_| Err(StorageError::unavailable("the hub is stopping")));
                self.changed(place);
            }
            Reader::Open(reader) => {
                tokio::select! {
                    () = reader.arrived() => {}
                    () = retry => self.retry = None,
                    () = time::sleep_until(self.asked + IDLE) => self.close(),
                }
            }
            Reader::Outside(..) | Reader::Closed => {
                retry.await;
                self.retry = None;
            }
        }
    }

    fn first(&self) -> u64 {
        self.first
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn trouble(&self) -> Option<String> {
        self.handles.client.health.trouble()
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        // The consumer outlives this, and would go on fetching.
        if let Reader::Open(reader) = std::mem::replace(&mut self.reader, Reader::Closed) {
            let at = self.at.clone();
            task::spawn_blocking(move || unassign(&at, Reader::Open(reader)));
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Assigns the partition from an index. Blocks.
fn open(handles: &Handles, at: &TopicPartition, from: u64, before: Reader) -> Result<Place> {
    let explain = |error: KafkaError| handles.client.explain(&at.topic, &error);
    unassign(at, before);
    let consumer = handles.consumer();
    let (low, high) = consumer.fetch_watermarks(&at.topic, at.partition, REQUEST_TIMEOUT).map_err(explain)?;
    let (low, high) = (u64::try_from(low).unwrap_or_default(), u64::try_from(high).unwrap_or_default());
    if from < low || from > high {
        let next = if from < low { low } else { high };
        return Ok(Place::Outside(from, Batch { first: low, next, records: Vec::new() }));
    }
    let gone =
        || StorageError::unavailable(format!("the topic {} is gone from Kafka; create the stream again", at.topic));
    let queue = consumer.split_partition_queue(&at.topic, at.partition).ok_or_else(gone)?;
    let reader = OpenReader::new(&consumer, queue, from, (low, high));
    let offset = i64::try_from(from).unwrap_or(i64::MAX);
    let list = at.list(Offset::Offset(offset)).map_err(explain)?;
    consumer.incremental_assign(&list).map_err(explain)?;
    Ok(Place::Open(reader))
}

/// Ends the assignment of an open reader. Blocks for a moment.
fn unassign(at: &TopicPartition, reader: Reader) {
    let Reader::Open(reader) = reader else { return };
    let unassigned = at.list(Offset::Invalid).and_then(|list| reader.consumer().incremental_unassign(&list));
    if let Err(error) = unassigned {
        tracing::debug!(%error, "a topic that nobody reads could not be unassigned");
    }
    drop(reader);
}
