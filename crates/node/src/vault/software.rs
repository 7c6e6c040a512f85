//! A vault that signs in this process.

use std::fmt;

use zeroize::Zeroizing;

use super::{BoxFuture, Error, KeyId, MemoryStore, MemoryVault, SecretStore, Vault};
use crate::crypto::{KeyKind, PublicKey, Signature, SigningKey};

/// A vault that signs in this process and keeps its secrets in a [`SecretStore`].
pub struct SoftwareVault<S> {
    store: S,
}

impl<S: SecretStore> SoftwareVault<S> {
    /// A vault over the keys that `store` holds.
    pub fn new(store: S) -> Self {
        Self { store }
    }

    /// Stores the Ed25519 key of a 32-byte seed (RFC 8032), as a restored backup or a test needs.
    pub async fn import_ed25519_seed(&self, seed: Zeroizing<[u8; 32]>) -> Result<KeyId, Error> {
        let (key, secret) = SigningKey::from_ed25519_seed(&seed)?;
        self.keep(&key, secret).await
    }

    async fn keep(&self, key: &SigningKey, secret: Zeroizing<Vec<u8>>) -> Result<KeyId, Error> {
        let id = KeyId::of(&key.public_key()?);
        self.store.put(id.as_str(), secret).await?;
        Ok(id)
    }

    async fn load(&self, id: &KeyId) -> Result<SigningKey, Error> {
        let secret = self.store.get(id.as_str()).await?;
        let secret = secret.ok_or_else(|| Error::NotFound(id.clone()))?;
        let key = SigningKey::parse(&secret).ok_or_else(|| Error::Damaged(id.clone()))?;
        // A store that mixes up entries must not make an identity sign with a stranger's key.
        if KeyId::of(&key.public_key()?) != *id {
            return Err(Error::Damaged(id.clone()));
        }
        Ok(key)
    }
}

impl MemoryVault {
    /// An empty vault in memory.
    pub fn in_memory() -> Self {
        Self::new(MemoryStore::new())
    }
}

impl<S: SecretStore> Vault for SoftwareVault<S> {
    fn create_signing_key(&self, kind: KeyKind) -> BoxFuture<'_, Result<KeyId, Error>> {
        Box::pin(async move {
            let (key, secret) = SigningKey::generate(kind)?;
            self.keep(&key, secret).await
        })
    }

    fn public_key<'a>(&'a self, key: &'a KeyId) -> BoxFuture<'a, Result<PublicKey, Error>> {
        Box::pin(async move { Ok(self.load(key).await?.public_key()?) })
    }

    fn sign<'a>(&'a self, key: &'a KeyId, digest: &'a [u8; 32]) -> BoxFuture<'a, Result<Signature, Error>> {
        Box::pin(async move { Ok(self.load(key).await?.sign(digest)?) })
    }

    fn delete<'a>(&'a self, key: &'a KeyId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { Ok(self.store.delete(key.as_str()).await?) })
    }
}

impl<S> fmt::Debug for SoftwareVault<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareVault").finish_non_exhaustive()
    }
}
