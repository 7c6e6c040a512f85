use std::{fmt, sync::Arc};

use minicbor::{Decode, Encode};

use super::{
    ChangeHistory, Error, HISTORY_SIZE_MAX, Identifier, KnownIdentities, PurposeKey, PurposeKeyAttestation, Timestamp,
    cbor, change::ReceivedHistory,
};

/// The most bytes a [`PostalAddress`] may have: a history, and an attestation with room to grow.
pub const POSTAL_ADDRESS_SIZE_MAX: usize = HISTORY_SIZE_MAX + 2 * 1024;

/// Where messages for an identity are sealed to, as it travels (`docs/wire.md §10.1`).
///
/// `[ change history, attestation of the postal key ]`; about 450 bytes for an identity with its first key.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct PostalAddress {
    #[n(0)]
    history: ReceivedHistory,
    #[n(1)]
    attestation: PurposeKeyAttestation,
}

/// A postal address that was checked.
#[derive(Clone)]
pub struct VerifiedPostalAddress {
    /// Whose it is.
    pub identifier: Identifier,
    /// Their newest history, as it is known now.
    pub history: Arc<ChangeHistory>,
    key: [u8; 32],
    address: PostalAddress,
}

impl PostalAddress {
    pub(super) fn new(history: &ChangeHistory, attestation: PurposeKeyAttestation) -> Self {
        Self { history: history.to_received(), attestation }
    }

    /// The bytes to be given to others. They hold no secret.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Decodes received bytes, at most [`POSTAL_ADDRESS_SIZE_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        cbor::decode("postal address", POSTAL_ADDRESS_SIZE_MAX, bytes)
    }

    /// The identity that it belongs to, after its history was verified. The attestation of the key, and so whether the address
    /// can be used now, is not looked at: [`verify`](Self::verify) does that.
    pub fn identifier(&self) -> Result<Identifier, Error> {
        Ok(self.history.clone().verify()?.identifier())
    }

    /// Checks that the identity it names attests the key, and does so now. Whether that identity is acceptable is for the caller to decide.
    ///
    /// An address that passes is remembered in `known`, as the proof of a peer on a channel is.
    pub fn verify(self, known: &KnownIdentities, now: Timestamp) -> Result<VerifiedPostalAddress, Error> {
        self.verify_key(None, known, now)
    }

    /// Checks also that the key is this one, which its holder has just proved to have.
    pub(crate) fn verify_key(
        self,
        proved: Option<&[u8; 32]>,
        known: &KnownIdentities,
        now: Timestamp,
    ) -> Result<VerifiedPostalAddress, Error> {
        let history = self.history.clone().verify()?;
        let identifier = history.identifier();
        known.check(&history)?;
        let key = match self.attestation.verify(&history, now)?.key {
            PurposeKey::Postal(key) => key,
            PurposeKey::SecureChannel(_) | PurposeKey::Credential(_) => return Err(Error::WrongPurpose),
        };
        if proved.is_some_and(|proved| *proved != key) {
            return Err(Error::WrongPostalKey(identifier));
        }
        let history = known.remember(history)?;
        Ok(VerifiedPostalAddress { identifier, history, key, address: self })
    }
}

impl VerifiedPostalAddress {
    /// The address that was checked.
    pub fn address(&self) -> &PostalAddress {
        &self.address
    }

    /// The X25519 key.
    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for PostalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostalAddress").finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedPostalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedPostalAddress").field(&self.identifier).finish()
    }
}
