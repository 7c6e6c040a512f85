//! SHA-256 (FIPS 180-4) and HKDF (RFC 5869).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// HKDF-SHA256: `LEN` bytes, at most 8,160, that depend on every bit of secret, salt and purpose.
pub(crate) fn hkdf_sha256<const LEN: usize>(salt: &[u8], secret: &[u8], purpose: &[u8]) -> Zeroizing<[u8; LEN]> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    const { assert!(LEN <= 255 * 32, "RFC 5869 §2.3") }
    let mut derived = Zeroizing::new([0; LEN]);
    let info = [purpose];
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    let filled = key.expand(&info, Length(LEN)).and_then(|expanded| expanded.fill(&mut derived[..]));
    filled.expect("the length is that of the output, and within RFC 5869's bound");
    derived
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_vector_of_rfc_5869() {
        let (salt, info) =
            (hex::decode("000102030405060708090a0b0c").unwrap(), hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap());
        let derived = hkdf_sha256::<42>(&salt, &[0x0b; 22], &info);
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(hex::encode(&derived[..]), expected);
    }
}
