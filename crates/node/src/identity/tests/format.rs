//! Bytes: snapshots of what `vectors.json` has not, and round trips of everything.

use proptest::prelude::*;

use super::*;
use crate::vault::KeyId;

/// Hands out fixed keys, so that a rotation has always the same bytes.
async fn rotated() -> ChangeHistory {
    let (vault, identity) = seeded(0x11).await;
    let next = vault.import_ed25519_seed(Zeroizing::new([0x12; 32])).await.unwrap();
    continued(&*vault, &identity, &next).await
}

async fn continued(vault: &dyn Vault, identity: &Identity, next: &KeyId) -> ChangeHistory {
    identity.history().continued(vault, identity.key_id(), next, NOW).await.unwrap()
}

#[tokio::test]
async fn rotated_history() {
    let encoded = hex::encode(rotated().await.export());
    assert_eq!(
        encoded,
        concat!(
            "82825837830101583285f68200815820d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf",
            "8520a332c9778737f41a6553f1001a781ff40082008158405e417a603add326c027b5008f6c8efe3",
            "67c11601e51fc53dd3a972177c01385e2da41c438e42c1eac80168f902541dbe614221a61734cc32",
            "cbe54b1c673a950083585883010158538558207249dce9f684595e89bd299a1a755d46515f6d7f89",
            "a8ebfe45b6d3ddd434d8d38200815820204040e364c10f2bec9c1fe500a1cd4c247c89d650a01ed7",
            "e82caba867877c21f51a6553f1001a781ff464820081584098d4b62728e8b9a6f59ed485f6b06cf8",
            "cbaab24684a278cd5bc1e24db9e4f8eec5e836dfe1e9a0c877027ab68225f9e482a68ae557eba11e",
            "8878cb1109fed702820081584087a316b1ea4b6905ea567bb217d8f0607f2fdb83f5236e17d79702",
            "1492f428efc934eb8bbdb602e9212a625905ac5015cf8c849fa569e943d49584cd0ee86708",
        )
    );
}

#[tokio::test]
async fn credential() {
    let (_, owner) = seeded(0x22).await;
    let attributes = Attributes::new(1).with("role", "friend").with("a-longer", "name");
    let subject = Identifier::from_bytes([0xaa; 32]);
    let credential = owner.issue_credential(subject, attributes, HOUR, NOW).await.unwrap();
    let encoded = hex::encode(credential.encode());
    assert_eq!(
        encoded,
        concat!(
            "82825850830103584b855820aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaaf68201a248612d6c6f6e676572446e616d6544726f6c6546667269656e641a6553f1641a",
            "6553ff7482008158408c5a3507a7ad5a90bc279934f2e0beec1b7a4fcdf3dce59cbc7a5cd2674e4a",
            "9c20fd08dd714b429c9311cd86fb46918aad7583a8dda145e6b432be4685c8ee0082587c83010258",
            "77855820553fed45ed7ccc39b75d70a99dbd9fe708edd496499c98e34221c607a666b2f75820553f",
            "ed45ed7ccc39b75d70a99dbd9fe708edd496499c98e34221c607a666b2f78201818200815820a09a",
            "a5f47a6759802ff955f8dc2d2a14a5c99d23be97f864127ff9383455a4f01a6553f1641a6553ff74",
            "820081584096c75a172b09712b03006eb4772de504ea78cf9508c9fe2e4f42d2df88b675ad68a64b",
            "db06ebeee6f8ad5c026151942012cf789d5ac292f6bb6151c0bbb4290d",
        )
    );
    let refresh = CredentialRefresh::new(&owner, vec![credential]).unwrap().encode();
    let history = hex::encode(owner.export());
    assert_eq!(hex::encode(refresh), format!("82{history}81{encoded}"));
}

/// What an owner with this seed, of that many changes, presents about a friend.
async fn presented(seed: u8, changes: usize, attributes: Attributes) -> (IdentityProof, Vec<u8>) {
    let (_, mut identity) = seeded(seed).await;
    for _ in 1..changes {
        identity.rotate(NOW).await.unwrap();
    }
    let subject = identity.identifier();
    let credential = identity.issue_credential(subject, attributes, HOUR, NOW).await.unwrap();
    let bytes = credential.encode();
    assert_eq!(CredentialAndPurposeKey::decode(&bytes).unwrap(), credential);
    let refresh = CredentialRefresh::new(&identity, vec![credential.clone()]).unwrap();
    assert_eq!(CredentialRefresh::decode(&refresh.encode()).unwrap(), refresh);
    (proof(&identity, &[credential]).await, identity.export())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn round_trip(
        seed: u8,
        changes in 1usize..5,
        schema: u64,
        values in prop::collection::btree_map(any::<Vec<u8>>(), any::<Vec<u8>>(), 0..10),
    ) {
        let attributes = values
            .into_iter()
            .fold(Attributes::new(schema), |all, (name, value)| all.with(name, value));
        let (proof, history) = block_on(presented(seed, changes, attributes.clone()));
        let bytes = proof.encode();
        let decoded = IdentityProof::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &proof);
        prop_assert_eq!(decoded.encode(), bytes);

        let imported = ChangeHistory::import(&history).unwrap();
        prop_assert_eq!(imported.export(), history);
        let known = KnownIdentities::new();
        known.pin(imported.clone()).unwrap();
        let authorities = BTreeSet::from([imported.identifier()]);
        let peer = decoded.verify(&X25519, &TrustPolicy::Anyone, &authorities, &known, NOW);
        let peer = peer.unwrap();
        prop_assert_eq!(peer.attributes(NOW), Some(&attributes));
    }

    #[test]
    fn identifiers_round_trip(bytes: [u8; 32]) {
        let identifier = Identifier::from_bytes(bytes);
        prop_assert_eq!(identifier.to_string().parse::<Identifier>().unwrap(), identifier);
        let encoded = cbor::encode(&identifier);
        prop_assert_eq!(minicbor::decode::<Identifier>(&encoded).unwrap(), identifier);
    }
}
