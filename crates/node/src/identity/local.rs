use std::{fmt, sync::Arc, time::Duration};

use super::{
    Attributes, ChangeHistory, Credential, CredentialAndPurposeKey, Error, Identifier, PURPOSE_KEY_LIFETIME,
    PostalAddress, PublicKey, PurposeKey, PurposeKeyAttestation, Signed, Timestamp,
};
use crate::crypto::KeyKind;
use crate::vault::{KeyId, Vault};

/// An identity of one's own: its history, and its latest key in a vault.
///
/// To have it again after a restart, store [`key_id`](Self::key_id) and [`export`](Self::export),
/// and [`load`](Self::load) them over the same vault.
#[derive(Clone)]
pub struct Identity {
    vault: Arc<dyn Vault>,
    key: KeyId,
    history: ChangeHistory,
}

impl Identity {
    /// Creates an identity with a new Ed25519 key, valid from [`BACKDATED`](super::BACKDATED) before `now`.
    pub async fn create(vault: Arc<dyn Vault>, now: Timestamp) -> Result<Self, Error> {
        let key = vault.create_signing_key(KeyKind::Ed25519).await?;
        Self::create_with_key(vault, key, now.backdated()).await
    }

    /// Creates an identity with a key the vault already holds, of either kind, valid from `now`.
    ///
    /// The same Ed25519 key and second give the same identity.
    pub async fn create_with_key(vault: Arc<dyn Vault>, key: KeyId, now: Timestamp) -> Result<Self, Error> {
        let history = ChangeHistory::start(&*vault, &key, now).await?;
        Ok(Self { vault, key, history })
    }

    /// Loads an identity from its exported history and the vault with its latest key.
    pub async fn load(vault: Arc<dyn Vault>, key: KeyId, history: &[u8]) -> Result<Self, Error> {
        let history = ChangeHistory::import(history)?;
        if vault.public_key(&key).await? != *history.latest_key() {
            return Err(Error::KeyMismatch(history.identifier()));
        }
        Ok(Self { vault, key, history })
    }

    /// The identity's name; rotation does not change it.
    pub fn identifier(&self) -> Identifier {
        self.history.identifier()
    }

    /// The name of the latest key in the vault.
    pub fn key_id(&self) -> &KeyId {
        &self.key
    }

    /// The history others verify.
    pub fn history(&self) -> &ChangeHistory {
        &self.history
    }

    /// The encoded history, to be stored and given to others.
    pub fn export(&self) -> Vec<u8> {
        self.history.export()
    }

    /// Replaces the key with a new one of the same kind, and returns the name of the old.
    ///
    /// Store the new history **before** anybody else sees it: whoever has seen it refuses the old
    /// one. Then attest the purpose keys anew, and delete the old key from the vault. On an error,
    /// or when dropped, the identity is as before.
    pub async fn rotate(&mut self, now: Timestamp) -> Result<KeyId, Error> {
        let new_key = self.vault.create_signing_key(self.history.latest_key().kind()).await?;
        match self.history.continued(&*self.vault, &self.key, &new_key, now).await {
            Ok(history) => {
                self.history = history;
                Ok(std::mem::replace(&mut self.key, new_key))
            }
            Err(error) => {
                // The caller needs the first error.
                if let Err(error) = self.vault.delete(&new_key).await {
                    tracing::warn!(%error, "an unused key stays in the vault");
                }
                Err(error)
            }
        }
    }

    /// Attests the X25519 static key of this node's secure channels.
    ///
    /// For [`PURPOSE_KEY_LIFETIME`] from `now`, or as long as the identity's key may attest; it says that it was made
    /// [`BACKDATED`](super::BACKDATED) before `now`, or when the key's time began. A clock that is behind that time makes no
    /// difference. [`Error::OutsideKeyValidity`] if the key's time is over.
    pub async fn attest_secure_channel_key(
        &self,
        x25519_public: [u8; 32],
        now: Timestamp,
    ) -> Result<PurposeKeyAttestation, Error> {
        self.attest_long(PurposeKey::SecureChannel(x25519_public), now).await
    }

    /// Says where messages for the identity are to be sealed to: to this X25519 key.
    ///
    /// For as long as, and with the errors of, [`attest_secure_channel_key`](Self::attest_secure_channel_key).
    pub async fn postal_address(&self, x25519_public: [u8; 32], now: Timestamp) -> Result<PostalAddress, Error> {
        let attestation = self.attest_long(PurposeKey::Postal(x25519_public), now).await?;
        Ok(PostalAddress::new(&self.history, attestation))
    }

    /// Signs attributes about `subject`, valid from `now` for `lifetime` (whole seconds).
    ///
    /// [`Error::OutsideKeyValidity`] if the identity's key may not sign for that long;
    /// [`Error::TooLarge`] if there is more to say than a credential may carry.
    pub async fn issue_credential(
        &self,
        subject: Identifier,
        attributes: Attributes,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<CredentialAndPurposeKey, Error> {
        let expires = now.plus(lifetime);
        if expires > self.history.valid_until() {
            return Err(Error::OutsideKeyValidity(Signed::Credential));
        }
        // The identity's own key doubles as its credential key: both are in the same vault, so a
        // second secret would protect nothing, and the signed data type keeps the uses apart.
        let key: PublicKey = self.history.latest_key().clone();
        let attestation = self.attest(PurposeKey::Credential(key), now, expires).await?;
        let credential = Credential::sign(&*self.vault, &self.key, subject, attributes, now, expires).await?;
        Ok(CredentialAndPurposeKey::new(credential, attestation))
    }

    async fn attest_long(&self, key: PurposeKey, now: Timestamp) -> Result<PurposeKeyAttestation, Error> {
        let from = now.backdated().max(self.history.valid_from());
        let expires = now.max(from).plus(PURPOSE_KEY_LIFETIME).min(self.history.valid_until());
        if now > self.history.valid_until() {
            return Err(Error::OutsideKeyValidity(Signed::Attestation));
        }
        self.attest(key, from, expires).await
    }

    async fn attest(
        &self,
        key: PurposeKey,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<PurposeKeyAttestation, Error> {
        PurposeKeyAttestation::sign(&*self.vault, &self.key, &self.history, key, now, expires).await
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.identifier()).finish()
    }
}
