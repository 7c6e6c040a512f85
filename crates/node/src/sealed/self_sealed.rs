//! What an identity seals or authenticates for itself: what rests outside the store that holds its keys.
//!
//! ```text
//! postal secret ─ HKDF-SHA256(purpose) ─► SelfSealingKey ─ AES-256-GCM ─► nonce ‖ ciphertext ‖ tag
//!               └ HKDF-SHA256(purpose) ─► SelfMacKey ───── HMAC-SHA-256 ─► tag
//! ```
//!
//! The key is the same for the same purpose for as long as the postal key is: over restarts and changes of the signing key.

use super::{PostalKey, SealedError};
use crate::crypto::{MAC_LEN, MacKey, OpenError, RandomError, RandomNonceKey};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Salt of the derivation, so that no other use of the postal secret has the same.
const DOMAIN: &[u8] = b"pst-own-key\x01";
/// The same of keys that authenticate, so that a purpose never has both kinds.
const MAC_DOMAIN: &[u8] = b"pst-own-mac\x01";

/// A key of one identity for one purpose. Nonces are random: it is for thousands of secrets, not for a stream.
#[derive(Clone)]
pub struct SelfSealingKey(Arc<RandomNonceKey>);

impl SelfSealingKey {
    /// Seals `message`; it opens only beside the same `context`, which is not kept in it.
    ///
    /// # Errors
    /// [`SealedError::NoRandomness`].
    pub fn seal(&self, context: &[u8], message: &[u8]) -> Result<Vec<u8>, SealedError> {
        Ok(self.0.seal(context, message)?)
    }

    /// Opens what was sealed beside the same `context`.
    ///
    /// # Errors
    /// [`SealedError::Malformed`], or [`SealedError::Forged`]: with another key, in another context, or altered.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        self.0.open(context, sealed).map_err(|error| match error {
            OpenError::Truncated => SealedError::Malformed,
            OpenError::Forged => SealedError::Forged,
        })
    }
}

impl fmt::Debug for SelfSealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SelfSealingKey")
    }
}

/// A key of one identity for one purpose, with which it later recognises what it has written itself.
#[derive(Clone)]
pub struct SelfMacKey(Arc<MacKey>);

impl SelfMacKey {
    /// The tag of a message, which is given in parts: HMAC-SHA-256, 32 bytes. Parts are simply joined.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        self.0.tag(parts)
    }

    /// Whether a tag is that of a message, in constant time.
    pub fn verifies(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.0.verifies(parts, tag)
    }
}

impl fmt::Debug for SelfMacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SelfMacKey")
    }
}

impl PostalKey {
    /// The identity's own key for authenticating what it writes for a purpose.
    ///
    /// # Errors
    /// [`SealedError::NoRandomness`]: the cryptography is not available.
    pub fn self_mac_key(&self, purpose: &[u8]) -> Result<SelfMacKey, SealedError> {
        let key = MacKey::derive(self.secret().secret(), MAC_DOMAIN, purpose)?;
        Ok(SelfMacKey(Arc::new(key)))
    }

    /// The identity's own key for a purpose.
    ///
    /// # Errors
    /// [`SealedError::NoRandomness`]: the cryptography is not available.
    pub fn self_sealing_key(&self, purpose: &[u8]) -> Result<SelfSealingKey, SealedError> {
        let key = RandomNonceKey::derive(self.secret().secret(), DOMAIN, purpose)?;
        Ok(SelfSealingKey(Arc::new(key)))
    }
}

impl From<RandomError> for SealedError {
    fn from(_: RandomError) -> Self {
        Self::NoRandomness
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Timestamp};
    use crate::vault::{MemoryStore, MemoryVault};

    #[tokio::test]
    async fn only_the_same_person_opens_it_for_the_same_purpose_in_the_same_context() {
        let [made, now] = [1_700_000_000, 1_700_000_100].map(Timestamp);
        let (ann, ben) = (MemoryStore::default(), MemoryStore::default());
        let mut identity = Identity::create(Arc::new(MemoryVault::in_memory()), made).await.unwrap();
        let open =
            async |identity: &Identity, store: &MemoryStore| PostalKey::open(identity, store, now).await.unwrap();
        let key = open(&identity, &ann).await.self_sealing_key(b"one").unwrap();
        let sealed = key.seal(b"here", b"swordfish").unwrap();
        assert_ne!(sealed, key.seal(b"here", b"swordfish").unwrap());
        assert_eq!(key.open(b"here", &sealed).unwrap().as_slice(), b"swordfish");
        identity.rotate(now).await.unwrap();
        let again = open(&identity, &ann).await;
        assert_eq!(again.self_sealing_key(b"one").unwrap().open(b"here", &sealed).unwrap().as_slice(), b"swordfish");

        let mut altered = sealed.clone();
        altered[12] ^= 1;
        assert!(matches!(key.open(b"here", &altered), Err(SealedError::Forged)));
        assert!(matches!(key.open(b"there", &sealed), Err(SealedError::Forged)));
        assert!(matches!(key.open(b"here", &sealed[..5]), Err(SealedError::Malformed)));
        assert!(again.self_sealing_key(b"two").unwrap().open(b"here", &sealed).is_err());
        assert!(open(&identity, &ben).await.self_sealing_key(b"one").unwrap().open(b"here", &sealed).is_err());
    }
}
