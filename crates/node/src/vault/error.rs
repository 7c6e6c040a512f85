//! Why a vault could not do what it was asked.

use super::{KeyId, StoreError};
use crate::crypto::CryptoError;

/// Why a vault could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vault does not hold this key.
    #[error("the vault has no key {0}; open the vault the identity was created in")]
    NotFound(KeyId),
    /// The stored secret does not belong to the key's name, or is no secret at all.
    #[error("the stored secret of key {0} is damaged; restore it from a backup")]
    Damaged(KeyId),
    /// The text is not the name of a key.
    #[error("a key's name is 64 lower-case hexadecimal digits")]
    BadKeyId,
    /// The place where the secrets are kept failed.
    #[error("the secret store failed: {0}")]
    Store(#[from] StoreError),
    /// The system's randomness or the cryptographic library failed.
    #[error("the cryptographic library refused to create a key or to sign")]
    Crypto,
}

impl From<CryptoError> for Error {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}
