//! The key that bodies are encrypted with while they wait on the disk.

use super::store::StoreError;
use crate::crypto::{KEY_LEN, NONCE_LEN, StoredKey, TAG_LEN, sha256};
use crate::identity::{Error, Identifier, Identity};
use crate::vault::{Error as VaultError, KeyId, SecretStore};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// First byte of a stored storage key; 32 bytes of secret follow.
const STORED_AES: u8 = 3;
/// What the name of the stored secret is the hash of, in front of the identifier.
const NAME: &[u8] = b"postern storage key 1";
/// In front of the associated data, so that no other use of the key has the same.
const DOMAIN: &[u8] = b"pst-delivery\x01";

/// An identity's key for messages that wait to be acknowledged: AES-256-GCM-SIV with random nonces, so that a repeated nonce (a
/// restored snapshot of a virtual machine) would show no more than that two bodies are equal.
///
/// The place of a message is authenticated with it: rows of the file cannot be swapped. Clones are handles to the same key.
#[derive(Clone)]
pub struct StorageKey(Arc<StoredKey>);

impl StorageKey {
    /// Bytes that an encrypted body is longer than the body.
    pub(super) const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

    /// The identity's storage key as `secrets` holds it; made, and stored there first, if there is none.
    ///
    /// # Errors
    /// [`Error::Vault`] when the store of secrets fails, or what it holds is damaged: nothing is replaced then.
    pub async fn open<S: SecretStore>(identity: &Identity, secrets: &S) -> Result<Self, Error> {
        let name = name(&identity.identifier());
        let stored = secrets.get(name.as_str()).await.map_err(VaultError::from)?;
        let key = match stored {
            Some(stored) => parse(&stored).ok_or(VaultError::Damaged(name))?,
            None => {
                let key = Zeroizing::new(postern_env::random::bytes().map_err(|_| VaultError::Crypto)?);
                let mut stored = Zeroizing::new(Vec::with_capacity(1 + KEY_LEN));
                stored.push(STORED_AES);
                stored.extend_from_slice(&key[..]);
                secrets.put(name.as_str(), stored).await.map_err(VaultError::from)?;
                key
            }
        };
        Ok(Self::from_bytes(&key))
    }

    /// The key with these bytes, which come from elsewhere than a [`SecretStore`].
    pub fn from_bytes(key: &Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(Arc::new(StoredKey::new(key)))
    }

    /// Forgets the identity's storage key: what is outstanding can never be sent.
    ///
    /// # Errors
    /// [`Error::Vault`] when the store of secrets fails.
    pub async fn delete<S: SecretStore>(identity: &Identity, secrets: &S) -> Result<(), Error> {
        Ok(secrets.delete(name(&identity.identifier()).as_str()).await.map_err(VaultError::from)?)
    }

    pub(super) fn seal(&self, peer: &Identifier, sequence: u64, body: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.seal(&associated(peer, sequence), body).map_err(|_| StoreError::NoRandomness)
    }

    pub(super) fn open_body(&self, peer: &Identifier, sequence: u64, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.0.open(&associated(peer, sequence), sealed).map_err(|_| StoreError::WrongKey)
    }
}

impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageKey")
    }
}

fn associated(peer: &Identifier, sequence: u64) -> Vec<u8> {
    [DOMAIN, peer.as_bytes(), &sequence.to_be_bytes()].concat()
}

/// The name that the secret is stored under; fit for every store that takes a vault's keys.
fn name(identifier: &Identifier) -> KeyId {
    let hash = sha256(&[NAME, identifier.as_bytes()].concat());
    hex::encode(hash).try_into().unwrap_or_else(|_| unreachable!("a hash in hexadecimal digits is a name"))
}

fn parse(stored: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let (&STORED_AES, key) = stored.split_first()? else { return None };
    key.try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Timestamp;
    use crate::vault::{MemoryStore, MemoryVault};

    #[tokio::test]
    async fn the_key_is_made_once_and_opens_only_its_own_place() {
        let identity = Identity::create(Arc::new(MemoryVault::in_memory()), Timestamp::now()).await.unwrap();
        let (secrets, peer) = (MemoryStore::new(), Identifier::from_bytes([7; 32]));
        let sealed = StorageKey::open(&identity, &secrets).await.unwrap().seal(&peer, 1, b"hello").unwrap();
        let key = StorageKey::open(&identity, &secrets).await.unwrap();
        assert_eq!(sealed.len(), 5 + StorageKey::OVERHEAD);
        assert_eq!(key.open_body(&peer, 1, sealed.clone()).unwrap(), b"hello");
        assert_ne!(key.seal(&peer, 1, b"hello").unwrap(), sealed);
        let (other, mut altered) = (Identifier::from_bytes([8; 32]), sealed.clone());
        altered[14] ^= 1;
        for (peer, sequence, sealed) in [(&peer, 2, &sealed), (&other, 1, &sealed), (&peer, 1, &altered)] {
            assert!(matches!(key.open_body(peer, sequence, sealed.clone()), Err(StoreError::WrongKey)));
        }
        assert!(key.open_body(&peer, 1, vec![1; 5]).is_err());
        assert_eq!(format!("{key:?}"), "StorageKey");

        StorageKey::delete(&identity, &secrets).await.unwrap();
        let another = StorageKey::open(&identity, &secrets).await.unwrap();
        assert!(another.open_body(&peer, 1, sealed).is_err());
        let name = name(&identity.identifier());
        secrets.put(name.as_str(), Zeroizing::new(vec![STORED_AES; 5])).await.unwrap();
        let damaged = StorageKey::open(&identity, &secrets).await;
        assert!(matches!(damaged, Err(Error::Vault(VaultError::Damaged(_)))));
    }
}
