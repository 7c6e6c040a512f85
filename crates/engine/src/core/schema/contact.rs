//! A person whom the user knows.

use crate::api::UnixMillis;
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// A person whom the user knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their identifier.
    pub identifier: Identifier,
    /// The user's name for them, if it is not their own.
    pub petname: Option<String>,
    /// Their name for themselves.
    pub own_name: String,
    /// Whether the user compared the verification words.
    pub verified: bool,
    /// Whether the user blocks them.
    pub blocked: bool,
    /// The length of their key history when last seen; more changes than before mean a new key.
    pub changes: u32,
    /// The same length when the user verified them.
    pub verified_changes: u32,
    /// Their encoded postal address.
    pub postal: Option<Vec<u8>>,
    /// The hubs at which they collect mail.
    pub hubs: Vec<String>,
    /// When they became a contact.
    pub since: UnixMillis,
}

impl Contact {
    /// The name shown for them: the petname, else their own.
    pub(crate) fn display_name(&self) -> String {
        self.petname.clone().unwrap_or_else(|| self.own_name.clone())
    }

    /// Whether they were verified with the key that they have now.
    pub(crate) fn is_verified(&self) -> bool {
        self.verified && self.changes <= self.verified_changes
    }

    /// Whether their key is another than the one that was verified.
    pub(crate) fn key_has_changed(&self) -> bool {
        self.verified && self.changes > self.verified_changes
    }

    /// Whether they have a mailbox.
    pub(crate) fn can_be_mailed(&self) -> bool {
        self.postal.is_some() && !self.hubs.is_empty()
    }
}
