//! Streams as topics of Kafka: one topic for each stream, named with the hub's prefix.
//!
//! Never: a topic that the hub neither created nor was allowed to use by name. Which it created, its catalog says.

use super::client::{HubConsumer, HubProducer, KafkaClient, REQUEST_TIMEOUT};
use super::log::KafkaLog;
use crate::stream::storage::{NewStream, Pending, Result, StorageError, StreamStorage};
use postern_env::task;
use postern_env::time::Duration;
use postern_node::stream::Status;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::types::RDKafkaRespErr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A segment of a topic is a part of what is kept, so that old records can go; Kafka takes no smaller ones than this.
const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
const SEGMENTS: u64 = 8;
/// Probes in a row that a consumer may fail before another is tried: about a minute, as long as a broker takes to start again.
const CONSUMER_FAILURES_MAX: u32 = 10;

/// The two handles that all streams use.
pub(crate) struct Handles {
    pub(super) client: Arc<KafkaClient>,
    consumer: RwLock<Arc<HubConsumer>>,
    producer: RwLock<Arc<HubProducer>>,
    /// Probes through the consumer that have failed, one after the other.
    consumer_failures: AtomicU32,
}

impl Handles {
    /// Makes the handles. They connect by themselves, now or later.
    ///
    /// # Errors
    /// As a message for people.
    pub(crate) fn new(client: Arc<KafkaClient>) -> Result<Self, String> {
        let consumer = RwLock::new(Arc::new(client.create_consumer()?));
        let producer = RwLock::new(Arc::new(client.create_producer()?));
        Ok(Self { client, consumer, producer, consumer_failures: AtomicU32::new(0) })
    }

    pub(super) fn consumer(&self) -> Arc<HubConsumer> {
        self.consumer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn producer(&self) -> Arc<HubProducer> {
        self.producer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces a producer that cannot go on: its records fail, and their senders send them again. Blocks for a moment.
    pub(crate) fn renew_producer(&self) {
        let Some((_, reason)) = self.producer().client().fatal_error() else { return };
        tracing::error!(reason, "Kafka's producer cannot go on; a new one takes its place and clients send again");
        match self.client.create_producer() {
            Ok(producer) => *self.producer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(producer),
            Err(reason) => tracing::error!(reason, "a new producer cannot be made; it is tried again"),
        }
    }

    /// Asks the broker for something small, through the consumer and through the producer: each has connections of its own. Blocks
    /// for at most twice the time.
    pub(crate) fn probe(&self, timeout: Duration) -> Result<(), KafkaError> {
        // Any answer will do; the topic need not exist, and is not created.
        let topic = format!("{}hub", self.client.settings.prefix);
        let read = self.consumer().fetch_metadata(Some(&topic), timeout).map(drop);
        match &read {
            Ok(()) => self.consumer_failures.store(0, Ordering::Relaxed),
            Err(_) => drop(self.consumer_failures.fetch_add(1, Ordering::Relaxed)),
        }
        read.and(self.producer().client().fetch_metadata(Some(&topic), timeout).map(drop))
    }

    /// Replaces a consumer that has failed for long, if a new one reaches the broker: it has lost what it knew of the cluster, and
    /// whoever reads is assigned to the new one with the next pull. Blocks for at most the time.
    pub(crate) fn renew_consumer(&self, timeout: Duration) {
        if self.consumer_failures.load(Ordering::Relaxed) < CONSUMER_FAILURES_MAX {
            return;
        }
        self.consumer_failures.store(0, Ordering::Relaxed);
        let topic = format!("{}hub", self.client.settings.prefix);
        let made = self.client.create_consumer();
        let reaches = made.and_then(|it| match it.fetch_metadata(Some(&topic), timeout) {
            Ok(_) => Ok(it),
            Err(error) => Err(error.to_string()),
        });
        match reaches {
            Ok(consumer) => {
                tracing::error!(
                    "Kafka's consumer cannot go on although the broker can be reached; a new one takes its place"
                );
                *self.consumer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(consumer);
            }
            Err(reason) => tracing::debug!(reason, "a new consumer does not reach the broker either"),
        }
    }

    /// Serves the callbacks of the consumer. Blocks for at most the time.
    pub(crate) fn serve_callbacks(&self, timeout: Duration) {
        if let Some(Err(error)) = self.consumer().poll(timeout) {
            tracing::debug!(%error, "librdkafka reported an error to the consumer");
        }
    }
}

/// The storage of the services `stream_kafka` and `stream_kafka_index`.
#[derive(Clone)]
pub(crate) struct KafkaStorage {
    handles: Arc<Handles>,
}

impl KafkaStorage {
    pub(crate) fn new(handles: Arc<Handles>) -> Self {
        Self { handles }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.handles.client.settings.prefix)
    }
}

impl StreamStorage for KafkaStorage {
    type Log = KafkaLog;

