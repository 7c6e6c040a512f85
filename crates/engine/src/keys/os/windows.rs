//! Windows Credential Manager.

use std::{collections::HashMap, error::Error as StdError};

use keyring_core::{Entry, api::CredentialStoreApi};
use windows_native_keyring_store::Store;

use crate::keys::KeychainError;

pub(super) fn entry(service: &str, user: &str) -> keyring_core::Result<Entry> {
    // By default the store lets credentials roam with a domain profile to other machines; keys stay on this one.
    Store::new()?.build(service, user, Some(&HashMap::from([("persistence", "Local")])))
}

/// Does nothing: credentials are accessible while the user is logged in.
pub(super) fn unlock() -> Result<bool, KeychainError> {
    Ok(false)
}

/// The store itself reports the one cause that matters: no logon session, which counts as refused.
pub(super) fn classify(_: &(dyn StdError + Send + Sync + 'static)) -> Option<KeychainError> {
    None
}
