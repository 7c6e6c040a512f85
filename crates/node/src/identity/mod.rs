//! Identities: self-certifying key histories, and what they attest. A history is a hash chain: every change names the hash of
//! the one before it and is signed by the key before it.
//!
//! An [`Identity`] is a signing key in a vault and the [`ChangeHistory`] of all its keys. It is
//! named by an [`Identifier`], the hash of the history's first change, so whoever knows the name
//! can check the keys. The latest key signs [`PurposeKeyAttestation`]s (the X25519 key of a secure
//! channel, the key that signs credentials) and, for others, [`Credential`]s.
//!
//! ```text
//! identifier ─hash of─► change 0 ─signs─► change 1 ─► … ─► latest key
//!                                                            │ attests (5 years)
//!                    X25519 keys of channels and of mail ◄───┴► credential key
//!                                                                   │ signs
//!                                                                   ▼
//!                                                     attributes about a subject
//! ```
//!
//! In a handshake each side presents an [`IdentityProof`] and gets a [`VerifiedPeer`] about the
//! other. [`KnownIdentities`] remembers every accepted history, so that a key rotated away, perhaps
//! because it leaked, is refused from then on.
//!
//! Signatures are always checked over the bytes received, never over a re-encoding. Nothing here
//! reads the clock: callers pass a [`Timestamp`]. The format is `docs/wire.md §6`.
//!
//! # Example
//!
//! An identity proves itself to whoever knows its identifier, also after its key was rotated:
//!
//! ```
//! use postern_node::identity::{ChangeHistory, Identity, Timestamp};
//! use postern_node::vault::MemoryVault;
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), postern_node::identity::Error> {
//! let vault = Arc::new(MemoryVault::in_memory());
//! let mut identity = Identity::create(vault.clone(), Timestamp::now()).await?;
//! let identifier = identity.identifier();
//! identity.rotate(Timestamp::now()).await?;
//!
//! // What others get is verified while it is read: every change is signed by the key before it.
//! let history = ChangeHistory::import(&identity.export())?;
//! assert_eq!(history.identifier(), identifier);
//!
//! // After a restart: the same identity, from its history and the vault.
//! let loaded = Identity::load(vault, identity.key_id().clone(), &identity.export()).await?;
//! assert_eq!(loaded.identifier(), identifier);
//! # Ok(())
//! # }
//! ```

mod attestation;
mod attributes;
mod cbor;
mod change;
mod credential;
mod error;
mod identifier;
mod known;
mod local;
mod postal;
mod proof;
mod timestamp;
mod trust;
mod versioned;

pub use crate::crypto::{PublicKey, Signature};
pub use attestation::{AttestedKey, PURPOSE_KEY_LIFETIME, PurposeKey, PurposeKeyAttestation};
pub use attributes::{ATTRIBUTES_MAX, Attributes};
pub use change::{CHANGES_MAX, ChangeHash, ChangeHistory, Comparison, HISTORY_SIZE_MAX, KEY_LIFETIME};
pub use credential::{CREDENTIAL_SIZE_MAX, Credential, CredentialAndPurposeKey, VerifiedCredential};
pub use error::{ChainFault, Error, Signed};
pub use identifier::Identifier;
pub use known::{KNOWN_SIZE_MAX, KnownIdentities};
pub use local::Identity;
pub use postal::{POSTAL_ADDRESS_SIZE_MAX, PostalAddress, VerifiedPostalAddress};
pub(crate) use proof::PROOF_ELEMENT_SIZE_MAX;
pub use proof::{
    CREDENTIALS_MAX, CredentialRefresh, IdentityProof, OWN_PROOF_SIZE_MAX, PROOF_SIZE_MAX, REFRESH_SIZE_MAX,
    VerifiedPeer,
};
pub use timestamp::{BACKDATED, CLOCK_SKEW, Timestamp};
pub use trust::TrustPolicy;

#[cfg(test)]
mod tests;
