//! Streams as topics of Kafka: one topic for each stream, named with the hub's prefix.
//!
//! Never: a topic that the hub neither created nor was allowed to use by name. Which it created, its catalog says.

use super::client::{HubConsumer, HubProducer, KafkaClient, REQUEST_TIMEOUT};
use super::log::KafkaLog;
use crate::stream::storage::{NewStream, Pending, Result, StorageError, StreamStorage};
use postern_env::task;
use postern_node::stream::Status;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::types::RDKafkaRespErr;
use std::sync::{Arc, PoisonError, RwLock};

/// A segment of a topic is a part of what is kept, so that old records can go; Kafka takes no smaller ones than this.
const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;
const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
const SEGMENTS: u64 = 8;

/// The two handles that all streams use.
pub(crate) struct Handles {
    pub(super) client: Arc<KafkaClient>,
    pub(super) consumer: Arc<HubConsumer>,
    producer: RwLock<Arc<HubProducer>>,
}

impl Handles {
    /// Makes the handles. They connect by themselves, now or later.
    ///
    /// # Errors
    /// As a message for people.
    pub(crate) fn new(client: Arc<KafkaClient>) -> Result<Self, String> {
        let consumer = Arc::new(client.create_consumer()?);
        let producer = RwLock::new(Arc::new(client.create_producer()?));
        Ok(Self { client, consumer, producer })
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

    /// Asks the broker for something small. Blocks.
    pub(crate) fn probe(&self) -> Result<(), KafkaError> {
        // Any answer will do; the topic need not exist, and is not created.
        let topic = format!("{}hub", self.client.settings.prefix);
        self.consumer.fetch_metadata(Some(&topic), REQUEST_TIMEOUT).map(drop)
    }

    /// Serves the callbacks of the consumer. Blocks for at most the time.
    pub(crate) fn serve_callbacks(&self, timeout: std::time::Duration) {
        if let Some(Err(error)) = self.consumer.poll(timeout) {
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
        let metadata = handles.consumer.fetch_metadata(Some(&topic), REQUEST_TIMEOUT).map_err(explain)?;
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
