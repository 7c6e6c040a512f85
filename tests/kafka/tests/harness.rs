//! What the tests stand on: one broker for all that do not stop it, and hubs with a configuration.

use std::net::SocketAddr;
use std::sync::OnceLock;

use postern_kafka_broker::{Broker, Error, Options, selected, skipped};
use postern_testkit::port::{free_port, loopback};
use postern_testkit::{Hub, TIMEOUT, temp_dir};
use tempfile::TempDir;

/// The broker that tests share: the one that `KAFKA_BOOTSTRAP` names, or one that is started for them. Each uses topics of its own.
/// Nothing where Kafka cannot be had: the test says so and returns.
///
/// # Panics
/// When it could be had and does not start.
pub(crate) fn shared_bootstrap() -> Option<String> {
    static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
    if let Some(bootstrap) = selected() {
        return Some(bootstrap);
    }
    let shared = SHARED.get_or_init(|| or_skip(Broker::start()));
    if shared.is_none() {
        skipped("there is no Apache Kafka");
    }
    shared.as_ref().map(Broker::bootstrap)
}

/// A broker of the test's own, to stop and start.
///
/// # Panics
/// As [`shared_bootstrap`].
pub(crate) fn own_broker(options: Options) -> Option<Broker> {
    let own = or_skip(Broker::with(options));
    if own.is_none() {
        skipped("there is no Apache Kafka");
    }
    own
}

fn or_skip(broker: Result<Broker, Error>) -> Option<Broker> {
    match broker {
        Ok(broker) => Some(broker),
        Err(Error::Unavailable(why)) => {
            eprintln!("{why}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A hub as a process, with a configuration, on a port that it keeps.
pub(crate) struct TestHub {
    hub: Option<Hub>,
    address: SocketAddr,
    directory: TempDir,
    durable: bool,
}

impl TestHub {
    /// Without a data directory.
    pub(crate) fn in_memory() -> Self {
        Self::new("", false)
    }

    /// With a data directory and a configuration.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::new(configuration, true)
    }

    /// With Kafka, for everybody.
    pub(crate) fn with_kafka(bootstrap: &str) -> Self {
        Self::start(&kafka(bootstrap))
    }

    fn new(configuration: &str, durable: bool) -> Self {
        let directory = temp_dir();
        let config = directory.path().join("hub.toml");
        std::fs::write(config, configuration).unwrap();
        let mut it = Self { hub: None, address: loopback(free_port()), directory, durable };
        it.start_again();
        it
    }

    fn start_again(&mut self) {
        let mut command = Hub::command(self.address);
        command.arg("--config").arg(self.directory.path().join("hub.toml"));
        if self.durable {
            command.arg("--data-dir").arg(self.directory.path().join("data"));
        }
        self.hub = Some(Hub::spawn(&mut command));
    }

    /// The same hub again at the same address, with another configuration.
    pub(crate) fn reconfigure(&mut self, configuration: &str) {
        std::fs::write(self.directory.path().join("hub.toml"), configuration).unwrap();
        self.kill_and_restart();
    }

    /// SIGKILL, unless it was killed, then the same hub again at the same address.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// SIGTERM, and the same hub again when it has ended.
    pub(crate) fn stop_and_restart(&mut self) {
        let hub = self.hub.take().expect("it runs");
        hub.process().terminate();
        assert!(hub.process().wait(TIMEOUT).success());
        self.start_again();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.process().kill();
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.hub.as_ref().expect("it runs")
    }
}

/// The configuration of a hub with a broker that everybody may use.
pub(crate) fn kafka(bootstrap: &str) -> String {
    format!("[kafka]\nbrokers = \"{bootstrap}\"\nallow_anonymous = true\n")
}
