//! The names of keys in a vault.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::crypto::{PublicKey, sha256};

/// The name of a key in a vault: 64 lower-case hexadecimal digits.
///
/// Software vaults use the SHA-256 of the public key's raw bytes. The alphabet makes it safe as a
/// file name or a keychain entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyId(String);

impl KeyId {
    /// The name software vaults give to a key.
    pub fn of(key: &PublicKey) -> Self {
        Self(hex::encode(sha256(key.as_bytes())))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for KeyId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let canonical = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(canonical) { Ok(Self(text)) } else { Err(Error::BadKeyId) }
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
