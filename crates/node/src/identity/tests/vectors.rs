//! The complete handshake of `vectors.json`, bit for bit, and a real peer's refresh record.

use aws_lc_rs::agreement::{PrivateKey, X25519};

use super::*;

struct Vectors(serde_json::Value);

impl Vectors {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("../../../vectors/vectors.json")).unwrap())
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn array(&self, name: &str) -> [u8; 32] {
        self.bytes(name).try_into().unwrap()
    }
}

#[tokio::test]
async fn seeds_give_the_identities_and_proofs_of_the_vectors() {
    let vectors = Vectors::load();
    for (role, payload) in [("responder", "message2_payload"), ("initiator", "message3_payload")] {
        let vault = Arc::new(MemoryVault::in_memory());
        let seed = Zeroizing::new(vectors.array(&format!("{role}_ed25519_seed")));
        let key = vault.import_ed25519_seed(seed).await.unwrap();
        let created = Timestamp(1_700_000_000);
        let identity = Identity::create_with_key(vault.clone(), key.clone(), created).await.unwrap();
        let name = vectors.text(&format!("{role}_identifier"));
        assert_eq!(identity.identifier().to_string(), name);
        assert_eq!(identity.export(), vectors.bytes(&format!("{role}_change_history")));
        assert_eq!(identity.history().valid_until(), Timestamp(2_015_360_000));

        let x25519 = vectors.array(&format!("{role}_x25519_static"));
        let x25519 = PrivateKey::from_private_key(&X25519, &x25519).unwrap();
        let x25519 = x25519.compute_public_key().unwrap().as_ref().try_into().unwrap();
        // Those of the peer are not backdated.
        let (attested, until) = (PurposeKey::SecureChannel(x25519), NOW.plus(PURPOSE_KEY_LIFETIME));
        let attestation = PurposeKeyAttestation::sign(&*vault, &key, identity.history(), attested, NOW, until);
        let attestation = attestation.await.unwrap();
        let proof = IdentityProof::new(&identity, attestation.clone(), Vec::new()).unwrap();
        assert_eq!(proof.encode(), vectors.bytes(payload));

        let received = IdentityProof::decode(&vectors.bytes(payload)).unwrap();
        assert_eq!(received, proof);
        let attested = attestation.verify(identity.history(), NOW).unwrap();
        assert_eq!(attested.key, PurposeKey::SecureChannel(x25519));
        assert_eq!(attested.expires_at, Timestamp(1_857_680_100));
        let policy = TrustPolicy::only([name.parse().unwrap()]);
        let known = KnownIdentities::new();
        let peer = received.verify(&x25519, &policy, &BTreeSet::new(), &known, NOW).unwrap();
        assert_eq!(peer.identifier, identity.identifier());
        assert_eq!(peer.history.export(), identity.export());
        assert_eq!(peer.attributes(NOW), None);
    }
}

/// The body of the real refresh record: without message enum and padding.
pub(super) fn real_refresh() -> Vec<u8> {
    let record = hex::decode(include_str!("../../../vectors/refresh.hex").trim()).unwrap();
    assert_eq!((&record[..4], record.last()), (&[0x82, 0x82, 0x01, 0x81][..], Some(&0x40)));
    record[4..record.len() - 1].to_vec()
}

#[test]
fn a_real_refresh_is_understood() {
    let body = real_refresh();
    let refresh = CredentialRefresh::decode(&body).unwrap();
    assert_eq!(refresh.encode(), body);

    let subject = "I904192e6e480915e0d1256d3abf9c3c9c67bc2b4c41ffca77550d8a3f12fbb1e";
    let subject: Identifier = subject.parse().unwrap();
    let authority = "Ib1fea1775d75079abdb1e78b96921fa9ec340bc2b5aa70f37e65342d859cf550";
    let authorities = BTreeSet::from([authority.parse().unwrap()]);
    let known = KnownIdentities::new();
    // Nobody has the authority's history, so the identity verifies and the credential does not.
    let peer = refresh.clone().verify(subject, &authorities, &known, NOW).unwrap();
    assert_eq!(peer.identifier, subject);
    assert!(peer.credentials.is_empty());
    assert!(known.get(&subject).is_some());

    let other = Identifier::from_bytes([0; 32]);
    let refused = refresh.verify(other, &authorities, &known, NOW);
    assert!(matches!(refused, Err(Error::WrongSubject { found, .. }) if found == subject));
}
