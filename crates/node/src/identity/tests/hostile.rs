//! Bytes nobody honest would send: cut, flipped, random, announcing too much.

use proptest::prelude::*;

use super::*;

/// Everything that is decoded from strangers.
fn decode_all(bytes: &[u8]) -> [bool; 4] {
    [
        IdentityProof::decode(bytes).is_ok(),
        CredentialRefresh::decode(bytes).is_ok(),
        CredentialAndPurposeKey::decode(bytes).is_ok(),
        ChangeHistory::import(bytes).is_ok(),
    ]
}

struct Honest {
    owner: Identity,
    known: KnownIdentities,
    history: Vec<u8>,
    proof: Vec<u8>,
    refresh: Vec<u8>,
    credential: Vec<u8>,
}

impl Honest {
    async fn new() -> Self {
        let (_, mut owner) = seeded(1).await;
        owner.rotate(NOW).await.unwrap();
        let known = KnownIdentities::new();
        known.pin(owner.history().clone()).unwrap();
        let attributes = Attributes::new(1).with("role", "self").with("name", "value");
        let credential = owner.issue_credential(owner.identifier(), attributes, HOUR, NOW).await;
        let credential = credential.unwrap();
        let credentials = vec![credential.clone()];
        Self {
            known,
            history: owner.export(),
            proof: proof(&owner, &credentials).await.encode(),
            refresh: CredentialRefresh::new(&owner, credentials).unwrap().encode(),
            credential: credential.encode(),
            owner,
        }
    }

    fn proves(&self, bytes: &[u8]) -> Result<VerifiedPeer, Error> {
        let authorities = BTreeSet::from([self.owner.identifier()]);
        let proof = IdentityProof::decode(bytes)?;
        proof.verify(&X25519, &TrustPolicy::Anyone, &authorities, &self.known, NOW)
    }

    fn refreshes(&self, bytes: &[u8]) -> Result<VerifiedPeer, Error> {
        let (name, authorities) = (self.owner.identifier(), BTreeSet::from([self.owner.identifier()]));
        CredentialRefresh::decode(bytes)?.verify(name, &authorities, &self.known, NOW)
    }

    fn credits(&self, bytes: &[u8]) -> Result<VerifiedCredential, Error> {
        let authorities = BTreeSet::from([self.owner.identifier()]);
        let credential = CredentialAndPurposeKey::decode(bytes)?;
        credential.verify(self.owner.identifier(), &authorities, &self.known, NOW)
    }
}

#[tokio::test]
async fn nothing_cut_short_is_decoded() {
    let honest = Honest::new().await;
    let real = vectors::real_refresh();
    for whole in [&honest.history, &honest.proof, &honest.refresh, &honest.credential, &real] {
        assert!(decode_all(whole).contains(&true));
        for end in 0..whole.len() {
            assert_eq!(decode_all(&whole[..end]), [false; 4], "cut at {end}");
        }
    }
}

fn flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    })
}

#[tokio::test]
async fn no_flipped_bit_goes_unnoticed() {
    let honest = Honest::new().await;
    assert_eq!(honest.proves(&honest.proof).unwrap().credentials.len(), 1);
    assert_eq!(honest.refreshes(&honest.refresh).unwrap().credentials.len(), 1);
    honest.credits(&honest.credential).unwrap();

    for bytes in flipped(&honest.history) {
        assert!(ChangeHistory::import(&bytes).is_err());
    }
    for bytes in flipped(&honest.credential) {
        assert!(honest.credits(&bytes).is_err());
    }
    // A bad credential does not fail the proof, but the credential never counts.
    for bytes in flipped(&honest.proof) {
        assert!(honest.proves(&bytes).map_or(true, |peer| peer.credentials.is_empty()));
    }
    for bytes in flipped(&honest.refresh) {
        assert!(honest.refreshes(&bytes).map_or(true, |peer| peer.credentials.is_empty()));
    }
    for bytes in flipped(&vectors::real_refresh()) {
        decode_all(&bytes);
    }
}

#[test]
fn announced_lengths_allocate_nothing() {
    let huge = "ffffffffffffffff";
    for head in ["9b", "5b", "7b", "bb", "839b", "8281835b", "83818258", "8181825b", "8282829b"] {
        let bytes = hex::decode(format!("{head}{huge}")).unwrap();
        assert_eq!(decode_all(&bytes), [false; 4], "{head}");
    }
}

#[test]
fn deep_nesting_does_not_exhaust_the_stack() {
    for byte in [0x81, 0x9f, 0xa1, 0xbf, 0xc1, 0x82] {
        let nested = vec![byte; PROOF_SIZE_MAX];
        assert_eq!(decode_all(&nested), [false; 4]);
        // Where an extra element would be skipped.
        for head in ["83808280", "848180", "8480"] {
            let mut bytes = hex::decode(head).unwrap();
            bytes.resize(PROOF_SIZE_MAX, byte);
            assert_eq!(decode_all(&bytes), [false; 4]);
        }
    }
}

#[tokio::test]
async fn counts_and_sizes_are_bounded() {
    let honest = Honest::new().await;
    let credentials = |count: u8| {
        let list = honest.credential.repeat(count.into());
        [&[0x82], &honest.history[..], &[0x98, count], &list].concat()
    };
    assert!(CredentialRefresh::decode(&credentials(16)).is_ok());
    assert!(matches!(CredentialRefresh::decode(&credentials(17)), Err(Error::Malformed { .. })));

    let change = &honest.history[1..];
    let changes = |count: u8| [&[0x98, count], &change.repeat(count as usize / 2)[..]].concat();
    assert!(minicbor::decode::<change::ReceivedHistory>(&changes(64)).is_ok());
    assert!(minicbor::decode::<change::ReceivedHistory>(&changes(66)).is_err());
    assert!(matches!(ChangeHistory::import(&[0x80]), Err(Error::BrokenChain { index: 0, fault: ChainFault::Missing })));

    let large = vec![0x81; REFRESH_SIZE_MAX + 1];
    assert!(matches!(IdentityProof::decode(&large), Err(Error::TooLarge { max: PROOF_SIZE_MAX, .. })));
    assert!(matches!(ChangeHistory::import(&large), Err(Error::TooLarge { max: HISTORY_SIZE_MAX, .. })));
    let refused = CredentialRefresh::decode(&large);
    assert!(matches!(refused, Err(Error::TooLarge { max: REFRESH_SIZE_MAX, .. })));
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(decode_all(&bytes), [false; 4]);
    }

    #[test]
    fn spliced_bytes_do_no_harm(
        at in 0usize..700,
        cut in 0usize..40,
        insert in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = vectors::real_refresh();
        let at = at.min(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert);
        if let Ok(refresh) = CredentialRefresh::decode(&bytes) {
            let subject = Identifier::from_bytes([0; 32]);
            let known = KnownIdentities::new();
            prop_assert!(refresh.verify(subject, &BTreeSet::new(), &known, NOW).is_err());
        }
    }
}
