//! The login keychain of macOS.

use std::error::Error as StdError;

use apple_native_keyring_store::keychain::Store;
use keyring_core::{Entry, api::CredentialStoreApi};
use security_framework::base::Error;

use crate::keys::KeychainError;

pub(super) fn entry(service: &str, user: &str) -> keyring_core::Result<Entry> {
    Store::new()?.build(service, user, None)
}

/// Does nothing: macOS itself asks the user to unlock a keychain.
pub(super) fn unlock() -> Result<bool, KeychainError> {
    Ok(false)
}

/// Codes from Apple's `SecBase.h`.
pub(super) fn classify(cause: &(dyn StdError + Send + Sync + 'static)) -> Option<KeychainError> {
    match cause.downcast_ref::<Error>()?.code() {
        // errSecInteractionNotAllowed: locked, and no window may be shown.
        -25308 => Some(KeychainError::Locked),
        // errSecUserCanceled, errSecAuthFailed
        -128 | -25293 => Some(KeychainError::Denied),
        // errSecNotAvailable, errSecNoSuchKeychain, errSecNoDefaultKeychain
        -25291 | -25294 | -25307 => Some(KeychainError::NoDefault),
        // errSecInvalidKeychain
        -25295 => Some(KeychainError::Damaged),
        _ => None,
    }
}
