mod forgery;
mod format;
mod history;
mod hostile;
mod known;
mod vectors;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::*;
use crate::vault::{KeyKind, MemoryVault, Vault};

const NOW: Timestamp = Timestamp(1_700_000_100);
const HOUR: Duration = Duration::from_secs(3600);
const X25519: [u8; 32] = [0x25; 32];

/// An identity whose first key has this seed, created a hundred seconds before [`NOW`].
async fn seeded(seed: u8) -> (Arc<MemoryVault>, Identity) {
    let vault = Arc::new(MemoryVault::in_memory());
    let key = vault.import_ed25519_seed(Zeroizing::new([seed; 32])).await.unwrap();
    let created = Timestamp(NOW.0 - 100);
    let identity = Identity::create_with_key(vault.clone(), key, created).await.unwrap();
    (vault, identity)
}

async fn p256() -> Identity {
    let vault = Arc::new(MemoryVault::in_memory());
    let key = vault.create_signing_key(KeyKind::P256).await.unwrap();
    Identity::create_with_key(vault, key, NOW).await.unwrap()
}

async fn proof(identity: &Identity, credentials: &[CredentialAndPurposeKey]) -> IdentityProof {
    let attestation = identity.attest_secure_channel_key(X25519, NOW).await.unwrap();
    IdentityProof::new(identity, attestation, credentials.to_vec()).unwrap()
}

fn verify(proof: IdentityProof, known: &KnownIdentities) -> Result<VerifiedPeer, Error> {
    proof.verify(&X25519, &TrustPolicy::Anyone, &BTreeSet::new(), known, NOW)
}
