//! Vaults: where signing keys live.
//!
//! A vault makes a key, names it with a [`KeyId`], signs 32-byte digests with it, and never gives
//! the secret away. [`Vault`] is the interface the rest of the node sees (`Arc<dyn Vault>`), so
//! that a key may as well live in a hardware token or a remote signer. [`SoftwareVault`] does the
//! arithmetic here and keeps the secrets in a [`SecretStore`]: memory, a keychain, an encrypted
//! file.
//!
//! ```text
//! identity ──digest──► Vault ──name──► SecretStore
//!          ◄─signature─       ◄─secret─
//! ```
//!
//! # Example
//!
//! ```
//! use postern_node::vault::{KeyKind, MemoryVault, Vault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), postern_node::vault::Error> {
//! let vault = MemoryVault::in_memory();
//! let key = vault.create_signing_key(KeyKind::Ed25519).await?;
//! let digest = [7; 32];
//! let signature = vault.sign(&key, &digest).await?;
//! assert!(vault.public_key(&key).await?.verifies(&digest, &signature));
//!
//! vault.delete(&key).await?;
//! assert!(vault.sign(&key, &digest).await.is_err());
//! # Ok(())
//! # }
//! ```

mod error;
mod key_id;
mod memory;
mod secret_store;
mod software;

use std::pin::Pin;

pub use error::Error;
pub use key_id::KeyId;
pub use memory::{MemoryStore, MemoryVault};
pub use secret_store::{SecretStore, StoreError};
pub use software::SoftwareVault;

pub use crate::crypto::KeyKind;
use crate::crypto::{PublicKey, Signature};

/// A future returned by a trait that must be usable as `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps signing keys and signs with them; the secrets never leave it.
///
/// Every operation may reach outside the process and fail with [`Error::Store`]. Dropping a
/// returned future cancels it; a key half created is then not named by anybody.
pub trait Vault: Send + Sync + 'static {
    /// Creates a signing key and returns its name.
    fn create_signing_key(&self, kind: KeyKind) -> BoxFuture<'_, Result<KeyId, Error>>;

    /// The public half of a key; [`Error::NotFound`] if the vault does not hold it.
    fn public_key<'a>(&'a self, key: &'a KeyId) -> BoxFuture<'a, Result<PublicKey, Error>>;

    /// Signs a SHA-256 digest, the only thing identities sign (`docs/wire.md §6.2`).
    fn sign<'a>(&'a self, key: &'a KeyId, digest: &'a [u8; 32]) -> BoxFuture<'a, Result<Signature, Error>>;

    /// Forgets a key for good; deleting a key the vault does not hold is no error.
    fn delete<'a>(&'a self, key: &'a KeyId) -> BoxFuture<'a, Result<(), Error>>;
}

#[cfg(test)]
mod tests;
