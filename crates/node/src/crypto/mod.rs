//! All arithmetic on keys: signatures, key agreement, authenticated encryption, hashing. It is done by aws-lc-rs.
//!
//! Secrets and plaintext come in; signatures, ciphertext and hashes go out. Nothing here knows what the bytes mean, and no
//! other module names the cryptographic library.
//!
//! | file | what is there |
//! |---|---|
//! | `keys` | public keys, signatures, and verifying them |
//! | `signing` | secret signing keys |
//! | `x25519` | key agreement |
//! | `aead` | AES-256-GCM; AES-256-GCM-SIV for what is stored |
//! | `hash` | SHA-256; HKDF over it |
//! | `kem` | ML-KEM-768 |
//! | `mac` | HMAC-SHA-256 |
//! | `noise` | these primitives for the Noise state machine |
//!
//! # Example
//!
//! Anybody can verify what the holder of a key has signed:
//!
//! ```
//! use postern_node::crypto::KeyKind;
//! use postern_node::vault::{MemoryVault, Vault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), postern_node::vault::Error> {
//! let vault = MemoryVault::in_memory();
//! let key = vault.create_signing_key(KeyKind::P256).await?;
//! let signature = vault.sign(&key, &[7; 32]).await?;
//!
//! let public = vault.public_key(&key).await?;
//! assert_eq!(public.kind(), KeyKind::P256);
//! assert!(public.verifies(&[7; 32], &signature));
//! assert!(!public.verifies(&[8; 32], &signature));
//! # Ok(())
//! # }
//! ```

mod aead;
mod hash;
mod kem;
mod keys;
mod mac;
mod noise;
mod signing;
mod x25519;

pub(crate) use aead::{AeadKey, OpenError, RandomNonceKey, StoredKey};
pub(crate) use hash::{hkdf_sha256, sha256};
pub(crate) use kem::{
    CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN, EncapsulationKey, KemCiphertext, KemKeyPair, KemSecret, encapsulate,
};
pub use keys::{KeyKind, PublicKey, Signature};
pub(crate) use mac::{MAC_LEN, MacKey};
pub(crate) use noise::AwsLc;
pub(crate) use signing::{CryptoError, SigningKey};
pub(crate) use x25519::StaticKey;

/// Length in bytes of an X25519 secret, an X25519 public key and an AES-256 key.
pub(crate) const KEY_LEN: usize = 32;

/// Length in bytes of an AES-256-GCM tag.
pub(crate) const TAG_LEN: usize = 16;

/// Length in bytes of a nonce.
pub(crate) const NONCE_LEN: usize = 12;

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes available")]
pub(crate) struct RandomError;
