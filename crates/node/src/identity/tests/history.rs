//! Identities of one's own: created, stored, loaded, rotated.

use super::*;
use crate::vault::{self, KeyId};

#[tokio::test]
async fn an_identity_is_loaded_from_what_was_stored() {
    let (vault, mut identity) = seeded(1).await;
    let old_key = identity.key_id().clone();
    let old_history = identity.export();
    let retired = identity.rotate(NOW).await.unwrap();
    assert_eq!(retired, old_key);
    vault.delete(&retired).await.unwrap();

    let stored: KeyId = identity.key_id().to_string().parse().unwrap();
    let load = |key, history: Vec<u8>| {
        let vault = vault.clone();
        async move { Identity::load(vault, key, &history).await }
    };
    let loaded = load(stored.clone(), identity.export()).await.unwrap();
    assert_eq!(loaded.identifier(), identity.identifier());
    loaded.attest_secure_channel_key(X25519, NOW).await.unwrap();
    assert!(matches!(load(old_key, identity.export()).await, Err(Error::Vault(vault::Error::NotFound(_)))));
    assert!(matches!(load(stored, old_history).await, Err(Error::KeyMismatch(_))));
}

#[tokio::test]
async fn rotation_keeps_the_name_and_the_kind() {
    for mut identity in [seeded(1).await.1, p256().await] {
        let (name, kind) = (identity.identifier(), identity.history().latest_key().kind());
        let first = identity.history().clone();
        let first_key = first.latest_key().clone();
        identity.rotate(NOW).await.unwrap();
        assert_eq!(identity.identifier(), name);
        assert_eq!(identity.history().latest_key().kind(), kind);
        assert_ne!(*identity.history().latest_key(), first_key);
        let imported = ChangeHistory::import(&identity.export()).unwrap();
        assert_eq!(imported.identifier(), name);
        assert_eq!(imported.compare(&first), Comparison::Newer);
        assert_eq!(first.compare(&imported), Comparison::Older);
        assert_eq!(imported.compare(identity.history()), Comparison::Equal);
        assert_eq!(imported.compare(seeded(9).await.1.history()), Comparison::Conflict);
    }
}

#[tokio::test]
async fn rotation_with_a_clock_set_back_still_gives_a_valid_history() {
    let (_, mut identity) = seeded(1).await;
    let from = identity.history().valid_from();
    identity.rotate(Timestamp(0)).await.unwrap();
    assert_eq!(identity.history().valid_from(), from);
    ChangeHistory::import(&identity.export()).unwrap();
}

#[tokio::test]
async fn a_failed_rotation_changes_nothing() {
    let (vault, mut identity) = seeded(1).await;
    for _ in 1..CHANGES_MAX {
        let retired = identity.rotate(NOW).await.unwrap();
        vault.delete(&retired).await.unwrap();
    }
    let (key, history) = (identity.key_id().clone(), identity.export());
    ChangeHistory::import(&history).unwrap();
    let refused = identity.rotate(NOW).await;
    assert!(matches!(refused, Err(Error::TooLarge { max: CHANGES_MAX, .. })));
    assert_eq!((identity.key_id(), identity.export()), (&key, history));

    let (vault, mut identity) = seeded(1).await;
    vault.delete(identity.key_id()).await.unwrap();
    let history = identity.export();
    let refused = identity.rotate(NOW).await;
    assert!(matches!(refused, Err(Error::Vault(vault::Error::NotFound(_)))));
    assert_eq!(identity.export(), history);
}

#[tokio::test]
async fn a_history_of_the_largest_keys_fits_its_limit() {
    let mut identity = p256().await;
    for _ in 1..CHANGES_MAX {
        identity.rotate(NOW).await.unwrap();
    }
    let export = identity.export();
    assert!(export.len() <= identity.history().encoded_len());
    assert!(identity.history().encoded_len() <= HISTORY_SIZE_MAX);
    ChangeHistory::import(&export).unwrap();
    // And a handshake's message has room for it, beside an ML-KEM key.
    assert!(proof(&identity, &[]).await.encode().len() <= OWN_PROOF_SIZE_MAX);
}
