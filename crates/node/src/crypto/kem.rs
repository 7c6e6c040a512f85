//! ML-KEM-768 (FIPS 203), a key encapsulation mechanism that a quantum computer does not break, as far as is known.

use std::fmt;

use aws_lc_rs::kem::{self, Ciphertext, ML_KEM_768};

use super::RandomError;

/// Length in bytes of an encapsulation key (FIPS 203, table 3).
pub(crate) const ENCAPSULATION_KEY_LEN: usize = 1184;

/// Length in bytes of a ciphertext (FIPS 203, table 3).
pub(crate) const CIPHERTEXT_LEN: usize = 1088;

/// A public key that others encapsulate secrets to.
pub(crate) type EncapsulationKey = [u8; ENCAPSULATION_KEY_LEN];

/// A secret for the owner of one encapsulation key.
pub(crate) type KemCiphertext = [u8; CIPHERTEXT_LEN];

/// An encapsulation key that FIPS 203 §7.2 forbids to use: its coefficients are not reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidKey;

/// What both sides know after an encapsulation: 32 bytes, wiped when dropped.
pub(crate) struct KemSecret(kem::SharedSecret);

impl KemSecret {
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl fmt::Debug for KemSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KemSecret").finish_non_exhaustive()
    }
}

/// A key pair for one handshake. The library wipes its secret when it is dropped.
#[derive(Debug)]
pub(crate) struct KemKeyPair {
    secret: kem::DecapsulationKey,
    // Boxed: it is larger than the rest of a handshake's state.
    public: Box<EncapsulationKey>,
}

impl KemKeyPair {
    /// Draws a fresh key pair from the operating system.
    ///
    /// # Errors
    /// [`RandomError`] if the system has no randomness to give.
    pub(crate) fn generate() -> Result<Self, RandomError> {
        let secret = kem::DecapsulationKey::generate(&ML_KEM_768).map_err(|_| RandomError)?;
        let public = secret.encapsulation_key().and_then(|key| key.key_bytes()).map_err(|_| RandomError)?;
        let public = public.as_ref().try_into().map_err(|_| RandomError)?;
        Ok(Self { secret, public: Box::new(public) })
    }

    /// Restores a key pair from its two keys as FIPS 203 encodes them.
    #[cfg(test)]
    pub(crate) fn from_bytes(secret: &[u8], public: EncapsulationKey) -> Self {
        let secret = kem::DecapsulationKey::new(&ML_KEM_768, secret).expect("2,400 bytes");
        Self { secret, public: Box::new(public) }
    }

    pub(crate) fn public(&self) -> &EncapsulationKey {
        &self.public
    }

    /// The secret in a ciphertext. One that was made for another key, or altered, gives a secret that nobody else knows (implicit
    /// rejection, FIPS 203 §6.3); nothing only if the library fails.
    pub(crate) fn decapsulate(&self, ciphertext: &KemCiphertext) -> Option<KemSecret> {
        self.secret.decapsulate(Ciphertext::from(&ciphertext[..])).ok().map(KemSecret)
    }
}

/// Makes a secret for the owner of a key: what to send, and the secret.
///
/// # Errors
/// [`InvalidKey`].
pub(crate) fn encapsulate(key: &EncapsulationKey) -> Result<(KemCiphertext, KemSecret), InvalidKey> {
    let key = kem::EncapsulationKey::new(&ML_KEM_768, key).map_err(|_| InvalidKey)?;
    let (ciphertext, secret) = key.encapsulate().map_err(|_| InvalidKey)?;
    let ciphertext = ciphertext.as_ref().try_into().map_err(|_| InvalidKey)?;
    Ok((ciphertext, KemSecret(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_secret_and_an_altered_ciphertext_gives_another() {
        let pair = KemKeyPair::generate().unwrap();
        let (mut ciphertext, secret) = encapsulate(pair.public()).unwrap();
        assert_eq!(pair.decapsulate(&ciphertext).unwrap().expose(), secret.expose());
        assert_eq!(secret.expose().len(), 32);
        ciphertext[7] ^= 1;
        assert_ne!(pair.decapsulate(&ciphertext).unwrap().expose(), secret.expose());
        assert_eq!(format!("{secret:?}"), "KemSecret { .. }");
    }

    #[test]
    fn a_key_that_is_not_reduced_is_refused() {
        assert_eq!(encapsulate(&[0xff; ENCAPSULATION_KEY_LEN]).unwrap_err(), InvalidKey);
    }
}
