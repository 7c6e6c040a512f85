//! AES-256-GCM: authenticated encryption with keys that are expanded once, and with random nonces; AES-256-GCM-SIV for what is
//! stored.

use aws_lc_rs::aead::{
    AES_256_GCM, AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, RandomizedNonceKey, UnboundKey,
};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::{KEY_LEN, RandomError, TAG_LEN};

/// An AES-256 key in expanded form, which wipes itself when it is dropped. Nonces are counted by the caller.
pub(crate) struct AeadKey(pub(super) LessSafeKey);

/// A message is longer than AES-GCM can seal (64 GiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl AeadKey {
    /// Expands a key.
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("any 32 bytes are an AES-256 key");
        Self(LessSafeKey::new(key))
    }

    /// Seals a message in place; the tag. A number must never be used twice with one key.
    #[inline]
    pub(crate) fn seal(&self, number: u64, message: &mut [u8]) -> Result<[u8; TAG_LEN], TooLong> {
        let tag = self.0.seal_in_place_separate_tag(nonce(number), Aad::empty(), message).map_err(|_| TooLong)?;
        Ok(tag.as_ref().try_into().expect("AES-256-GCM has 16-byte tags"))
    }

    /// Opens a ciphertext with its tag behind it, in place; nothing if it was altered or sealed otherwise.
    #[inline]
    pub(crate) fn open<'a>(&self, number: u64, sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.0.open_in_place(nonce(number), Aad::empty(), sealed).ok()
    }
}

/// The 12-byte nonce of a number: four zero bytes, then big-endian (`docs/wire.md §7.1`).
pub(super) fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// A key whose nonces are random: for thousands of messages, not for a stream.
pub(crate) struct RandomNonceKey(RandomizedNonceKey);

/// Why sealed bytes were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// They are too short to hold a nonce.
    Truncated,
    /// They were sealed with another key or other associated data, or altered.
    Forged,
}

impl RandomNonceKey {
    /// Derives a key from a secret with HKDF-SHA256; every combination of salt and purpose gives another one.
    ///
    /// # Errors
    /// [`RandomError`]: the cryptographic library refused.
    pub(crate) fn derive(secret: &[u8; KEY_LEN], salt: &[u8], purpose: &[u8]) -> Result<Self, RandomError> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        let info = [purpose];
        let salted = Salt::new(HKDF_SHA256, salt).extract(secret);
        let filled = salted.expand(&info, &AES_256_GCM).and_then(|derived| derived.fill(&mut key[..]));
        let made = filled.and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key[..]));
        made.map(Self).map_err(|_| RandomError)
    }

    /// Seals a message: nonce, ciphertext, tag. It opens only beside the same associated data, which is not in it.
    ///
    /// # Errors
    /// [`RandomError`]: the system gives no randomness for the nonce.
    pub(crate) fn seal(&self, associated: &[u8], message: &[u8]) -> Result<Vec<u8>, RandomError> {
        let mut text = message.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(associated), &mut text);
        let mut sealed = nonce.map_err(|_| RandomError)?.as_ref().to_vec();
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what was sealed beside the same associated data.
    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Truncated)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(associated), &mut text);
        let length = opened.map_err(|_| OpenError::Forged)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// A key for many small things that rest on a disk: AES-256-GCM-SIV with random nonces. If a nonce ever repeats, it shows only
/// whether the same was sealed in the same place.
pub(crate) struct StoredKey(RandomizedNonceKey);

impl StoredKey {
    /// Expands a key.
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("any 32 bytes are an AES-256 key"))
    }

    /// Seals a message: nonce, ciphertext, tag. It opens only beside the same associated data, which is not in it.
    ///
    /// # Errors
    /// [`RandomError`]: the system gives no randomness for the nonce.
    pub(crate) fn seal(&self, associated: &[u8], message: &[u8]) -> Result<Vec<u8>, RandomError> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + message.len() + TAG_LEN);
        sealed.extend_from_slice(&[0; NONCE_LEN]);
        sealed.extend_from_slice(message);
        let text = &mut sealed[NONCE_LEN..];
        let parts = self.0.seal_in_place_separate_tag(Aad::from(associated), text).map_err(|_| RandomError)?;
        sealed[..NONCE_LEN].copy_from_slice(parts.0.as_ref());
        sealed.extend_from_slice(parts.1.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed beside the same associated data.
    pub(crate) fn open(&self, associated: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        let (nonce, text) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(OpenError::Truncated)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(associated), text).map_err(|_| OpenError::Forged)?.len();
        sealed.truncate(NONCE_LEN + opened);
        sealed.drain(..NONCE_LEN);
        Ok(sealed)
    }
}
