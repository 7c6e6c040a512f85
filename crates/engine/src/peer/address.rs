//! Where an engine can be reached.

use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// A way to somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum PeerAddress {
    /// Their computer itself, at `address:port`.
    Direct {
        /// `address:port`.
        address: String,
    },
    /// A relay on a hub.
    Hub {
        /// `host:port`.
        address: String,
        /// The relay's name.
        relay: String,
    },
}

/// The name of a person's relay on their hubs.
pub fn relay_name(person: &Identifier) -> String {
    person.to_string()
}
