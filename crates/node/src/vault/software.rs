use std::fmt;

use aws_lc_rs::{
    encoding::{AsBigEndian, EcPrivateKeyBin},
    rand::{SystemRandom, fill},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use zeroize::Zeroizing;

use super::{BoxFuture, Error, KeyId, KeyKind, MemoryStore, MemoryVault, SecretStore, Vault};
use crate::identity::{PublicKey, Signature};

/// First byte of a stored Ed25519 secret; the 32-byte seed follows.
const STORED_ED25519: u8 = 0;
/// First byte of a stored P-256 secret; 32 bytes of scalar and 65 of public key follow.
const STORED_P256: u8 = 1;
const P256_SCALAR_LEN: usize = 32;

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
        let key = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| Error::Crypto)?;
        let mut secret = Zeroizing::new(Vec::with_capacity(1 + seed.len()));
        secret.push(STORED_ED25519);
        secret.extend_from_slice(&*seed);
        self.keep(&SigningKey::Ed25519(key), secret).await
    }

    async fn create_p256(&self) -> Result<KeyId, Error> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| Error::Crypto)?;
        let scalar: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().map_err(|_| Error::Crypto)?;
        let public = key.public_key().as_ref();
        let mut secret = Zeroizing::new(Vec::with_capacity(1 + P256_SCALAR_LEN + public.len()));
        secret.push(STORED_P256);
        secret.extend_from_slice(scalar.as_ref());
        secret.extend_from_slice(public);
        self.keep(&SigningKey::P256(key), secret).await
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
            match kind {
                KeyKind::Ed25519 => {
                    let mut seed = Zeroizing::new([0; 32]);
                    fill(&mut *seed).map_err(|_| Error::Crypto)?;
                    self.import_ed25519_seed(seed).await
                }
                KeyKind::P256 => self.create_p256().await,
            }
        })
    }

    fn public_key<'a>(&'a self, key: &'a KeyId) -> BoxFuture<'a, Result<PublicKey, Error>> {
        Box::pin(async move { self.load(key).await?.public_key() })
    }

    fn sign<'a>(&'a self, key: &'a KeyId, digest: &'a [u8; 32]) -> BoxFuture<'a, Result<Signature, Error>> {
        Box::pin(async move { self.load(key).await?.sign(digest) })
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

/// A secret key expanded for use; aws-lc wipes it when it is dropped.
enum SigningKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    fn parse(stored: &[u8]) -> Option<Self> {
        match stored.split_first()? {
            (&STORED_ED25519, seed) => Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self::Ed25519),
            (&STORED_P256, pair) => {
                let (scalar, public) = pair.split_at_checked(P256_SCALAR_LEN)?;
                EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar, public)
                    .ok()
                    .map(Self::P256)
            }
            _ => None,
        }
    }

    fn public_key(&self) -> Result<PublicKey, Error> {
        match self {
            Self::Ed25519(key) => key.public_key().as_ref().try_into().map(PublicKey::Ed25519),
            Self::P256(key) => key.public_key().as_ref().try_into().map(PublicKey::P256),
        }
        .map_err(|_| Error::Crypto)
    }

    fn sign(&self, digest: &[u8; 32]) -> Result<Signature, Error> {
        match self {
            Self::Ed25519(key) => key.sign(digest).as_ref().try_into().map(Signature::Ed25519),
            Self::P256(key) => key
                .sign(&SystemRandom::new(), digest)
                .map_err(|_| Error::Crypto)?
                .as_ref()
                .try_into()
                .map(Signature::P256),
        }
        .map_err(|_| Error::Crypto)
    }
}
