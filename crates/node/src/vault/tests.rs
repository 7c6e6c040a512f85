use std::sync::Arc;

use zeroize::Zeroizing;

use super::*;

const DIGEST: [u8; 32] = [7; 32];

#[tokio::test]
async fn keys_of_both_kinds_sign_and_are_forgotten() {
    let vault: Arc<dyn Vault> = Arc::new(MemoryVault::in_memory());
    for kind in [KeyKind::Ed25519, KeyKind::P256] {
        let id = vault.create_signing_key(kind).await.unwrap();
        let public = vault.public_key(&id).await.unwrap();
        assert_eq!(public.kind(), kind);
        assert_eq!(id, KeyId::of(&public));
        let signature = vault.sign(&id, &DIGEST).await.unwrap();
        assert!(public.verifies(&DIGEST, &signature));
        assert!(!public.verifies(&[8; 32], &signature));

        vault.delete(&id).await.unwrap();
        vault.delete(&id).await.unwrap();
        assert!(matches!(vault.sign(&id, &DIGEST).await, Err(Error::NotFound(k)) if k == id));
    }
}

#[tokio::test]
async fn two_created_keys_differ() {
    let vault = MemoryVault::in_memory();
    let one = vault.create_signing_key(KeyKind::Ed25519).await.unwrap();
    let two = vault.create_signing_key(KeyKind::Ed25519).await.unwrap();
    assert_ne!(one, two);
}

#[tokio::test]
async fn seed_gives_the_key_of_rfc_8032() {
    // RFC 8032 §7.1, test 1.
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut *seed).unwrap();
    let vault = MemoryVault::in_memory();
    let id = vault.import_ed25519_seed(seed).await.unwrap();
    assert_eq!(
        hex::encode(vault.public_key(&id).await.unwrap().as_bytes()),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
}

#[tokio::test]
async fn a_damaged_secret_is_told_apart_from_a_missing_one() {
    let id = "0123456789abcdef".repeat(4).parse::<KeyId>().unwrap();
    let strangers_key = vec![0; 33];
    for stored in [vec![], vec![0], vec![0; 32], vec![1; 98], vec![2; 33], strangers_key] {
        let store = MemoryStore::new();
        store.put(id.as_str(), Zeroizing::new(stored)).await.unwrap();
        let vault = SoftwareVault::new(store);
        assert!(matches!(vault.public_key(&id).await, Err(Error::Damaged(k)) if k == id));
        assert!(matches!(vault.sign(&id, &DIGEST).await, Err(Error::Damaged(k)) if k == id));
    }
}

#[test]
fn a_key_name_is_canonical_hex() {
    let name = "0123456789abcdef".repeat(4);
    assert_eq!(name.parse::<KeyId>().unwrap().to_string(), name);
    for bad in ["", "../../etc/passwd", &name[1..], &name.to_uppercase(), &format!("{name}0")] {
        assert!(matches!(bad.parse::<KeyId>(), Err(Error::BadKeyId)), "{bad}");
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let store = MemoryStore::new();
    store.put("name", Zeroizing::new(b"secret".to_vec())).await.unwrap();
    assert_eq!(format!("{store:?}"), "MemoryStore { .. }");
    assert_eq!(format!("{:?}", SoftwareVault::new(store)), "SoftwareVault { .. }");
}
