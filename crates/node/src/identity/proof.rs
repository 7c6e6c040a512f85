use std::{collections::BTreeSet, sync::Arc};

use minicbor::{Decode, Encode};

use super::{
    Attributes, ChangeHistory, CredentialAndPurposeKey, Error, HISTORY_SIZE_MAX, Identifier, Identity, KnownIdentities,
    PurposeKey, PurposeKeyAttestation, Signed, Timestamp, TrustPolicy, VerifiedCredential, cbor,
    change::ReceivedHistory,
};

/// The most credentials a peer may present.
pub const CREDENTIALS_MAX: usize = 16;
/// The most bytes an [`IdentityProof`] may have that is received: what a Noise message of 65,535 bytes has room for.
pub const PROOF_SIZE_MAX: usize = 65_535 - 32 - 48 - 16;
/// Bytes that a handshake may append to a proof: an ML-KEM-768 key in an element of its own (`docs/wire.md §7.7`).
pub(crate) const PROOF_ELEMENT_SIZE_MAX: usize = 1184 + 6;
/// The most bytes of one's own [`IdentityProof`]: it leaves room for that element.
pub const OWN_PROOF_SIZE_MAX: usize = PROOF_SIZE_MAX - PROOF_ELEMENT_SIZE_MAX;
/// Bytes of a proof beside history and credentials: an attestation of at most 1,024 signed bytes, and CBOR.
const ATTESTATION_ROOM: usize = 1024 + 256;
// Every history that may be, without credentials, fits beside the element: one that was valid before is valid still.
const _: () = assert!(HISTORY_SIZE_MAX + ATTESTATION_ROOM <= OWN_PROOF_SIZE_MAX);
/// The most bytes a [`CredentialRefresh`] may have.
pub const REFRESH_SIZE_MAX: usize = 1024 * 1024;

/// What each side of a handshake presents about itself, as it travels (`docs/wire.md §7.2`).
///
/// `[ change history, attestation of the X25519 key, [credentials…] ]`
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct IdentityProof {
    #[n(0)]
    history: ReceivedHistory,
    #[n(1)]
    attestation: PurposeKeyAttestation,
    #[n(2)]
    #[cbor(decode_with = "cbor::list::<_, _, CREDENTIALS_MAX>")]
    credentials: Vec<CredentialAndPurposeKey>,
}

/// What a peer presents on an open channel when it has new credentials (`docs/wire.md §7.4`).
///
/// `[ change history, [credentials…] ]`
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CredentialRefresh {
    #[n(0)]
    history: ReceivedHistory,
    #[n(1)]
    #[cbor(decode_with = "cbor::list::<_, _, CREDENTIALS_MAX>")]
    credentials: Vec<CredentialAndPurposeKey>,
}

/// A peer that proved who it is.
#[derive(Clone, Debug)]
pub struct VerifiedPeer {
    /// Who it is.
    pub identifier: Identifier,
    /// Its newest history, as it is known now.
    pub history: Arc<ChangeHistory>,
    /// Its valid credentials, at most one of each authority.
    pub credentials: Vec<VerifiedCredential>,
}

impl VerifiedPeer {
    /// What the newest credential that is valid now says about the peer.
    pub fn attributes(&self, now: Timestamp) -> Option<&Attributes> {
        let valid = self.credentials.iter().filter(|credential| credential.expires_at >= now);
        let newest = valid.max_by_key(|credential| credential.created_at);
        newest.map(|credential| &credential.attributes)
    }
}

impl IdentityProof {
    /// A proof for one's own identity; the attestation is of the channel's key.
    ///
    /// [`Error::TooLarge`] if there are more than [`CREDENTIALS_MAX`] credentials or the whole
    /// exceeds [`OWN_PROOF_SIZE_MAX`].
    pub fn new(
        identity: &Identity,
        attestation: PurposeKeyAttestation,
        credentials: Vec<CredentialAndPurposeKey>,
    ) -> Result<Self, Error> {
        check_count(&credentials)?;
        let history = identity.history().to_received();
        let proof = Self { history, attestation, credentials };
        if proof.encode().len() > OWN_PROOF_SIZE_MAX {
            return Err(Error::TooLarge { what: "identity proof", max: OWN_PROOF_SIZE_MAX });
        }
        Ok(proof)
    }

