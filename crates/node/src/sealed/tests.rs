use super::*;
use crate::crypto::StaticKey;
use crate::identity::Identity;
use crate::vault::{KeyKind, MemoryStore, MemoryVault, SecretStore, Vault};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use std::sync::Arc;
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp(1_700_000_100);

/// An identity and its postal key, both from a seed.
async fn seeded(seed: u8) -> (Identity, PostalKey) {
    let vault = Arc::new(MemoryVault::in_memory());
    let key = vault.import_ed25519_seed(Zeroizing::new([seed; 32])).await.unwrap();
    let identity = Identity::create_with_key(vault, key, NOW).await.unwrap();
    let postal = PostalKey::new(&identity, StaticKey::from_bytes(&[seed; 32]), NOW).await.unwrap();
    (identity, postal)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn address(of: &PostalKey) -> VerifiedPostalAddress {
    of.address().clone().verify(&KnownIdentities::new(), NOW).unwrap()
}

fn opened(mine: &PostalKey, context: &[u8], sealed: &[u8]) -> Result<OpenedMessage, SealedError> {
    open(mine, context, sealed, &KnownIdentities::new(), NOW)
}

#[tokio::test]
async fn snapshot() {
    let ((_, from), (_, to)) = (seeded(1).await, seeded(2).await);
    let to_address = address(&to);
    let prologue = prologue(&to_address.identifier, b"test");
    let builder = builder(&from, &prologue).unwrap().remote_public_key(to_address.key()).unwrap();
    let noise = builder.fixed_ephemeral_key_for_testing_only(&[3; 32]).build_initiator().unwrap();
    let sealed = write(noise, &from, b"hello").unwrap();
    assert_eq!(hex::encode(&sealed), include_str!("../../vectors/sealed.hex").trim());
    assert_eq!(hex::encode(from.address().encode()), include_str!("../../vectors/postal_address.hex").trim());
    let opened = opened(&to, b"test", &sealed).unwrap();
    assert_eq!(opened.message, b"hello");
    assert_eq!(opened.sender.identifier, *from.identifier());
}

#[tokio::test]
async fn an_answer_can_be_sealed_to_whoever_sealed() {
    let ((_, alice), (_, bob)) = (seeded(1).await, seeded(2).await);
    let question = opened(&bob, b"c", &seal(&alice, &address(&bob), b"c", b"who?").unwrap()).unwrap();
    let answer = seal(&bob, &question.sender, b"c", b"me").unwrap();
    assert_eq!(opened(&alice, b"c", &answer).unwrap().message, b"me");
}

#[tokio::test]
async fn nobody_else_opens_it_and_nowhere_else() {
    let ((_, from), (me, to), (_, other)) = (seeded(1).await, seeded(2).await, seeded(3).await);
    let sealed = seal(&from, &address(&to), b"invitation", b"hello").unwrap();
    assert!(matches!(opened(&other, b"invitation", &sealed), Err(SealedError::Forged)));
    assert!(matches!(opened(&to, b"knock", &sealed), Err(SealedError::Forged)));
    // Another identity with the very same key.
    let (thief, _) = seeded(4).await;
    let thiefs = PostalKey::new(&thief, StaticKey::from_bytes(&[2; 32]), NOW).await.unwrap();
    assert!(matches!(opened(&thiefs, b"invitation", &sealed), Err(SealedError::Forged)));
    // And the other way: what was sealed to the thief, with my key in his address, is not for me.
    let sealed = seal(&from, &address(&thiefs), b"invitation", b"hello").unwrap();
    assert!(matches!(opened(&to, b"invitation", &sealed), Err(SealedError::Forged)));
    drop(me);
}

#[tokio::test]
async fn who_sealed_it_cannot_be_feigned() {
    let ((alice, alices), (_, bob), (_, mallory)) = (seeded(1).await, seeded(2).await, seeded(3).await);
    // Mallory's key with Alice's address.
    let feigned = PostalKey::new(&alice, StaticKey::from_bytes(&[1; 32]), NOW).await.unwrap();
    let payload = {
        let mut payload = Vec::new();
        bare::push_data(&mut payload, &feigned.address().encode());
        payload.extend_from_slice(b"it is me, Alice");
        payload
    };
    let (to, prologue) = (address(&bob), prologue(bob.identifier(), b"c"));
    let builder = builder(&mallory, &prologue).unwrap().remote_public_key(to.key()).unwrap();
    let mut sealed = vec![VERSION; payload.len() + OVERHEAD];
    builder.build_initiator().unwrap().write_message(&payload, &mut sealed[1..]).unwrap();
    let refused = opened(&bob, b"c", &sealed);
    let alice = *alices.identifier();
    assert!(
        matches!(refused, Err(SealedError::Identity(IdentityError::WrongPostalKey(who))) if who == alice),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_channels_key_is_no_postal_key() {
    let (identity, _) = seeded(1).await;
    let attestation = identity.attest_secure_channel_key([7; 32], NOW).await.unwrap();
    let address = minicbor::to_vec((&minicbor::bytes::ByteVec::from(identity.export()), 0)).unwrap();
    assert!(PostalAddress::decode(&address).is_err());
    let proof = crate::identity::IdentityProof::new(&identity, attestation, Vec::new()).unwrap().encode();
    // The proof is the same but for its third element.
    let mut address = proof[..proof.len() - 1].to_vec();
    address[0] = 0x82;
    let refused = PostalAddress::decode(&address).unwrap().verify(&KnownIdentities::new(), NOW);
    assert!(matches!(refused, Err(IdentityError::WrongPurpose)));
}

#[tokio::test]
async fn every_altered_bit_is_noticed() {
    let ((_, from), (_, to)) = (seeded(1).await, seeded(2).await);
    let sealed = seal(&from, &address(&to), b"c", b"hello").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // X25519 ignores the highest bit of a public key, but the hash of the handshake does not.
        assert!(opened(&to, b"c", &altered).is_err(), "{bit}");
    }
    for end in 0..sealed.len() {
        assert!(opened(&to, b"c", &sealed[..end]).is_err(), "{end}");
    }
    assert!(opened(&to, b"c", &[&sealed[..], &[0]].concat()).is_err());
}

#[tokio::test]
async fn a_message_that_comes_again_is_recognised() {
    let ((_, from), (_, to)) = (seeded(1).await, seeded(2).await);
    let (one, two) = (seal(&from, &address(&to), b"c", b"hello"), seal(&from, &address(&to), b"c", b"hello"));
    let (one, two) = (one.unwrap(), two.unwrap());
    let ids = [&one, &one, &two].map(|sealed| opened(&to, b"c", sealed).unwrap().id);
    assert!(ids[0] == ids[1] && ids[0] != ids[2]);
}

#[tokio::test]
async fn more_than_may_be_is_neither_sealed_nor_opened() {
    let ((_, from), (_, to)) = (seeded(1).await, seeded(2).await);
    let most = vec![7; MESSAGE_SIZE_MAX];
    let sealed = seal(&from, &address(&to), b"c", &most).unwrap();
    assert_eq!(opened(&to, b"c", &sealed).unwrap().message, most);
    let more = vec![7; MESSAGE_SIZE_MAX + 1];
    assert!(matches!(seal(&from, &address(&to), b"c", &more), Err(SealedError::TooLarge { .. })));
    assert!(matches!(opened(&to, b"c", &[VERSION; SEALED_SIZE_MAX + 1]), Err(SealedError::TooLarge { .. })));
    // A sender with a long history of large keys has less room.
    let vault = Arc::new(MemoryVault::in_memory());
    let key = vault.create_signing_key(KeyKind::P256).await.unwrap();
    let mut alice = Identity::create_with_key(vault, key, NOW).await.unwrap();
    for _ in 1..crate::identity::CHANGES_MAX {
        alice.rotate(NOW).await.unwrap();
    }
    let from = PostalKey::new(&alice, StaticKey::from_bytes(&[1; 32]), NOW).await.unwrap();
    assert!(matches!(seal(&from, &address(&to), b"c", &most), Err(SealedError::TooLarge { .. })));
    let sealed = seal(&from, &address(&to), b"c", b"short").unwrap();
    assert_eq!(opened(&to, b"c", &sealed).unwrap().message, b"short");
}

#[tokio::test]
async fn a_key_stays_over_restarts_and_changes_of_the_identity() {
    let store = MemoryStore::new();
    let (mut identity, from) = seeded(1).await;
    let before = PostalKey::open(&identity, &store, NOW).await.unwrap();
    let sealed = seal(&from, &address(&before), b"c", b"hello").unwrap();
    identity.rotate(NOW).await.unwrap();
    let after = PostalKey::open(&identity, &store, NOW).await.unwrap();
    assert_eq!(opened(&after, b"c", &sealed).unwrap().message, b"hello");
    // Whoever has met the new address refuses the old one.
    let known = KnownIdentities::new();
    after.address().clone().verify(&known, NOW).unwrap();
    let refused = before.address().clone().verify(&known, NOW);
    assert!(matches!(refused, Err(IdentityError::OlderHistory(_))));

    let other = seeded(2).await.0;
    assert_ne!(address(&PostalKey::open(&other, &store, NOW).await.unwrap()).key(), address(&after).key());
    PostalKey::delete(&identity, &store).await.unwrap();
    let fresh = PostalKey::open(&identity, &store, NOW).await.unwrap();
    assert!(matches!(opened(&fresh, b"c", &sealed), Err(SealedError::Forged)));
}

#[tokio::test]
async fn a_damaged_key_is_not_replaced() {
    let (identity, _) = seeded(1).await;
    let store = MemoryStore::new();
    PostalKey::open(&identity, &store, NOW).await.unwrap();
    let name = [b"postern postal key 1", &identity.identifier().as_bytes()[..]].concat();
    let name = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &name));
    assert!(store.get(&name).await.unwrap().is_some());
    for damaged in [vec![], vec![0; 33], vec![2; 65], vec![2; 64]] {
        store.put(&name, Zeroizing::new(damaged)).await.unwrap();
        let refused = PostalKey::open(&identity, &store, NOW).await;
        assert!(matches!(refused, Err(IdentityError::Vault(crate::vault::Error::Damaged(_)))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn round_trip(message in prop::collection::vec(any::<u8>(), 0..5000), context: Vec<u8>) {
        block_on(async {
            let ((_, from), (_, to)) = (seeded(1).await, seeded(2).await);
            let sealed = seal(&from, &address(&to), &context, &message).unwrap();
            let opened = opened(&to, &context, &sealed).unwrap();
            prop_assert_eq!(&opened.message, &message);
            prop_assert_eq!(opened.sender.identifier, *from.identifier());
            let encoded = opened.sender.address().encode();
            prop_assert_eq!(&PostalAddress::decode(&encoded).unwrap(), from.address());
            Ok(())
        })?;
    }

    #[test]
    fn hostile_input_is_only_refused(data: Vec<u8>, long in prop::collection::vec(any::<u8>(), 90..2000)) {
        block_on(async {
            let (_, to) = seeded(2).await;
            for data in [data, long] {
                prop_assert!(opened(&to, b"c", &data).is_err());
                prop_assert!(PostalAddress::decode(&data).is_err());
                prop_assert!(opened(&to, b"c", &[&[VERSION], &data[..]].concat()).is_err());
            }
            Ok(())
        })?;
    }
}
