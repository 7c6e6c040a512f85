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
mod partition;
mod producers;
mod pulls;
mod service;
mod settings;
mod stats;
mod storage;

pub(crate) use database::StreamDatabase;
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
