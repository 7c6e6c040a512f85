//! The handles of librdkafka and what they have in common: configuration, secrets, callbacks, and where blocking calls run.
//!
//! Each handle has threads of its own, so there is one producer and one consumer for all streams, and a few for groups.

use super::delivery::BatchDelivery;
use super::health::Health;
use crate::stream::kafka_settings::{KafkaSettings, Mechanism};
use crate::stream::storage::StorageError;
use postern_env::{fs, task};
use postern_node::stream::Status;
use rdkafka::admin::AdminClient;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// How long a request to the broker may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls that block at once: chosen; each takes a thread while it waits for the broker.
const BLOCKING_CALLS: usize = 16;
/// Bytes of a request to the broker: the largest record, and room for headers.
const MESSAGE_BYTES: &str = "1048576";
/// KiB that are fetched ahead for a partition that somebody reads. Measured: with 256 a long log is read at 15 MB/s, because
/// librdkafka often waits for its queue to be empty; with this at 130 to 320 MB/s.
const FETCHED_AHEAD_KIB: &str = "2048";
/// How long a request to fetch waits for records, in milliseconds. It asks for all partitions; measured: one that is added waits for
/// two such requests to end.
const FETCH_WAIT_MS: &str = "20";

/// What handles tell the hub.
pub(crate) struct HubContext {
    health: Arc<Health>,
}

pub(crate) type HubConsumer = BaseConsumer<HubContext>;
pub(crate) type HubProducer = ThreadedProducer<HubContext>;

impl ClientContext for HubContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        // What matters comes as an error too; this has the names of hosts.
        tracing::debug!(?level, fac, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.report(&error, reason);
    }
}

impl ConsumerContext for HubContext {}

impl ProducerContext for HubContext {
    type DeliveryOpaque = Arc<BatchDelivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<BatchDelivery>) {
        batch.delivered(result);
    }
}

/// What all handles are made from.
pub(crate) struct KafkaClient {
    pub(crate) settings: KafkaSettings,
    pub(crate) health: Arc<Health>,
    config: ClientConfig,
    blocking: Arc<Semaphore>,
}

impl KafkaClient {
    /// Reads the secrets.
    ///
    /// # Errors
    /// As a message for people.
    pub(crate) fn new(settings: KafkaSettings) -> Result<Self, String> {
        let health = Arc::new(Health::new(&settings));
        let config = config(&settings)?;
        Ok(Self { settings, health, config, blocking: Arc::new(Semaphore::new(BLOCKING_CALLS)) })
    }

    pub(crate) fn context(&self) -> HubContext {
        HubContext { health: self.health.clone() }
    }

    /// A copy of the configuration that all handles have.
    pub(crate) fn config(&self) -> ClientConfig {
        self.config.clone()
    }

    /// The producer of all streams. It confirms a record when all replicas that are in sync have it, and keeps the order; a
    /// record waits until the broker is back.
    pub(crate) fn create_producer(&self) -> Result<HubProducer, String> {
        let mut config = self.config();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", self.settings.linger_ms.to_string())
            .set("message.max.bytes", MESSAGE_BYTES)
            // A record that expired here while later ones are stored would change the order. Memory is bounded by what the
            // partitions let through.
            .set("message.timeout.ms", "0")
            .set("queue.buffering.max.messages", "0");
        config.create_with_context(self.context()).map_err(|error| creation_failed(&error))
    }

    /// The consumer of all streams. It belongs to no group's members and commits nothing.
    pub(crate) fn create_consumer(&self) -> Result<HubConsumer, String> {
        let mut config = self.config();
        config
            // No client can have this name: it has a character that names do not have.
            .set("group.id", format!("{}@hub", self.settings.prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("queued.max.messages.kbytes", FETCHED_AHEAD_KIB)
            .set("fetch.message.max.bytes", MESSAGE_BYTES)
            .set("fetch.max.bytes", "16777216")
            .set("fetch.wait.max.ms", FETCH_WAIT_MS)
            .set("fetch.queue.backoff.ms", "2");
        config.create_with_context(self.context()).map_err(|error| creation_failed(&error))
    }

    /// A handle for requests to create and delete topics.
    pub(crate) fn create_admin(&self) -> Result<AdminClient<HubContext>, String> {
        self.config().create_with_context(self.context()).map_err(|error| creation_failed(&error))
    }

    /// A consumer that only commits and reads the offsets of a group.
    pub(crate) fn create_group(&self, group: &str) -> Result<HubConsumer, String> {
        let mut config = self.config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("allow.auto.create.topics", "false");
        config.create_with_context(self.context()).map_err(|error| creation_failed(&error))
    }

    /// Runs a call of librdkafka that blocks, if Kafka is not known to be down.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        if let Some(trouble) = self.health.trouble() {
            return Err(StorageError::unavailable(trouble));
        }
        let stopped = || StorageError::unavailable("the hub is stopping; try again when it is back");
        let permit = self.blocking.clone().acquire_owned().await.map_err(|_| stopped())?;
        let work = move || {
            let _permit = permit;
            work()
        };
        task::spawn_blocking(work).await.map_err(|_| stopped())?
    }

