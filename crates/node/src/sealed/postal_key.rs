//! The key that messages to and from an identity are sealed with.

use super::PostalAddress;
use crate::crypto::{KEY_LEN, StaticKey, sha256};
use crate::identity::{Error, Identifier, Identity, Timestamp};
use crate::vault::{Error as VaultError, KeyId, SecretStore};
use std::fmt;
use zeroize::Zeroizing;

/// First byte of a stored postal key; 32 bytes of secret and 32 of public key follow.
const STORED_X25519: u8 = 2;
/// What the name of the stored secret is the hash of, in front of the identifier.
const NAME: &[u8] = b"postern postal key 1";

/// An identity's own X25519 key for sealed messages, and the [`PostalAddress`] that says whose it is.
pub struct PostalKey {
    secret: StaticKey,
    identifier: Identifier,
    address: PostalAddress,
}

impl PostalKey {
    /// The identity's postal key as `store` holds it; made, and stored there first, if there is none.
    ///
    /// The key stays the same over restarts and changes of the identity's signing key. The address is made anew each time,
    /// so open the key again after a change of the signing key.
    ///
    /// # Errors
    /// [`Error::Vault`] when the store fails, or what it holds is damaged: nothing is replaced then. Others when the
    /// identity may not attest now.
    pub async fn open<S: SecretStore>(identity: &Identity, store: &S, now: Timestamp) -> Result<Self, Error> {
        let name = name(&identity.identifier());
        let stored = store.get(name.as_str()).await.map_err(VaultError::from)?;
        let secret = match stored {
            Some(stored) => parse(&stored).ok_or(VaultError::Damaged(name))?,
            None => {
                let secret = StaticKey::generate().map_err(|_| VaultError::Crypto)?;
                let mut stored = Zeroizing::new(Vec::with_capacity(1 + 2 * KEY_LEN));
                stored.push(STORED_X25519);
                stored.extend_from_slice(secret.secret());
                stored.extend_from_slice(secret.public());
                store.put(name.as_str(), stored).await.map_err(VaultError::from)?;
                secret
            }
        };
        Self::new(identity, secret, now).await
    }

    pub(super) async fn new(identity: &Identity, secret: StaticKey, now: Timestamp) -> Result<Self, Error> {
        let address = identity.postal_address(*secret.public(), now).await?;
        Ok(Self { secret, identifier: identity.identifier(), address })
    }

    /// Forgets the identity's postal key: what was sealed to it can never be opened again.
    ///
    /// # Errors
    /// [`Error::Vault`] when the store fails.
    pub async fn delete<S: SecretStore>(identity: &Identity, store: &S) -> Result<(), Error> {
        Ok(store.delete(name(&identity.identifier()).as_str()).await.map_err(VaultError::from)?)
    }

    /// Whose it is.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// What others need to seal messages to it; holds no secret.
    pub fn address(&self) -> &PostalAddress {
        &self.address
    }

    pub(super) fn secret(&self) -> &StaticKey {
        &self.secret
    }
}

impl fmt::Debug for PostalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostalKey").field(&self.identifier).finish()
    }
}

/// The name that the secret of an identity's postal key is stored under; fit for every store that takes a vault's keys.
fn name(identifier: &Identifier) -> KeyId {
    let hash = sha256(&[NAME, identifier.as_bytes()].concat());
    hex::encode(hash).try_into().unwrap_or_else(|_| unreachable!("a hash in hexadecimal digits is a name"))
}

fn parse(stored: &[u8]) -> Option<StaticKey> {
    let (&STORED_X25519, pair) = stored.split_first()? else { return None };
    let (secret, public) = pair.split_first_chunk()?;
    let key = StaticKey::from_bytes(secret);
    (key.public() == public).then_some(key)
}