    const SERVICE: &'static str = "kafka";

    fn create(&self, stream: NewStream, known: bool) -> Pending<u64> {
        let (handles, topic) = (self.handles.clone(), self.topic(&stream.name));
        Box::pin(async move {
            let allowed = handles.client.settings.topics.contains(&topic);
            match partitions_of(&handles, &topic).await? {
                Some(partitions) if known || allowed => Ok(partitions),
                Some(_) => Err(belongs_to_others(&topic)),
                None => create_topic(&handles, &topic, stream.partitions).await,
            }
        })
    }

    fn log(&self, name: &str, partition: u64, _: i64) -> KafkaLog {
        KafkaLog::new(self.handles.clone(), self.topic(name), i32::try_from(partition).unwrap_or(i32::MAX))
    }

    fn delete(&self, name: String) -> Pending<()> {
        let (handles, topic) = (self.handles.clone(), self.topic(&name));
        Box::pin(async move {
            if handles.client.settings.topics.contains(&topic) {
                return Ok(());
            }
            let admin = admin(&handles).await?;
            let deleted =
                admin.delete_topics(&[&topic], &AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT))).await;
            task::spawn_blocking(move || drop(admin));
            match deleted.map_err(|error| handles.client.explain(&topic, &error))?.into_iter().next() {
                Some(Err((_, code))) if code != RDKafkaErrorCode::UnknownTopicOrPartition => {
                    Err(handles.client.explain(&topic, &KafkaError::AdminOp(code)))
                }
                _ => Ok(()),
            }
        })
    }
}

/// How many partitions a topic has; nothing if it does not exist.
async fn partitions_of(handles: &Arc<Handles>, topic: &str) -> Result<Option<u64>> {
    let (handles, topic) = (handles.clone(), topic.to_owned());
    let client = handles.client.clone();
    let look = move || {
        let explain = |error: KafkaError| handles.client.explain(&topic, &error);
        let metadata = handles.consumer().fetch_metadata(Some(&topic), REQUEST_TIMEOUT).map_err(explain)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| (found.error(), found.partitions().len() as u64)) {
            Some((None, partitions)) if partitions > 0 => Ok(Some(partitions)),
            None | Some((None, _)) => Ok(None),
            Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), _)) => Ok(None),
            Some((Some(error), _)) => Err(explain(KafkaError::MetadataFetch(error.into()))),
        }
    };
    client.blocking(look).await
}

/// A handle for one request: it has threads, and nobody reads its logs.
async fn admin(handles: &Arc<Handles>) -> Result<AdminClient<super::client::HubContext>> {
    let (client, of) = (handles.client.clone(), handles.clone());
    client.blocking(move || of.client.create_admin().map_err(StorageError::unavailable)).await
}

async fn create_topic(handles: &Arc<Handles>, topic: &str, partitions: u64) -> Result<u64> {
    let settings = &handles.client.settings;
    let retention_ms = settings.retention_days.saturating_mul(24 * 3_600 * 1_000).to_string();
    let retention_bytes = settings.retention_bytes.to_string();
    let segment_bytes = (settings.retention_bytes / SEGMENTS).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX).to_string();
    let in_sync = settings.min_insync_replicas.map(|replicas| replicas.to_string());
    let replication = TopicReplication::Fixed(settings.replication_factor.unwrap_or(-1));
    let mut new = NewTopic::new(topic, i32::try_from(partitions).unwrap_or(i32::MAX), replication)
        .set("retention.ms", &retention_ms)
        .set("retention.bytes", &retention_bytes)
        .set("segment.bytes", &segment_bytes);
    if let Some(in_sync) = &in_sync {
        new = new.set("min.insync.replicas", in_sync);
    }
    let options =
        AdminOptions::new().request_timeout(Some(2 * REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT));
    let admin = admin(handles).await?;
    let created = admin.create_topics([&new], &options).await;
    task::spawn_blocking(move || drop(admin));
    let explain = |error: KafkaError| handles.client.explain(topic, &error);
    match created.map_err(explain)?.into_iter().next() {
        Some(Ok(_)) => Ok(partitions),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Err(belongs_to_others(topic)),
        Some(Err((_, RDKafkaErrorCode::TopicAuthorizationFailed))) => {
            Err(explain(KafkaError::AdminOp(RDKafkaErrorCode::ClusterAuthorizationFailed)))
        }
        Some(Err((_, code))) => Err(explain(KafkaError::AdminOp(code))),
        None => Err(StorageError::unavailable("Kafka did not answer; try again")),
    }
}

