//! A person whom the user knows.

use super::KeyHistory;
use crate::api::{UnixMillis, VerifyAgain};
use crate::verification_words::{SCHEME, words};
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
    /// Whether the user compared verification words. What for, says `verified_key`.
    pub verified: bool,
    /// Whether the user blocks them.
    pub blocked: bool,
    /// The length of their key history when last seen. All that is known of it for a contact who was not met since
    /// histories are stored; `history` decides where it is there.
    pub changes: u32,
    /// The same length when the user verified them. Of marks without a `verified_key` only.
    pub verified_changes: u32,
    /// Their whole key history, as far as it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<KeyHistory>,
    /// The key that the words were compared for. Absent for words of the first scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_key: Option<VerifiedKey>,
    /// Another history than theirs, which somebody presented with a key that belongs to it, until the user has reacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_history: Option<RefusedHistory>,
    /// Whether they gave somebody else's postal address as theirs last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub postal_refused: bool,
    /// Their encoded postal address.
    pub postal: Option<Vec<u8>>,
    /// The hubs at which they collect mail.
    pub hubs: Vec<String>,
    /// When they became a contact.
    pub since: UnixMillis,
}

/// The key that verification words were compared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedKey {
    /// How the words were made: [`SCHEME`] of that time.
    pub scheme: u32,
    /// The hash of the latest change of the history.
    #[serde(with = "super::hex_array")]
    pub latest: [u8; 32],
}

/// How a history that was refused relates to the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryRefusal {
    /// It ends before the latest change: the key in it was replaced.
    Older,
    /// It contradicts the known one: both continue the same history.
    Fork,
}

/// A history that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedHistory {
    /// What was wrong with it.
    pub how: HistoryRefusal,
    /// When it was presented last.
    pub at: UnixMillis,
}

impl Contact {
    /// The name shown for them: the petname, else their own.
    pub(crate) fn display_name(&self) -> String {
        self.petname.clone().unwrap_or_else(|| self.own_name.clone())
    }

    /// The hash of the latest change of their history, as far as it is known. That of a history with one change is the
    /// identifier.
    pub(crate) fn latest_change(&self) -> Option<[u8; 32]> {
        match &self.history {
            Some(history) => history.latest(),
            None => (self.changes == 1).then_some(*self.identifier.as_bytes()),
        }
    }

    /// Their verification words; nothing until their history was seen.
    pub(crate) fn words(&self) -> Option<String> {
        self.latest_change().map(|latest| words(&latest))
    }

    /// The key that comparing their words now verifies.
    pub(crate) fn present_key(&self) -> Option<VerifiedKey> {
        self.latest_change().map(|latest| VerifiedKey { scheme: SCHEME, latest })
    }

    /// Whether the words of today's scheme were compared for the key that they have now.
    pub(crate) fn is_verified(&self) -> bool {
        self.verified && self.verified_key.is_some() && self.verified_key == self.present_key()
    }

    /// Whether their key is another than the one that was verified.
    pub(crate) fn key_has_changed(&self) -> bool {
        match self.verified_key {
            Some(verified) => self.verified && self.latest_change().is_some_and(|latest| latest != verified.latest),
            None => self.verified && self.changes > self.verified_changes,
        }
    }

    /// Why the words are to be compared once more; nothing if they were never compared, or count.
    pub(crate) fn verify_again(&self) -> Option<VerifyAgain> {
        if !self.verified || self.is_verified() {
            None
        } else if self.key_has_changed() {
            Some(VerifyAgain::KeyChanged)
        } else {
            Some(VerifyAgain::WordsChanged)
        }
    }

    /// Whether they have a mailbox.
    pub(crate) fn can_be_mailed(&self) -> bool {
        self.postal.is_some() && !self.hubs.is_empty()
    }
}
