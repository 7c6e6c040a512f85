//! Streams in Apache Kafka, through librdkafka.
//!
//! ```text
//! KafkaStorage ─► KafkaLog (one for each partition) ─► one producer, one consumer ═► broker
//! KafkaGroups  ─► a few handles, each for the consumer group of one client       ═►
//! task         ─► probes the broker, serves callbacks ─► Health ─► /healthz, reasons in answers
//! ```
//!
//! In: the same requests as of any storage, and `[kafka]` of the configuration. Out: records and offsets. The broker may be down
//! when the hub starts, and later: requests are then answered with the cause, and go on by themselves when it is back.

mod client;
mod delivery;
mod groups;
mod health;
mod log;
mod reader;
mod storage;

pub(crate) use groups::KafkaGroups;
pub(crate) use health::Health;
pub(crate) use storage::KafkaStorage;

use super::kafka_settings::KafkaSettings;
use client::{KafkaClient, REQUEST_TIMEOUT};
use postern_env::task;
use postern_env::time::{self, Duration};
use postern_node::Node;
use std::sync::Arc;
use storage::Handles;

/// How often the broker is probed while it works, and while it does not.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBE_INTERVAL_DOWN: Duration = Duration::from_secs(1);
/// How long one call for callbacks waits.
const SERVE_TIMEOUT: Duration = Duration::from_millis(200);

/// What the services need of Kafka.
pub(crate) struct Kafka {
    pub(crate) storage: KafkaStorage,
    pub(crate) groups: KafkaGroups,
    pub(crate) health: Arc<Health>,
}

impl Kafka {
    /// Makes the handles, and starts the task that watches over them. It ends with the node.
    ///
    /// # Errors
    /// As a message for people. A broker that is down is none.
    pub(crate) fn start(node: &Node, settings: KafkaSettings) -> Result<Self, String> {
        let client = Arc::new(KafkaClient::new(settings)?);
        let health = client.health.clone();
        let handles = Arc::new(Handles::new(client)?);
        task::spawn(watch(node.clone(), handles.clone(), health.clone()));
        let groups = KafkaGroups::start(handles.clone());
        Ok(Self { storage: KafkaStorage::new(handles), groups, health })
    }
}

/// Probes the broker, renews what cannot go on, and serves the consumer's callbacks.
async fn watch(node: Node, handles: Arc<Handles>, health: Arc<Health>) {
    let serving = {
        let (node, handles) = (node.clone(), handles.clone());
        async move {
            loop {
                let handles = handles.clone();
                let served = task::spawn_blocking(move || handles.serve_callbacks(SERVE_TIMEOUT));
                tokio::select! {
                    served = served => if served.is_err() { return },
                    () = node.stopped() => return,
                }
            }
        }
    };
    let probing = async {
        loop {
            let handles = handles.clone();
            let probed = task::spawn_blocking(move || {
                handles.renew_producer();
                handles.renew_consumer(REQUEST_TIMEOUT);
                handles.probe(REQUEST_TIMEOUT)
            });
            match probed.await {
                Ok(Ok(())) => health.works(),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the broker does not answer");
                    health.fails();
                }
                Err(_) => return,
            }
            let interval = if health.trouble().is_some() { PROBE_INTERVAL_DOWN } else { PROBE_INTERVAL };
            tokio::select! {
                () = time::sleep(interval) => {}
                () = health.suspect.notified() => time::sleep(PROBE_INTERVAL_DOWN).await,
            }
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(serving, probing) } => {}
        () = node.stopped() => {}
    }
}
