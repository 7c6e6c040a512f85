//! Public signing keys, signatures, and checking them.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use minicbor::{Decode, Encode};

/// The kinds of signing key an identity may have (`docs/wire.md §6.2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Ed25519, the default.
    #[default]
    Ed25519,
    /// ECDSA on NIST P-256 with SHA-256, for vaults whose hardware knows no Ed25519.
    P256,
}

/// The public half of a signing key (`docs/wire.md §6.2`).
///
/// The bytes are as received and may be no point of the curve; then no signature verifies.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub enum PublicKey {
    /// Ed25519 (RFC 8032).
    #[n(0)]
    Ed25519(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 32],
    ),
    /// NIST P-256, uncompressed SEC 1: `04 ‖ x ‖ y`.
    #[n(1)]
    P256(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 65],
    ),
}

/// A signature over a 32-byte digest (`docs/wire.md §6.2`).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub enum Signature {
    /// Ed25519 over the digest as the message.
    #[n(0)]
    Ed25519(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 64],
    ),
    /// ECDSA on P-256 with SHA-256 over the digest as the message, `r ‖ s`.
    #[n(1)]
    P256(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 64],
    ),
}

impl PublicKey {
    /// Whether `signature` over `digest` was made with this key.
    pub fn verifies(&self, digest: &[u8; 32], signature: &Signature) -> bool {
        match (self, signature) {
            (Self::Ed25519(key), Signature::Ed25519(signature)) => {
                UnparsedPublicKey::new(&ED25519, key).verify(digest, signature).is_ok()
            }
            (Self::P256(key), Signature::P256(signature)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(digest, signature).is_ok()
            }
            _ => false,
        }
    }

    /// Which kind of key it is.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Ed25519(_) => KeyKind::Ed25519,
            Self::P256(_) => KeyKind::P256,
        }
    }

    /// The key's raw bytes: 32 for Ed25519, 65 for P-256.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key,
            Self::P256(key) => key,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind(), hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(bytes) => write!(f, "Ed25519({})", hex::encode(bytes)),
            Self::P256(bytes) => write!(f, "P256({})", hex::encode(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &impl Encode<()>) -> Vec<u8> {
        minicbor::to_vec(value).unwrap()
    }

    #[test]
    fn encodings() {
        let key = PublicKey::Ed25519([0xaa; 32]);
        let bytes = "aa".repeat(32);
        assert_eq!(hex::encode(encoded(&key)), format!("8200815820{bytes}"));
        let key = PublicKey::P256([0xaa; 65]);
        let bytes = "aa".repeat(65);
        assert_eq!(hex::encode(encoded(&key)), format!("8201815841{bytes}"));
        let bytes = "aa".repeat(64);
        let signature = Signature::Ed25519([0xaa; 64]);
        assert_eq!(hex::encode(encoded(&signature)), format!("8200815840{bytes}"));
        let signature = Signature::P256([0xaa; 64]);
        assert_eq!(hex::encode(encoded(&signature)), format!("8201815840{bytes}"));
    }

    #[test]
    fn keys_of_other_lengths_or_kinds_are_refused() {
        for bytes in ["820081581f", "8200815821", "8201815840", "8202815820", "820080", "82008141aa"] {
            let bytes = hex::decode(format!("{bytes}{}", "aa".repeat(66))).unwrap();
            assert!(minicbor::decode::<PublicKey>(&bytes).is_err(), "{}", hex::encode(bytes));
        }
    }

    #[test]
    fn keys_that_are_no_points_verify_nothing() {
        for key in [PublicKey::Ed25519([0xff; 32]), PublicKey::P256([0; 65])] {
            for signature in [Signature::Ed25519([0; 64]), Signature::P256([0; 64])] {
                assert!(!key.verifies(&[0; 32], &signature));
            }
        }
    }
}
