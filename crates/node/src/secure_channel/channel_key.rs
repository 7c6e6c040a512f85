//! What one side of a handshake presents: its X25519 key, attested by its identity.

use super::error::ChannelError;
use crate::crypto::StaticKey;
use crate::identity::{CredentialAndPurposeKey, Identity, IdentityProof, Timestamp};

/// A fresh channel key with the proof whose it is. Its secret lives in memory only and dies with it.
pub(crate) struct ChannelKey {
    pub(crate) secret: StaticKey,
    /// The handshake payload.
    pub(crate) proof: Vec<u8>,
}

impl ChannelKey {
    pub(crate) async fn create(
        identity: &Identity,
        credentials: Vec<CredentialAndPurposeKey>,
    ) -> Result<Self, ChannelError> {
        let secret = StaticKey::generate().map_err(|_| ChannelError::NoRandomness)?;
        let attestation = identity.attest_secure_channel_key(*secret.public(), Timestamp::now()).await?;
        let proof = IdentityProof::new(identity, attestation, credentials)?.encode();
        Ok(Self { secret, proof })
    }
}