    /// The payload of a handshake message.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Decodes a received payload of at most [`PROOF_SIZE_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        cbor::decode("identity proof", PROOF_SIZE_MAX, bytes)
    }

    /// Checks that the peer is who it says, holds the channel's key, and is trusted.
    ///
    /// `x25519` is the static key the handshake authenticated. Only a peer that passes everything
    /// is remembered. A credential that does not verify is logged and left out; it does not fail
    /// the proof (`docs/wire.md §7.2`).
    pub fn verify(
        self,
        x25519: &[u8; 32],
        policy: &TrustPolicy,
        authorities: &BTreeSet<Identifier>,
        known: &KnownIdentities,
        now: Timestamp,
    ) -> Result<VerifiedPeer, Error> {
        let history = self.history.verify()?;
        let identifier = history.identifier();
        let refusal = known.check(&history).err();
        match self.attestation.verify(&history, now)?.key {
            PurposeKey::SecureChannel(key) if key == *x25519 => {}
            PurposeKey::SecureChannel(_) => return Err(Error::WrongChannelKey(identifier)),
            PurposeKey::Credential(_) | PurposeKey::Postal(_) => return Err(Error::WrongPurpose),
        }
        if let Some(refusal) = refusal {
            // Reported only now: anybody can present a copy of somebody's history, but not prove a key of it.
            known.report(&refusal);
            return Err(refusal);
        }
        let credentials = || verified(&self.credentials, identifier, authorities, known, now);
        let mut peer = VerifiedPeer { identifier, history: Arc::new(history), credentials: Vec::new() };
        if policy.wants_attributes() {
            peer.credentials = credentials();
        }
        if !policy.accepts_peer(&peer, now) {
            return Err(Error::NotTrusted(identifier));
        }
        peer.history = known.remember(Arc::unwrap_or_clone(peer.history))?;
        // Anew: they may be its own, by a key that was not known before.
        peer.credentials = credentials();
        Ok(peer)
    }
}

impl CredentialRefresh {
    /// New credentials for one's own identity.
    ///
    /// [`Error::TooLarge`] if there are more than [`CREDENTIALS_MAX`].
    pub fn new(identity: &Identity, credentials: Vec<CredentialAndPurposeKey>) -> Result<Self, Error> {
        check_count(&credentials)?;
        Ok(Self { history: identity.history().to_received(), credentials })
    }

    /// The body of a refresh record.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Decodes a received body of at most [`REFRESH_SIZE_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        cbor::decode("credential refresh", REFRESH_SIZE_MAX, bytes)
    }

    /// Checks that it is by the peer the channel is with, and what its credentials say now.
    ///
    /// Whether the peer is trusted was decided when the channel was made. Credentials that do not
    /// verify are logged and left out.
    pub fn verify(
        self,
        peer: Identifier,
        authorities: &BTreeSet<Identifier>,
        known: &KnownIdentities,
        now: Timestamp,
    ) -> Result<VerifiedPeer, Error> {
        let history = self.history.verify()?;
        let found = history.identifier();
        if found != peer {
            return Err(Error::WrongSubject { what: Signed::Change, expected: peer, found });
        }
        let history = known.remember(history)?;
        let credentials = verified(&self.credentials, peer, authorities, known, now);
        Ok(VerifiedPeer { identifier: peer, history, credentials })
    }
}

fn check_count(credentials: &[CredentialAndPurposeKey]) -> Result<(), Error> {
    if credentials.len() > CREDENTIALS_MAX {
        return Err(Error::TooLarge { what: "list of credentials", max: CREDENTIALS_MAX });
    }
    Ok(())
}

/// The newest valid credential of each authority.
fn verified(
    presented: &[CredentialAndPurposeKey],
    subject: Identifier,
    authorities: &BTreeSet<Identifier>,
    known: &KnownIdentities,
    now: Timestamp,
) -> Vec<VerifiedCredential> {
    let mut valid: Vec<VerifiedCredential> = Vec::new();
    for credential in presented {
        let credential = match credential.verify(subject, authorities, known, now) {
            Ok(credential) => credential,
            Err(error) => {
                tracing::debug!(%subject, %error, "a presented credential does not count");
                continue;
            }
        };
        let same = valid.iter_mut().find(|other| other.authority == credential.authority);
        match same {
            Some(other) if other.created_at <= credential.created_at => *other = credential,
            Some(_) => {}
            None => valid.push(credential),
        }
    }
    valid
}
