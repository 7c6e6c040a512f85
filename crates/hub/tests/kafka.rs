//! Streams in Kafka, against the broker that `KAFKA_BOOTSTRAP` names.

use postern_hub::{Hub, HubConfig};
use postern_testkit::streams::{self, Services};

async fn hub(broker: &str, more: &str) -> (Hub, Services) {
    let text = format!(
        "listen = '127.0.0.1:0'\ndrain_seconds = 0\nstatus = '127.0.0.1:0'\n[streams]\nstreams = 4000\nstreams_per_identity = 4000\n[kafka]\nbrokers = '{broker}'\nreplication_factor = 1\n{more}"
    );
    let hub = Hub::start(&HubConfig::parse(&text).unwrap()).await.unwrap();
    let anonymous = more.contains("allow_anonymous");
    let hub_address = hub.local_addr().to_string();
    (hub, Services { hub: hub_address, stream: "stream_kafka", index: "stream_kafka_index", anonymous })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_on_kafka_pass_the_suite() {
    let Ok(broker) = std::env::var("KAFKA_BOOTSTRAP") else { return };
    let (hub, services) = hub(&broker, "allow_anonymous = true").await;
    let begun = std::time::Instant::now();
    streams::run(&services).await;
    eprintln!("{:?}", begun.elapsed());
    hub.stop().await;
    eprintln!("stopped {:?}", begun.elapsed());
}
