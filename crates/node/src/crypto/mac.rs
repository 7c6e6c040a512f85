//! HMAC-SHA-256: showing that bytes come from a holder of a key.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key, verify};

use super::{KEY_LEN, RandomError};

/// Bytes of a tag.
pub(crate) const MAC_LEN: usize = 32;

/// A key of HMAC-SHA-256.
pub(crate) struct MacKey(Key);

impl MacKey {
    /// Derives a key from a secret with HKDF-SHA256; every combination of salt and purpose gives another one.
    ///
    /// # Errors
    /// [`RandomError`]: the cryptographic library refused.
    pub(crate) fn derive(secret: &[u8; KEY_LEN], salt: &[u8], purpose: &[u8]) -> Result<Self, RandomError> {
        let info = [purpose];
        let salted = Salt::new(HKDF_SHA256, salt).extract(secret);
        salted.expand(&info, HMAC_SHA256).map(|derived| Self(derived.into())).map_err(|_| RandomError)
    }

    /// The tag of a message, which is given in parts.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; MAC_LEN] {
        let mut context = Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref().try_into().expect("HMAC-SHA-256 has 32-byte tags")
    }

    /// Whether a tag is that of a message, in constant time.
    pub(crate) fn verifies(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        verify(&self.0, &parts.concat(), tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_key_purpose_and_message() {
        let key = |secret: u8, purpose: &[u8]| MacKey::derive(&[secret; KEY_LEN], b"salt", purpose).unwrap();
        let tag = key(1, b"one").tag(&[b"mess", b"age"]);
        assert!(key(1, b"one").verifies(&[b"message"], &tag));
        assert!(!key(1, b"two").verifies(&[b"message"], &tag));
        assert!(!key(2, b"one").verifies(&[b"message"], &tag));
        assert!(!key(1, b"one").verifies(&[b"Message"], &tag));
        assert!(!key(1, b"one").verifies(&[b"message"], &tag[..31]));
    }
}
