//! A person's key history, as the core compares and stores it.

use super::hex_array;
use postern_node::identity::Comparison;
use serde::{Deserialize, Serialize};

/// A key history. The node has verified its signatures; here only the hashes of its changes count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHistory {
    /// The hash of every change, the first one, which is the identifier, first.
    #[serde(with = "hex_arrays")]
    pub changes: Vec<[u8; 32]>,
    /// The encoded history, at most `HISTORY_SIZE_MAX` bytes (`docs/wire.md §6.3`).
    #[serde(with = "super::hex_bytes")]
    pub encoded: Vec<u8>,
}

impl KeyHistory {
    /// The hash of the latest change; nothing for a history without any, which no identity has.
    pub fn latest(&self) -> Option<[u8; 32]> {
        self.changes.last().copied()
    }

    /// The number of changes.
    pub fn len(&self) -> u32 {
        u32::try_from(self.changes.len()).unwrap_or(u32::MAX)
    }

    /// Whether it has no change, as no history of an identity has.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How it relates to another: `Newer` means that it continues the other.
    pub fn compare(&self, other: &Self) -> Comparison {
        if self.changes.iter().zip(&other.changes).any(|(one, other)| one != other) {
            return Comparison::Conflict;
        }
        match self.changes.len().cmp(&other.changes.len()) {
            std::cmp::Ordering::Equal => Comparison::Equal,
            std::cmp::Ordering::Greater => Comparison::Newer,
            std::cmp::Ordering::Less => Comparison::Older,
        }
    }
}

mod hex_arrays {
    use super::hex_array;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Element(#[serde(with = "hex_array")] [u8; 32]);

    pub(super) fn serialize<S: Serializer>(all: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|it| Element(*it)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
        Ok(Vec::<Element>::deserialize(deserializer)?.into_iter().map(|it| it.0).collect())
    }
}
