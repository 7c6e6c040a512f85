//! Where an engine can be reached.

use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// An address of a person's engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum PeerAddress {
    /// Directly, in its network.
    Direct {
        /// `address:port`.
        address: String,
    },
    /// Through its relay on a hub.
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
