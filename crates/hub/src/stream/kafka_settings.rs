//! The table `[kafka]` of the hub's configuration. It is known to every build; one without Kafka refuses it when it starts.

use postern_node::stream::NAME_LEN_MAX;
use serde::Deserialize;
use std::path::PathBuf;

/// Longest name of a topic in Kafka.
const TOPIC_LEN_MAX: usize = 249;

/// How the hub uses Kafka.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "only a build with Kafka connects"))]
pub(crate) struct KafkaSettings {
    /// Brokers to begin with, as `host:port`, with commas between.
    pub(crate) brokers: String,
    /// In front of the names of topics and groups: no others are used.
    #[serde(default = "default_prefix")]
    pub(crate) prefix: String,
    /// Topics, with the prefix, that the hub did not create and may use.
    #[serde(default)]
    pub(crate) topics: Vec<String>,
    /// Whether streams may be created, and indexes saved, without an identity.
    #[serde(default)]
    pub(crate) allow_anonymous: bool,
    /// TLS with the broker. It is on if one of the next is there.
    #[serde(default)]
    pub(crate) tls: bool,
    /// The authority of the broker's certificate, as a PEM file; the system's if absent.
    pub(crate) ca: Option<PathBuf>,
    /// The hub's certificate and its key, as PEM files.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    /// How the hub authenticates itself; not at all, or by its certificate, if absent.
    pub(crate) mechanism: Option<Mechanism>,
    pub(crate) username: Option<String>,
    /// Where the password is: a file, or a variable of the environment.
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) password_env: Option<String>,
    /// Copies of the topics that the hub creates; the broker's default if absent.
    pub(crate) replication_factor: Option<i32>,
    /// Copies that have to be there before a record counts as stored; the broker's default if absent.
    pub(crate) min_insync_replicas: Option<u32>,
    /// How long, and how many bytes of each partition, are kept of the topics that the hub creates.
    #[serde(default = "default_retention_days")]
    pub(crate) retention_days: u64,
    #[serde(default = "default_retention_bytes")]
    pub(crate) retention_bytes: u64,
    /// How long a record waits for others to go with, in milliseconds.
    #[serde(default = "default_linger_ms")]
    pub(crate) linger_ms: u64,
    /// Consumer groups whose connections are kept open.
    #[serde(default = "default_groups")]
    pub(crate) groups: usize,
    /// Only there to be refused.
    password: Option<toml::Value>,
}

/// How the hub authenticates itself to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

fn default_prefix() -> String {
    "postern-".into()
}

/// Chosen: as long as Kafka's own default.
fn default_retention_days() -> u64 {
    7
}

/// 1 GiB: chosen.
fn default_retention_bytes() -> u64 {
    1024 * 1024 * 1024
}

/// Chosen: enough for the records of one batch of a client to go together, short beside the disk of a broker.
fn default_linger_ms() -> u64 {
    1
}

/// Chosen: each takes about four threads.
fn default_groups() -> usize {
    8
}

impl KafkaSettings {
    /// What is wrong, as a message for people. It never has a secret in it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let room = TOPIC_LEN_MAX - NAME_LEN_MAX;
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self.password.is_some() {
            return Err(
                "[kafka] password does not belong into a configuration file: write it into a file that only the hub \
                        reads, and name that file as password_file (or a variable of the environment as password_env)"
                    .into(),
            );
        }
        if self.prefix.is_empty() || self.prefix.len() > room || !self.prefix.bytes().all(in_alphabet) {
            return Err(format!(
                "[kafka] prefix must have 1 to {room} characters of a-z A-Z 0-9 . _ -: it keeps the hub away from the \
                 topics and groups of other applications"
            ));
        }
        if let Some(topic) = self.topics.iter().find(|topic| !topic.starts_with(&self.prefix)) {
            return Err(format!("[kafka] topics has {topic}, which does not begin with the prefix {}", self.prefix));
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err("[kafka] certificate and key are needed together".into());
        }
        let sources = usize::from(self.password_file.is_some()) + usize::from(self.password_env.is_some());
        match (self.mechanism, &self.username, sources) {
            (None, None, 0) | (Some(_), Some(_), 1) => {}
            _ => {
                return Err(
                    "[kafka] mechanism, username, and one of password_file and password_env are needed together".into(),
                );
            }
        }
        if self.brokers.trim().is_empty() || self.linger_ms > 1_000 || self.groups == 0 || self.retention_days == 0 {
            return Err(
                "[kafka] needs brokers, linger_ms of at most 1000, and groups and retention_days of at least 1".into(),
            );
        }
        Ok(())
    }

    /// Whether the connection to the broker is encrypted.
    #[cfg(feature = "kafka")]
    pub(crate) fn uses_tls(&self) -> bool {
        self.tls || self.ca.is_some() || self.certificate.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        toml::from_str::<KafkaSettings>(text).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn a_broker_is_enough() {
        assert_eq!(check("brokers = 'localhost:9092'"), Ok(()));
        assert!(check("").is_err());
    }

    #[test]
    fn a_password_in_the_file_is_refused_and_not_shown() {
        let error = check("brokers = 'b:1'\npassword = 'hunter2'").unwrap_err();
        assert!(error.contains("password_file") && !error.contains("hunter2"), "{error}");
        let sasl = "brokers = 'b:1'\nmechanism = 'PLAIN'\nusername = 'hub'\n";
        assert_eq!(check(&format!("{sasl}password_file = '/run/secrets/kafka'")), Ok(()));
        for wrong in ["", "password_file = '/a'\npassword_env = 'B'"] {
            assert!(check(&format!("{sasl}{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_prefix_it_is_refused() {
        for prefix in ["", "a b", &"x".repeat(50)] {
            assert!(check(&format!("brokers = 'b:1'\nprefix = '{prefix}'")).is_err(), "{prefix}");
        }
        assert_eq!(check("brokers = 'b:1'\nprefix = 'x.'\ntopics = ['x.orders']"), Ok(()));
        assert!(check("brokers = 'b:1'\ntopics = ['orders']").is_err());
    }
}
