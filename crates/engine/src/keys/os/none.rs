//! Systems without a supported keychain: every operation fails and says so.

use std::error::Error as StdError;

use keyring_core::Entry;

use crate::keys::KeychainError;

pub(super) fn entry(_: &str, _: &str) -> keyring_core::Result<Entry> {
    Err(keyring_core::Error::NoDefaultStore)
}

pub(super) fn unlock() -> Result<bool, KeychainError> {
    Ok(false)
}

pub(super) fn classify(_: &(dyn StdError + Send + Sync + 'static)) -> Option<KeychainError> {
    None
}