    /// What a client is told of an error with a topic.
    pub(crate) fn explain(&self, topic: &str, error: &KafkaError) -> StorageError {
        let user = self.settings.username.as_deref().unwrap_or("of the hub");
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => StorageError::unavailable(format!(
                "Kafka does not let user {user} use the topic {topic}: allow it to create, describe, read and write topics \
                 with the hub's prefix"
            )),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => StorageError::unavailable(format!(
                "Kafka does not let user {user} use the consumer group: allow it to read groups with the hub's prefix"
            )),
            Some(RDKafkaErrorCode::ClusterAuthorizationFailed) => StorageError::unavailable(format!(
                "Kafka does not let user {user} create topics: allow it, or create {topic} and list it in topics of [kafka]"
            )),
            Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
                let reason = format!(
                    "Kafka takes no record so large: send a smaller message, or raise max.message.bytes of {topic}"
                );
                StorageError::new(Status::TooLarge, reason)
            }
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                StorageError::unavailable(format!("the topic {topic} is gone from Kafka; create the stream again"))
            }
            _ => self.health.trouble().map_or_else(
                || StorageError::unavailable(format!("Kafka failed: {error}; try again")),
                StorageError::unavailable,
            ),
        }
    }
}

/// librdkafka's own text, without values: one may be a password.
fn creation_failed(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, description, key, _) => {
            format!("Kafka's client refuses the setting {key}: {description}")
        }
        KafkaError::ClientCreation(reason) => {
            format!("Kafka's client cannot be made: {reason}; check [kafka] in hub.toml")
        }
        other => format!("Kafka's client cannot be made: {other}"),
    }
}

fn config(settings: &KafkaSettings) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("client.id", "postern-hub");
    // A broker that is back is found within this time, not librdkafka's ten seconds.
    config.set("reconnect.backoff.max.ms", "2000");
    // With the default (rebootstrap), librdkafka 2.12.1 can forget every broker for good: if an answer arrives between the loss of the last
    // connection and the beginning of the bootstrap, it stops the timer of that, and no other is begun. The brokers of a cluster
    // stay known without it.
    config.set("metadata.recovery.strategy", "none");
    config.set_log_level(RDKafkaLogLevel::Warning);
    let protocol = match (settings.uses_tls(), settings.mechanism.is_some()) {
        (false, false) => "plaintext",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    let files = [
        ("ssl.ca.location", &settings.ca),
        ("ssl.certificate.location", &settings.certificate),
        ("ssl.key.location", &settings.key),
    ];
    for (key, path) in files {
        if let Some(path) = path {
            fs::metadata(path).map_err(|error| format!("cannot use {} of [kafka]: {error}", path.display()))?;
            config.set(key, path.display().to_string());
        }
    }
    if let (Some(mechanism), Some(username)) = (settings.mechanism, &settings.username) {
        let name = match mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config.set("sasl.mechanism", name).set("sasl.username", username).set("sasl.password", &*password(settings)?);
    }
    Ok(config)
}

/// The password, without the end of the line that editors add to a file.
fn password(settings: &KafkaSettings) -> Result<Zeroizing<String>, String> {
    let text = match (&settings.password_file, &settings.password_env) {
        (Some(path), _) => fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}, the password_file of [kafka]: {error}", path.display()))?,
        (None, Some(name)) => std::env::var(name)
            .map_err(|_| format!("the variable {name}, the password_env of [kafka], is not set, or is no text"))?,
        (None, None) => return Err("[kafka] needs a password_file or a password_env".into()),
    };
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
