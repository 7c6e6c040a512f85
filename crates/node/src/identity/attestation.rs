use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{
    ChangeHash, ChangeHistory, Error, Identifier, PublicKey, Signature, Signed, Timestamp, cbor,
    versioned::{self, DataType},
};
use crate::crypto::sha256;
use crate::vault::{KeyId, Vault};

/// How long a purpose key is attested for: five years of 365 days (`docs/wire.md §6.4`).
pub const PURPOSE_KEY_LIFETIME: Duration = Duration::from_secs(5 * 365 * 24 * 3600);
/// The most bytes the signed part may have: today's 125 to 160, and room to grow.
const ATTESTATION_DATA_SIZE_MAX: usize = 1024;

/// A key and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PurposeKey {
    /// The X25519 static key of secure channels.
    #[n(0)]
    SecureChannel(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 32],
    ),
    /// A key that signs credentials.
    #[n(1)]
    Credential(#[n(0)] PublicKey),
    /// The X25519 key that messages are sealed to and from (`docs/wire.md §10`). It is stored on disk, so it must not
    /// also stand for the identity on channels.
    #[n(2)]
    Postal(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 32],
    ),
}

/// What an attestation signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct AttestationData {
    #[n(0)]
    subject: Identifier,
    #[n(1)]
    subject_latest_change_hash: ChangeHash,
    #[n(2)]
    public_key: PurposeKey,
    #[n(3)]
    created_at: Timestamp,
    #[n(4)]
    expires_at: Timestamp,
}

/// An identity's statement that a purpose key is its own, as it travels (`docs/wire.md §6.4`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PurposeKeyAttestation {
    #[n(0)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "cbor::bytes::<_, ATTESTATION_DATA_SIZE_MAX>")]
    data: Vec<u8>,
    #[n(1)]
    signature: Signature,
}

/// The content of an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedKey {
    /// Whose key it is.
    pub subject: Identifier,
    /// The key and what it is for.
    pub key: PurposeKey,
    /// Since when it is attested.
    pub created_at: Timestamp,
    /// The last second it is attested for.
    pub expires_at: Timestamp,
}

impl From<AttestationData> for AttestedKey {
    fn from(data: AttestationData) -> Self {
        Self { subject: data.subject, key: data.public_key, created_at: data.created_at, expires_at: data.expires_at }
    }
}

impl PurposeKeyAttestation {
    /// Signs with the latest key of `history`, which `key` must be.
    pub(super) async fn sign(
        vault: &dyn Vault,
        key: &KeyId,
        history: &ChangeHistory,
        public_key: PurposeKey,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Self, Error> {
        if now < history.valid_from() || expires_at > history.valid_until() || expires_at < now {
            return Err(Error::OutsideKeyValidity(Signed::Attestation));
        }
        let content = AttestationData {
            subject: history.identifier(),
            subject_latest_change_hash: history.latest_hash(),
            public_key,
            created_at: now,
            expires_at,
        };
        let data = versioned::encode(DataType::Attestation, &content);
        let signature = vault.sign(key, &sha256(&data)).await?;
        Ok(Self { data, signature })
    }

    /// Checks that the identity with this history attests the key, and does so now.
    pub fn verify(&self, history: &ChangeHistory, now: Timestamp) -> Result<AttestedKey, Error> {
        let what = Signed::Attestation;
        let content = self.content()?;
        let expected = history.identifier();
        if content.subject != expected {
            return Err(Error::WrongSubject { what, expected, found: content.subject });
        }
        if content.subject_latest_change_hash != history.latest_hash() {
            return Err(Error::StaleAttestation(expected));
        }
        if !history.latest_key().verifies(&sha256(&self.data), &self.signature) {
            return Err(Error::BadSignature(what));
        }
        if content.created_at < history.valid_from() || content.expires_at > history.valid_until() {
            return Err(Error::OutsideKeyValidity(what));
        }
        now.within(what, content.created_at, content.expires_at)?;
        Ok(content.into())
    }

    /// Its content, which proves nothing until it was verified.
    pub(super) fn unverified(&self) -> Result<AttestedKey, Error> {
        Ok(self.content()?.into())
    }

    fn content(&self) -> Result<AttestationData, Error> {
        versioned::decode(DataType::Attestation, "purpose key attestation", &self.data)
    }
}
