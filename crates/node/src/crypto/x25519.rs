//! X25519 key agreement (RFC 7748).

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::rand;
use std::fmt;
use zeroize::Zeroizing;

use super::{KEY_LEN, RandomError};

/// The long-lived X25519 key pair that a node proves in every handshake (`docs/wire.md §7.2`).
///
/// The secret is wiped when the value is dropped and never shown by `Debug`.
pub(crate) struct StaticKey {
    // Boxed, so that moving the key leaves no unwiped copy behind.
    secret: Box<Zeroizing<[u8; KEY_LEN]>>,
    public: [u8; KEY_LEN],
}

impl StaticKey {
    /// Draws a fresh key pair from the operating system.
    ///
    /// # Errors
    /// [`RandomError`] if the system has no randomness to give.
    pub(crate) fn generate() -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rand::fill(secret.as_mut()).map_err(|_| RandomError)?;
        Ok(Self::from_bytes(&secret))
    }

    /// Restores a key pair from its 32 secret bytes, which may have any value.
    #[must_use]
    pub(crate) fn from_bytes(secret: &[u8; KEY_LEN]) -> Self {
        let (_, public) = key_pair(secret).expect("any 32 bytes are an X25519 secret");
        Self { secret: Box::new(Zeroizing::new(*secret)), public }
    }

    /// The 32 bytes the peer will see, and which the purpose key attestation names.
    #[must_use]
    pub(crate) fn public(&self) -> &[u8; KEY_LEN] {
        &self.public
    }

    pub(crate) fn secret(&self) -> &[u8; KEY_LEN] {
        &self.secret
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKey").field("public", &hex::encode(self.public)).finish_non_exhaustive()
    }
}

/// A private key as the cryptographic library holds it, with its public half; nothing if the bytes are no key.
pub(super) fn key_pair(secret: &[u8]) -> Option<(PrivateKey, [u8; KEY_LEN])> {
    let private = PrivateKey::from_private_key(&X25519, secret).ok()?;
    let public = private.compute_public_key().ok()?;
    let public = public.as_ref().try_into().ok()?;
    Some((private, public))
}

/// The secret that both sides of an agreement share; nothing when the peer's key leads to a secret that everybody knows.
pub(super) fn shared_secret(private: &PrivateKey, peer: &[u8; KEY_LEN]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    agree(private, UnparsedPublicKey::new(&X25519, peer), (), |shared| {
        // A low-order peer key would make the secret known to everyone (RFC 7748 §6.1).
        if shared.iter().fold(0, |any, byte| any | byte) == 0 {
            return Err(());
        }
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        secret.copy_from_slice(shared);
        Ok(secret)
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_differ_and_debug_hides_the_secret() {
        let (a, b) = (StaticKey::generate().unwrap(), StaticKey::generate().unwrap());
        assert_ne!(a.public(), b.public());
        let shown = format!("{a:?}");
        assert!(shown.contains(&hex::encode(a.public())));
        assert!(!shown.contains(&hex::encode(a.secret())));
    }
}
