//! Secret signing keys: generating them, signing, and the form in which they are stored.
//!
//! ```text
//! stored   00 ‖ Ed25519 seed (32 bytes)      01 ‖ P-256 scalar (32 bytes) ‖ public key (65 bytes)
//! ```

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::{KeyKind, PublicKey, Signature};

/// First byte of a stored Ed25519 secret; the 32-byte seed follows.
const STORED_ED25519: u8 = 0;
/// First byte of a stored P-256 secret; 32 bytes of scalar and 65 of public key follow.
const STORED_P256: u8 = 1;
/// Bytes of a P-256 scalar (SEC 1).
const P256_SCALAR_LEN: usize = 32;

/// The system's randomness or the cryptographic library failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CryptoError;

/// A secret key expanded for use; the cryptographic library wipes it when it is dropped.
pub(crate) enum SigningKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    /// A fresh key, and its secret as it is stored.
    pub(crate) fn generate(kind: KeyKind) -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        match kind {
            KeyKind::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                fill(&mut *seed).map_err(|_| CryptoError)?;
                Self::from_ed25519_seed(&seed)
            }
            KeyKind::P256 => Self::generate_p256(),
        }
    }

    /// The Ed25519 key of a 32-byte seed (RFC 8032), and its secret as it is stored.
    pub(crate) fn from_ed25519_seed(seed: &[u8; 32]) -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CryptoError)?;
        let mut secret = Zeroizing::new(Vec::with_capacity(1 + seed.len()));
        secret.push(STORED_ED25519);
        secret.extend_from_slice(seed);
        Ok((Self::Ed25519(key), secret))
    }

    fn generate_p256() -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| CryptoError)?;
        let scalar: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().map_err(|_| CryptoError)?;
        let public = key.public_key().as_ref();
        let mut secret = Zeroizing::new(Vec::with_capacity(1 + P256_SCALAR_LEN + public.len()));
        secret.push(STORED_P256);
        secret.extend_from_slice(scalar.as_ref());
        secret.extend_from_slice(public);
        Ok((Self::P256(key), secret))
    }

    /// Reads a stored secret; nothing if it is none.
    pub(crate) fn parse(stored: &[u8]) -> Option<Self> {
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

    /// The public half.
    pub(crate) fn public_key(&self) -> Result<PublicKey, CryptoError> {
        match self {
            Self::Ed25519(key) => key.public_key().as_ref().try_into().map(PublicKey::Ed25519),
            Self::P256(key) => key.public_key().as_ref().try_into().map(PublicKey::P256),
        }
        .map_err(|_| CryptoError)
    }

    /// Signs a SHA-256 digest.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Result<Signature, CryptoError> {
        match self {
            Self::Ed25519(key) => key.sign(digest).as_ref().try_into().map(Signature::Ed25519),
            Self::P256(key) => key
                .sign(&SystemRandom::new(), digest)
                .map_err(|_| CryptoError)?
                .as_ref()
                .try_into()
                .map(Signature::P256),
        }
        .map_err(|_| CryptoError)
    }
}
