//! One suite for the three services: memory, SQLite and Apache Kafka must be told apart by nothing that is in `docs/wire.md` §15.
//!
//! The client here is the peer written from that document, which knows no extension; the suite with everything, of Postern's own client, is
//! `postern_testkit::streams`, which `crates/hub` runs for memory and SQLite.

mod basic;

use postern_testkit::streams;

use crate::harness::{TestHub, kafka, shared_bootstrap};

/// A hub and the pair of its services that is under test.
pub(crate) struct Services {
    pub(crate) hub: TestHub,
    pub(crate) stream: &'static str,
    pub(crate) index: &'static str,
    /// Whether its records are still there after a restart of the hub.
    pub(crate) durable: bool,
}

impl Services {
    fn memory() -> Self {
        Self { hub: TestHub::in_memory(), stream: "stream", index: "stream_index", durable: false }
    }

    fn sqlite() -> Self {
        Self { hub: TestHub::start(""), stream: "stream", index: "stream_index", durable: true }
    }

    /// Nothing where there is no broker.
    fn kafka() -> Option<Self> {
        let hub = TestHub::with_kafka(&shared_bootstrap()?);
        Some(Self { hub, stream: "stream_kafka", index: "stream_kafka_index", durable: true })
    }
}

/// A name that no other test uses: Kafka's topics are there for all.
pub(crate) fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}.{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Each case as a test of its own for each service, so that a failure names both.
macro_rules! suite {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::$module::$case(&mut super::Services::memory()); })*
        }
        mod sqlite {
            $(#[test] fn $case() { super::$module::$case(&mut super::Services::sqlite()); })*
        }
        mod kafka {
            $(#[test] fn $case() {
                if let Some(mut services) = super::Services::kafka() {
                    super::$module::$case(&mut services);
                }
            })*
        }
    };
}

suite! {
    basic::a_stream_is_found_by_its_name,
    basic::a_stream_without_a_name_gets_one,
    basic::names_that_kafka_does_not_take_are_refused,
    basic::records_are_read_in_order,
    basic::records_of_any_size_that_fits_a_frame,
    basic::a_place_is_kept_for_each_client_and_stream,
    basic::partitions_are_logs_of_their_own,
    basic::what_is_acknowledged_outlives_the_hub,
    basic::nonsense_harms_nobody,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_on_kafka_pass_the_whole_suite() {
    let Some(bootstrap) = shared_bootstrap() else { return };
    for anonymous in [true, false] {
        let configuration = kafka(&bootstrap).replace("true", &anonymous.to_string());
        let hub = TestHub::start(&configuration);
        let hub_address = hub.address().to_string();
        let (stream, index) = ("stream_kafka", "stream_kafka_index");
        streams::run(&streams::Services { hub: hub_address, stream, index, anonymous }).await;
    }
}
