//! Stream services: logs of routed messages, which programs push to and pull from (`docs/wire.md` §15).
//!
//! ```text
//! stream        ─► Service ─► Partition, Partition, … ─► EmbeddedStorage ─► streams.db, or memory
//! stream_index  ─► IndexService ────────────────────────────────┘
//! stream_kafka, stream_kafka_index: the same on KafkaStorage (feature `kafka`)
//! ```
//!
//! In: requests over connections and secure channels. Out: answers. The hub sees who uses which stream, how much and when; what
//! is in the records is encrypted by those who exchange them.

mod access;
mod database;
mod embedded;
mod index;
#[cfg(feature = "kafka")]
mod kafka;
mod kafka_settings;
mod partition;
mod producers;
mod pulls;
mod service;
mod settings;
mod stats;
mod storage;

pub(crate) use database::StreamDatabase;
pub(crate) use kafka_settings::KafkaSettings;
pub(crate) use service::Exposure;
pub(crate) use settings::{Quotas, StreamSettings};
pub(crate) use stats::StreamStats;

use embedded::EmbeddedStorage;
use postern_node::Node;
use service::ServiceOptions;
use std::sync::Arc;

/// The addresses of the embedded services.
const STREAM_SERVICE: &str = "stream";
const INDEX_SERVICE: &str = "stream_index";

/// Starts the embedded services. They end with the node.
///
/// # Errors
/// As a message for people.
pub(crate) async fn start_embedded(
    node: &Node,
    database: &StreamDatabase,
    quotas: Quotas,
    exposure: Exposure,
    stats: Arc<StreamStats>,
) -> Result<(), String> {
    let storage = EmbeddedStorage::new(database.clone());
    let options =
        ServiceOptions { address: STREAM_SERVICE, storage: storage.clone(), quotas, exposure, stats: stats.clone() };
    service::start(node, database, options).await.map_err(|error| error.reason)?;
    index::start(node, INDEX_SERVICE, storage, exposure, stats).map_err(|error| error.to_string())
}

/// The addresses of the services on Kafka.
#[cfg(feature = "kafka")]
const KAFKA_STREAM_SERVICE: &str = "stream_kafka";
#[cfg(feature = "kafka")]
const KAFKA_INDEX_SERVICE: &str = "stream_kafka_index";

/// What the status port shows of Kafka.
#[derive(Clone)]
pub(crate) struct KafkaStatus {
    pub(crate) stats: Arc<StreamStats>,
    #[cfg(feature = "kafka")]
    health: Arc<kafka::Health>,
}

impl KafkaStatus {
    /// Why Kafka does not work now, if it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        #[cfg(feature = "kafka")]
        return self.health.trouble_here();
        #[cfg(not(feature = "kafka"))]
        None
    }
}

/// Starts the services on Kafka. They end with the node.
///
/// # Errors
/// As a message for people. A broker that is down is none.
#[cfg(feature = "kafka")]
pub(crate) async fn start_kafka(
    node: &Node,
    database: &StreamDatabase,
    settings: &KafkaSettings,
    quotas: Quotas,
    exposure: Exposure,
) -> Result<KafkaStatus, String> {
    settings.check()?;
    let kafka = kafka::Kafka::start(node, settings.clone())?;
    let exposure = Exposure { anonymous: settings.allow_anonymous, ..exposure };
    let stats = Arc::new(StreamStats::default());
    let storage = kafka.storage;
    let options = ServiceOptions { address: KAFKA_STREAM_SERVICE, storage, quotas, exposure, stats: stats.clone() };
    service::start(node, database, options).await.map_err(|error| error.reason)?;
    let started = index::start(node, KAFKA_INDEX_SERVICE, kafka.groups, exposure, stats.clone());
    started.map_err(|error| error.to_string())?;
    Ok(KafkaStatus { stats, health: kafka.health })
}

/// Refuses `[kafka]`: this build has no Kafka.
///
/// # Errors
/// Always.
#[cfg(not(feature = "kafka"))]
pub(crate) async fn start_kafka(
    _: &Node,
    _: &StreamDatabase,
    settings: &KafkaSettings,
    _: Quotas,
    _: Exposure,
) -> Result<KafkaStatus, String> {
    settings.check()?;
    Err("this program was built without Kafka: use the released `postern` for Linux with glibc, or remove [kafka] from hub.toml"
        .into())
}
