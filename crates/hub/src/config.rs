//! The hub's configuration: a TOML file, the limits it sets, and their defaults.
//!
//! Unknown keys are errors, so a misspelt limit never goes unnoticed.

use crate::mailbox::Capacity;
use crate::routes::{self, StaticRoutes};
use crate::stream::{KafkaSettings, Quotas, StreamSettings};
use postern_env::fs;
use postern_node::Limits;
use postern_node::mailbox::EXPIRY;
use postern_node::tcp::MAX_FRAME_UNAUTHENTICATED;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Quota of all mailboxes together: messages, and bytes. As much as 256 recipients with full mailboxes.
const MAILBOX_MESSAGES: u64 = 65_536;
const MAILBOX_BYTES: u64 = 256 * 1024 * 1024;
/// Quota of one recipient: messages, and bytes. 32 messages of the largest size.
const MAILBOX_MESSAGES_PER_RECIPIENT: u64 = 256;
const MAILBOX_BYTES_PER_RECIPIENT: u64 = 1024 * 1024;
/// Messages for one recipient from one depositor: nobody alone can fill more than a quarter of a mailbox.
const MAILBOX_MESSAGES_PER_DEPOSITOR: u64 = 64;

/// A recipient is forgotten this long after their last subscription, in days: longer than any message is kept, and than most
/// absences.
const MAILBOX_RECIPIENT_DAYS: u64 = 60;
/// Recipients that are remembered: about 20 MB.
const MAILBOX_RECIPIENTS: u64 = 262_144;

/// A hub's settings. The defaults are those of an empty file.
///
/// ```
/// let config = postern_hub::HubConfig::parse("listen = '0.0.0.0:4000'\n[limits]\nrelays = 100")?;
/// assert_eq!(config.limits().relays, 100);
/// # Ok::<(), postern_hub::ConfigError>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// Where nodes connect to, as `host:port`.
    pub listen: String,
    /// Where `/healthz` and `/metrics` are served, as `host:port`; nowhere if absent.
    pub status: Option<String>,
    /// Whether the status address also serves `/join`, the page that web links lead to. Not unless it is asked for.
    pub join_page: bool,
    /// The directory with the hub's identity, its mailboxes and streams; it is created if it does not exist. Without one,
    /// all are lost when the hub stops.
    pub data: Option<PathBuf>,
    /// Prefix of the relays' addresses. The command line of `ockam` expects `forward_to_`.
    pub relay_prefix: String,
    /// Longest time that a graceful drain gives to open connections, in seconds.
    pub drain_seconds: u64,
    pub(crate) limits: HubLimits,
    pub(crate) streams: StreamSettings,
    pub(crate) kafka: Option<KafkaSettings>,
    pub(crate) routes: StaticRoutes,
}

/// The limits that a file can set; what is absent has the default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HubLimits {
    connections: Option<u64>,
    connections_per_address: Option<usize>,
    relays: Option<usize>,
    relays_per_owner: Option<usize>,
    relays_per_address: Option<usize>,
    mailbox_messages: Option<u64>,
    mailbox_bytes: Option<u64>,
    mailbox_days: Option<u64>,
    mailbox_recipient_days: Option<u64>,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:4000".into(),
            status: None,
            join_page: false,
            data: None,
            relay_prefix: String::new(),
            drain_seconds: 10,
            limits: HubLimits::default(),
            streams: StreamSettings::default(),
            kafka: None,
            routes: StaticRoutes::new(),
        }
    }
}

/// Why a configuration was rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is not TOML, or has an unknown key or a value of the wrong type.
    #[error("invalid hub configuration: {0}")]
    Parse(#[from] toml::de::Error),
    /// A setting, or settings together, that cannot be used.
    #[error("invalid hub configuration: {0}")]
    Invalid(String),
}

impl HubConfig {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`], with the line of the mistake.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = fs::read_to_string(path);
        Self::parse(&read.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?)
    }

    /// Reads a configuration text.
    ///
    /// # Errors
    /// [`ConfigError::Parse`], with the line of the mistake, or [`ConfigError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        if let Some(kafka) = &config.kafka {
            kafka.check().map_err(ConfigError::Invalid)?;
        }
        routes::check(&config.routes).map_err(ConfigError::Invalid)?;
        Ok(config)
    }

    /// The limits of the hub's node.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            connections: self.limits.connections.unwrap_or(default.connections),
            connections_per_address: self.limits.connections_per_address.unwrap_or(default.connections_per_address),
            relays: self.limits.relays.unwrap_or(default.relays),
            relays_per_address: self.limits.relays_per_address.unwrap_or(default.relays_per_address),
            relays_per_owner: self.limits.relays_per_owner.unwrap_or(default.relays_per_owner),
            // Anybody can make a channel with a hub, so a channel does not raise the limit of a frame here; and no
            // larger frame could be forwarded.
            frame: MAX_FRAME_UNAUTHENTICATED,
            ..default
        }
    }

    /// The quotas of the streams.
    pub(crate) fn quotas(&self) -> Quotas {
        self.streams.quotas(self.data.is_none())
    }

    /// The quotas of the mailboxes.
    pub(crate) fn mailboxes(&self) -> Capacity {
        let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 3600));
        Capacity {
            messages: self.limits.mailbox_messages.unwrap_or(MAILBOX_MESSAGES),
            bytes: self.limits.mailbox_bytes.unwrap_or(MAILBOX_BYTES),
            messages_per_recipient: MAILBOX_MESSAGES_PER_RECIPIENT,
            bytes_per_recipient: MAILBOX_BYTES_PER_RECIPIENT,
            messages_per_depositor: MAILBOX_MESSAGES_PER_DEPOSITOR,
            expiry: self.limits.mailbox_days.map_or(EXPIRY, days),
            recipient_expiry: days(self.limits.mailbox_recipient_days.unwrap_or(MAILBOX_RECIPIENT_DAYS)),
            recipients: MAILBOX_RECIPIENTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_an_error_that_names_it() {
        let error = HubConfig::parse("lissten = '0.0.0.0:4000'").unwrap_err().to_string();
        assert!(error.contains("lissten") && error.contains("listen"), "{error}");
        let error = HubConfig::read(Path::new("/nowhere/hub.toml")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/hub.toml"), "{error}");
    }
}
