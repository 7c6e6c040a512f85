use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::{
    ATTRIBUTES_MAX, Attributes, ChangeHash, Error, Identifier, KnownIdentities, PurposeKey, PurposeKeyAttestation,
    Signature, Signed, Timestamp, cbor,
    versioned::{self, DataType},
};
use crate::crypto::sha256;
use crate::vault::{KeyId, Vault};

/// The most bytes the signed part of a credential may have.
pub const CREDENTIAL_SIZE_MAX: usize = 32 * 1024;

/// What a credential signs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct CredentialData {
    #[n(0)]
    subject: Option<Identifier>,
    #[n(1)]
    subject_latest_change_hash: Option<ChangeHash>,
    #[n(2)]
    attributes: Attributes,
    #[n(3)]
    created_at: Timestamp,
    #[n(4)]
    expires_at: Timestamp,
}

/// Attributes about a subject, signed with an attested credential key, as they travel.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Credential {
    #[n(0)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "cbor::bytes::<_, CREDENTIAL_SIZE_MAX>")]
    data: Vec<u8>,
    #[n(1)]
    signature: Signature,
}

impl Credential {
    /// Signs with a credential key of the vault.
    pub(super) async fn sign(
        vault: &dyn Vault,
        key: &KeyId,
        subject: Identifier,
        attributes: Attributes,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Self, Error> {
        if attributes.iter().len() > ATTRIBUTES_MAX {
            return Err(Error::TooLarge { what: "attributes", max: ATTRIBUTES_MAX });
        }
        let content = CredentialData {
            subject: Some(subject),
            subject_latest_change_hash: None,
            attributes,
            created_at,
            expires_at,
        };
        let data = versioned::encode(DataType::Credential, &content);
        if data.len() > CREDENTIAL_SIZE_MAX {
            return Err(Error::TooLarge { what: "credential", max: CREDENTIAL_SIZE_MAX });
        }
        let signature = vault.sign(key, &sha256(&data)).await?;
        Ok(Self { data, signature })
    }

    fn content(&self) -> Result<CredentialData, Error> {
        versioned::decode(DataType::Credential, "credential", &self.data)
    }
}

/// A credential with the attestation of the key that signed it (`docs/wire.md §6.5`).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CredentialAndPurposeKey {
    #[n(0)]
    credential: Credential,
    #[n(1)]
    attestation: PurposeKeyAttestation,
}

/// A credential that was verified for its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCredential {
    /// The identity that signed it, one of the trusted authorities.
    pub authority: Identifier,
    /// What it says about the subject.
    pub attributes: Attributes,
    /// When it was issued.
    pub created_at: Timestamp,
    /// The last second it is valid.
    pub expires_at: Timestamp,
}

impl CredentialAndPurposeKey {
    pub(super) fn new(credential: Credential, attestation: PurposeKeyAttestation) -> Self {
        Self { credential, attestation }
    }

    /// Decodes one that was issued elsewhere; [`verify`](Self::verify) decides whether it counts.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        /// Both signed parts at their largest and both signatures.
        const MAX: usize = CREDENTIAL_SIZE_MAX + 2048;
        cbor::decode("credential", MAX, bytes)
    }

    /// The encoded credential, for its subject to keep and present.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Checks that one of the `authorities` says this about `subject`, and does so now.
    ///
    /// The authority's history must be among the `known`. The hash of the subject's latest change
    /// is not looked at (`docs/wire.md §6.5`), so a credential outlives a change of its key.
    pub fn verify(
        &self,
        subject: Identifier,
        authorities: &BTreeSet<Identifier>,
        known: &KnownIdentities,
        now: Timestamp,
    ) -> Result<VerifiedCredential, Error> {
        let what = Signed::Credential;
        let authority = self.attestation.unverified()?.subject;
        if !authorities.contains(&authority) {
            return Err(Error::UntrustedIssuer(authority));
        }
        let history = known.get(&authority).ok_or(Error::UnknownAuthority(authority))?;
        let attested = self.attestation.verify(&history, now)?;
        let PurposeKey::Credential(key) = &attested.key else {
            return Err(Error::WrongPurpose);
        };
        if !key.verifies(&sha256(&self.credential.data), &self.credential.signature) {
            return Err(Error::BadSignature(what));
        }
        let content = self.credential.content()?;
        let found = content.subject.ok_or(Error::NoSubject)?;
        if found != subject {
            return Err(Error::WrongSubject { what, expected: subject, found });
        }
        if content.created_at < attested.created_at || content.expires_at > attested.expires_at {
            return Err(Error::OutsideKeyValidity(what));
        }
        now.within(what, content.created_at, content.expires_at)?;
        Ok(VerifiedCredential {
            authority,
            attributes: content.attributes,
            created_at: content.created_at,
            expires_at: content.expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_credential_is_signed_by_the_key_its_attestation_names() {
        let refresh = include_str!("../../vectors/refresh.hex");
        let refresh = hex::decode(refresh.trim()).unwrap();
        // The credential is the last thing in the record but for the empty padding.
        let at = refresh.windows(6).position(|w| w == [0x82, 0x82, 0x58, 0xe1, 0x83, 0x01]).unwrap();
        let bytes = &refresh[at..refresh.len() - 1];
        let credential = CredentialAndPurposeKey::decode(bytes).unwrap();
        assert_eq!(credential.encode(), bytes);

        let attested = credential.attestation.unverified().unwrap();
        assert!(attested.subject.to_string().starts_with("Ib1fea177"));
        let PurposeKey::Credential(key) = attested.key else { panic!("wrong purpose") };
        let signed = &credential.credential;
        assert!(key.verifies(&sha256(&signed.data), &signed.signature));

        let content = signed.content().unwrap();
        assert!(content.subject.unwrap().to_string().starts_with("I904192e6"));
        assert_eq!(content.attributes.schema(), 1);
        let names: Vec<_> = content.attributes.iter().map(|(name, _)| name).collect();
        let expected = ["ockam-relay", "ockam-role", "project_id", "trust_context_id"];
        assert_eq!(names, expected.map(str::as_bytes));
        assert_eq!(content.attributes.get("ockam-role"), Some(&b"enroller"[..]));
        assert_eq!(content.attributes.get("ockam-relay"), Some(&b"*"[..]));
        assert_eq!(content.attributes.get("role"), None);
        // Its schema 1 attributes are personal enough to stay out of logs.
        assert!(!format!("{:?}", content.attributes).contains("enroller"));
    }
}
