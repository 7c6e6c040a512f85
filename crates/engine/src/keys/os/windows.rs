//! Windows Credential Manager.

use std::{collections::HashMap, error::Error as StdError};

use keyring_core::{Entry, api::CredentialStoreApi};
use windows_native_keyring_store::Store;

use crate::keys::KeychainError;

pub(super) fn entry(service: &str, user: &str) -> keyring_core::Result<Entry> {
    // The store's default roams with a domain profile to other machines; a person's keys stay on this one.
    Store::new()?.build(service, user, Some(&HashMap::from([("persistence", "Local")])))
}

/// Credentials are open as long as the person is logged in.
pub(super) fn unlock() -> Result<bool, KeychainError> {
    Ok(false)
}

/// The store already tells the one cause we branch on: no logon session, which reads as refused.
pub(super) fn classify(_: &(dyn StdError + Send + Sync + 'static)) -> Option<KeychainError> {
    None
}