fn belongs_to_others(topic: &str) -> StorageError {
    let reason = format!(
        "the topic {topic} exists, and this hub did not create it: choose another name, or list it in topics of [kafka] in \
         hub.toml (a hub without a data directory does not remember what it created)"
    );
    StorageError::new(Status::Denied, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::storage::{Extent, Log as _};
    use rdkafka::mocking::MockCluster;

    /// For a probe that is to fail, and one that is to succeed.
    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(20);

    fn client(brokers: &str) -> Arc<KafkaClient> {
        let settings = toml::from_str(&format!("brokers = '{brokers}'\nallow_anonymous = true")).unwrap();
        Arc::new(KafkaClient::new(settings).unwrap())
    }

    /// A place where nothing listens: such a handle stands for one that has lost its brokers.
    fn lost() -> Arc<KafkaClient> {
        client("127.0.0.1:1")
    }

    #[test]
    fn a_consumer_that_fails_for_long_is_replaced_by_one_that_reaches_the_broker() {
        let cluster = MockCluster::new(1).unwrap();
        let mut handles = Handles::new(client(&cluster.bootstrap_servers())).unwrap();
        handles.probe(LONG).unwrap();
        let before = handles.consumer();
        handles.renew_consumer(LONG);
        assert!(Arc::ptr_eq(&before, &handles.consumer()), "one that works stays");

        let consumer = Arc::new(lost().create_consumer().unwrap());
        handles.consumer = RwLock::new(consumer.clone());
        for _ in 0..CONSUMER_FAILURES_MAX {
            assert!(Arc::ptr_eq(&consumer, &handles.consumer()));
            handles.renew_consumer(LONG);
            handles.probe(SHORT).unwrap_err();
        }
        handles.renew_consumer(LONG);
        assert!(!Arc::ptr_eq(&consumer, &handles.consumer()));
        handles.probe(LONG).unwrap();
    }

    #[test]
    fn a_consumer_is_kept_while_no_other_reaches_the_broker() {
        let handles = Handles::new(lost()).unwrap();
        let consumer = handles.consumer();
        for _ in 0..CONSUMER_FAILURES_MAX {
            handles.probe(SHORT).unwrap_err();
        }
        handles.renew_consumer(SHORT);
        assert!(Arc::ptr_eq(&consumer, &handles.consumer()));
    }

    #[test]
    fn a_producer_that_reaches_no_broker_fails_the_probe() {
        let cluster = MockCluster::new(1).unwrap();
        let mut handles = Handles::new(client(&cluster.bootstrap_servers())).unwrap();
        handles.probe(LONG).unwrap();
        handles.producer = RwLock::new(Arc::new(lost().create_producer().unwrap()));
        handles.consumer().fetch_metadata(None, LONG).unwrap();
        handles.probe(Duration::from_secs(1)).unwrap_err();
    }

    /// Reads from an index until something is there.
    async fn read(log: &mut KafkaLog, from: u64) -> Vec<Vec<u8>> {
        let reading = async {
            loop {
                if let Some(batch) = log.read(from, Extent { records: 10, bytes: 1024 }).await.unwrap() {
                    return batch.records.into_iter().map(|record| record.data).collect();
                }
                // The next pull comes whether or not something arrived.
                let _ = tokio::time::timeout(SHORT, log.arrived()).await;
            }
        };
        tokio::time::timeout(LONG, reading).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_goes_on_through_the_consumer_that_took_the_place_of_its_own() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("postern-news", 1, 1).unwrap();
        let handles = Arc::new(Handles::new(client(&cluster.bootstrap_servers())).unwrap());
        let mut log = KafkaStorage::new(handles.clone()).log("news", 0, 0);
        log.append(vec![b"before".to_vec()]).await.unwrap();
        assert_eq!(read(&mut log, 0).await, [b"before"]);

        // Nothing comes through the old one any more.
        handles.consumer().unassign().unwrap();
        *handles.consumer.write().unwrap() = Arc::new(handles.client.create_consumer().unwrap());
        log.append(vec![b"after".to_vec()]).await.unwrap();
        assert_eq!(read(&mut log, 1).await, [b"after"]);
    }
}
