//! What a peer's proof and credentials are accepted and refused for.

use super::*;

struct Owner {
    vault: Arc<MemoryVault>,
    identity: Identity,
    known: KnownIdentities,
    authorities: BTreeSet<Identifier>,
}

impl Owner {
    async fn new() -> Self {
        let (vault, identity) = seeded(1).await;
        let known = KnownIdentities::new();
        known.pin(identity.history().clone()).unwrap();
        let authorities = BTreeSet::from([identity.identifier()]);
        Self { vault, identity, known, authorities }
    }

    async fn issue(&self, subject: Identifier) -> CredentialAndPurposeKey {
        let attributes = Attributes::new(1).with("role", "friend");
        self.identity.issue_credential(subject, attributes, HOUR, NOW).await.unwrap()
    }

    fn check(
        &self,
        credential: &CredentialAndPurposeKey,
        subject: Identifier,
        now: Timestamp,
    ) -> Result<VerifiedCredential, Error> {
        credential.verify(subject, &self.authorities, &self.known, now)
    }

    /// A credential and its attestation for times of one's choice.
    async fn craft(
        &self,
        subject: Identifier,
        attested: (Timestamp, Timestamp),
        credited: (Timestamp, Timestamp),
    ) -> CredentialAndPurposeKey {
        let key = PurposeKey::Credential(self.identity.history().latest_key().clone());
        let (vault, id) = (&*self.vault, self.identity.key_id());
        let history = self.identity.history();
        let attestation = PurposeKeyAttestation::sign(vault, id, history, key, attested.0, attested.1);
        let credential = Credential::sign(vault, id, subject, Attributes::new(1), credited.0, credited.1);
        CredentialAndPurposeKey::new(credential.await.unwrap(), attestation.await.unwrap())
    }
}

#[tokio::test]
async fn a_credential_gives_attributes_until_it_expires() {
    let owner = Owner::new().await;
    for (friend, x25519) in [(seeded(2).await.1, X25519), (p256().await, X25519)] {
        let credential = owner.issue(friend.identifier()).await;
        let credential = CredentialAndPurposeKey::decode(&credential.encode()).unwrap();
        let proof = proof(&friend, &[credential]).await.encode();
        let proof = IdentityProof::decode(&proof).unwrap();
        let policy = TrustPolicy::only([friend.identifier()]);
        let peer = proof.verify(&x25519, &policy, &owner.authorities, &owner.known, NOW).unwrap();
        assert_eq!(peer.credentials[0].authority, owner.identity.identifier());
        let end = NOW.plus(HOUR);
        assert_eq!(peer.attributes(end).unwrap().get("role"), Some(&b"friend"[..]));
        assert_eq!(peer.attributes(Timestamp(end.0 + 1)), None);
    }
}

#[tokio::test]
async fn bad_credentials_leave_a_peer_without_attributes() {
    let owner = Owner::new().await;
    let (friend, stranger) = (seeded(2).await.1, seeded(3).await.1);
    let for_another = owner.issue(stranger.identifier()).await;
    let by_stranger = stranger.issue_credential(friend.identifier(), Attributes::new(1), HOUR, NOW).await.unwrap();
    let good = owner.issue(friend.identifier()).await;
    for (credentials, count) in
        [(vec![for_another.clone(), by_stranger.clone()], 0), (vec![for_another, good.clone(), by_stranger, good], 1)]
    {
        let policy = TrustPolicy::Anyone;
        let proof = proof(&friend, &credentials).await;
        let peer = proof.verify(&X25519, &policy, &owner.authorities, &owner.known, NOW).unwrap();
        assert_eq!(peer.credentials.len(), count);
        let refresh = CredentialRefresh::new(&friend, credentials).unwrap().encode();
        let refresh = CredentialRefresh::decode(&refresh).unwrap();
        let peer = refresh.verify(friend.identifier(), &owner.authorities, &owner.known, NOW).unwrap();
        assert_eq!(peer.credentials.len(), count);
    }
}

#[tokio::test]
async fn the_newest_credential_of_an_authority_counts() {
    let owner = Owner::new().await;
    let friend = seeded(2).await.1;
    let at = |seconds, value| {
        let attributes = Attributes::new(1).with("role", value);
        let now = Timestamp(NOW.0 - seconds);
        owner.identity.issue_credential(friend.identifier(), attributes, HOUR, now)
    };
    let (old, new) = (at(50, "old").await.unwrap(), at(10, "new").await.unwrap());
    for credentials in [[old.clone(), new.clone()], [new, old]] {
        let proof = proof(&friend, &credentials).await;
        let policy = TrustPolicy::Anyone;
        let peer = proof.verify(&X25519, &policy, &owner.authorities, &owner.known, NOW).unwrap();
        assert_eq!(peer.credentials.len(), 1);
        assert_eq!(peer.attributes(NOW).unwrap().get("role"), Some(&b"new"[..]));
    }
}

#[tokio::test]
async fn credentials_are_refused_for_what_is_wrong_with_them() {
    let mut owner = Owner::new().await;
    let (friend, stranger) = (seeded(2).await.1, seeded(3).await.1);
    let subject = friend.identifier();
    let credential = owner.issue(subject).await;
    let end = NOW.plus(HOUR);
    owner.check(&credential, subject, end).unwrap();

    let refused = owner.check(&credential, stranger.identifier(), NOW);
    assert!(matches!(
        refused,
        Err(Error::WrongSubject { what: Signed::Credential, found, .. }) if found == subject
    ));
    let refused = owner.check(&credential, subject, Timestamp(end.0 + 1));
    assert!(matches!(refused, Err(Error::Expired { .. })));
    let early = Timestamp(NOW.0 - 60);
    owner.check(&credential, subject, early).unwrap();
    let refused = owner.check(&credential, subject, Timestamp(early.0 - 1));
    assert!(matches!(refused, Err(Error::FromTheFuture { .. })));

    let by_stranger = stranger.issue_credential(subject, Attributes::new(1), HOUR, NOW).await;
    let by_stranger = by_stranger.unwrap();
    let refused = owner.check(&by_stranger, subject, NOW);
    assert!(matches!(refused, Err(Error::UntrustedIssuer(who)) if who == stranger.identifier()));
    owner.authorities.insert(stranger.identifier());
    let refused = owner.check(&by_stranger, subject, NOW);
    assert!(matches!(refused, Err(Error::UnknownAuthority(who)) if who == stranger.identifier()));

    owner.identity.rotate(NOW).await.unwrap();
    owner.check(&credential, subject, NOW).unwrap();
    owner.known.remember(owner.identity.history().clone()).unwrap();
    let refused = owner.check(&credential, subject, NOW);
    assert!(matches!(refused, Err(Error::StaleAttestation(_))));
}

#[tokio::test]
async fn a_credential_must_keep_to_its_attestation() {
    let owner = Owner::new().await;
    let subject = seeded(2).await.1.identifier();
    let (start, end) = (Timestamp(NOW.0 - 10), NOW.plus(HOUR));
    let inside = owner.craft(subject, (start, end), (start, end)).await;
    owner.check(&inside, subject, NOW).unwrap();
    for outside in [(Timestamp(start.0 - 1), end), (start, Timestamp(end.0 + 1))] {
        let credential = owner.craft(subject, (start, end), outside).await;
        let refused = owner.check(&credential, subject, NOW);
        assert!(matches!(refused, Err(Error::OutsideKeyValidity(Signed::Credential))));
    }
    // The credential alone would still be valid, its key is no longer attested.
    let expired = owner.craft(subject, (start, NOW), (start, NOW)).await;
    let refused = owner.check(&expired, subject, Timestamp(NOW.0 + 1));
    assert!(matches!(refused, Err(Error::Expired { what: Signed::Attestation, .. })));
}

#[tokio::test]
async fn a_channel_key_signs_no_credentials_and_the_reverse() {
    let owner = Owner::new().await;
    let subject = seeded(2).await.1.identifier();
    let for_channels = owner.identity.attest_secure_channel_key(X25519, NOW).await.unwrap();
    let id = owner.identity.key_id();
    let sign = Credential::sign(&*owner.vault, id, subject, Attributes::new(1), NOW, NOW);
    let credential = CredentialAndPurposeKey::new(sign.await.unwrap(), for_channels);
    assert!(matches!(owner.check(&credential, subject, NOW), Err(Error::WrongPurpose)));

    let history = owner.identity.history();
    let key = PurposeKey::Credential(history.latest_key().clone());
    let sign = PurposeKeyAttestation::sign(&*owner.vault, id, history, key, NOW, NOW).await;
    let proof = IdentityProof::new(&owner.identity, sign.unwrap(), Vec::new()).unwrap();
    assert!(matches!(verify(proof, &owner.known), Err(Error::WrongPurpose)));
}

#[tokio::test]
async fn a_credential_is_refused_before_it_is_signed() {
    let owner = Owner::new().await;
    let subject = owner.identity.identifier();
    let issue = |attributes, lifetime, now| owner.identity.issue_credential(subject, attributes, lifetime, now);
    let many = |count: u8| (0..count).fold(Attributes::new(1), |attributes, name| attributes.with([name], "value"));
    assert!(issue(many(64), HOUR, NOW).await.is_ok());
    let refused = issue(many(65), HOUR, NOW).await;
    assert!(matches!(refused, Err(Error::TooLarge { max: ATTRIBUTES_MAX, .. })));
    let refused = issue(Attributes::new(1).with("", [0; CREDENTIAL_SIZE_MAX]), HOUR, NOW).await;
    assert!(matches!(refused, Err(Error::TooLarge { max: CREDENTIAL_SIZE_MAX, .. })));
    let refused = issue(Attributes::new(1), KEY_LIFETIME, NOW).await;
    assert!(matches!(refused, Err(Error::OutsideKeyValidity(Signed::Credential))));
    let refused = issue(Attributes::new(1), HOUR, Timestamp(NOW.0 - 101)).await;
    assert!(matches!(refused, Err(Error::OutsideKeyValidity(Signed::Attestation))));

    let credential = issue(Attributes::new(1), HOUR, NOW).await.unwrap();
    let refused = CredentialRefresh::new(&owner.identity, vec![credential; CREDENTIALS_MAX + 1]);
    assert!(matches!(refused, Err(Error::TooLarge { max: CREDENTIALS_MAX, .. })));
    let large = Attributes::new(1).with("", vec![0; 30_000]);
    let large = issue(large, HOUR, NOW).await.unwrap();
    let attestation = owner.identity.attest_secure_channel_key(X25519, NOW).await.unwrap();
    let refused = IdentityProof::new(&owner.identity, attestation, vec![large; 3]);
    assert!(matches!(refused, Err(Error::TooLarge { max: OWN_PROOF_SIZE_MAX, .. })));
}

#[tokio::test]
async fn a_proof_is_refused_for_what_is_wrong_with_it() {
    let (_, friend) = seeded(2).await;
    let proof = proof(&friend, &[]).await;
    let known = KnownIdentities::new();
    let nobody = BTreeSet::new();
    let anyone = TrustPolicy::Anyone;
    let at = |now| proof.clone().verify(&X25519, &anyone, &nobody, &known, now);

    let refused = proof.clone().verify(&[0; 32], &anyone, &nobody, &known, NOW);
    assert!(matches!(refused, Err(Error::WrongChannelKey(_))));
    let refused = proof.clone().verify(&X25519, &TrustPolicy::only([]), &nobody, &known, NOW);
    assert!(matches!(refused, Err(Error::NotTrusted(who)) if who == friend.identifier()));
    let expires = NOW.plus(PURPOSE_KEY_LIFETIME);
    let refused = at(Timestamp(expires.0 + 1));
    assert!(matches!(refused, Err(Error::Expired { what: Signed::Attestation, .. })));
    // It says that it was made as long ago as the key allows.
    let made = friend.history().valid_from();
    assert!(NOW.0 - made.0 < BACKDATED.as_secs());
    let refused = at(Timestamp(made.0 - 61));
    assert!(matches!(refused, Err(Error::FromTheFuture { what: Signed::Attestation, .. })));
    assert!(known.get(&friend.identifier()).is_none(), "whoever was refused is not remembered");

    at(Timestamp(made.0 - 60)).unwrap();
    at(expires).unwrap();
    assert!(known.get(&friend.identifier()).is_some());
}

#[tokio::test]
async fn after_a_rotation_the_old_key_attests_nothing() {
    let (_, mut friend) = seeded(2).await;
    let known = KnownIdentities::new();
    let old_attestation = friend.attest_secure_channel_key(X25519, NOW).await.unwrap();
    let old_proof = proof(&friend, &[]).await;
    let mut thief = friend.clone();
    verify(old_proof.clone(), &known).unwrap();

    friend.rotate(NOW).await.unwrap();
    let stale = IdentityProof::new(&friend, old_attestation, Vec::new()).unwrap();
    assert!(matches!(verify(stale, &known), Err(Error::StaleAttestation(_))));
    verify(old_proof.clone(), &known).unwrap();
    verify(proof(&friend, &[]).await, &known).unwrap();
    assert!(matches!(verify(old_proof, &known), Err(Error::OlderHistory(_))));
    let refused = CredentialRefresh::new(&thief, Vec::new()).unwrap();
    let refused = refused.verify(friend.identifier(), &BTreeSet::new(), &known, NOW);
    assert!(matches!(refused, Err(Error::OlderHistory(_))));

    thief.rotate(NOW).await.unwrap();
    let forked = proof(&thief, &[]).await;
    assert!(matches!(verify(forked, &known), Err(Error::ConflictingHistory(_))));
}

#[tokio::test]
async fn what_is_new_is_accepted_by_clocks_that_are_a_day_behind() {
    let vault = Arc::new(MemoryVault::in_memory());
    let mut identity = Identity::create(vault, NOW).await.unwrap();
    let behind = Timestamp(NOW.0 - BACKDATED.as_secs());
    assert_eq!(identity.history().valid_from(), behind);
    let attested = async |identity: &Identity| {
        let attestation = identity.attest_secure_channel_key(X25519, NOW).await.unwrap();
        attestation.verify(identity.history(), behind)
    };
    assert_eq!(attested(&identity).await.unwrap().created_at, behind);
    // A new key starts as early, and never before the one that it follows.
    identity.rotate(NOW).await.unwrap();
    assert_eq!(identity.history().valid_from(), behind);
    attested(&identity).await.unwrap();
    let earlier = Timestamp(NOW.0 - 1_000);
    identity.rotate(earlier).await.unwrap();
    assert_eq!(identity.history().valid_from(), behind);
    ChangeHistory::import(&identity.export()).unwrap();
    let postal = identity.postal_address(X25519, NOW).await.unwrap();
    postal.verify(&KnownIdentities::new(), behind).unwrap();
}

#[tokio::test]
async fn an_attestation_must_keep_to_the_keys_validity() {
    let (_, friend) = seeded(2).await;
    let history = friend.history();
    let late = Timestamp(history.valid_until().0 - 5);
    let attestation = friend.attest_secure_channel_key(X25519, late).await.unwrap();
    let attested = attestation.verify(history, late).unwrap();
    assert_eq!(attested.expires_at, history.valid_until());
    let over = Timestamp(history.valid_until().0 + 1);
    let refused = friend.attest_secure_channel_key(X25519, over).await;
    assert!(matches!(refused, Err(Error::OutsideKeyValidity(Signed::Attestation))));
    // A clock that was set back makes no attestation that others refuse.
    let early = Timestamp(history.valid_from().0 - 1_000);
    let attestation_of_early = friend.attest_secure_channel_key(X25519, early).await.unwrap();
    attestation_of_early.verify(history, NOW).unwrap();
    let stranger = seeded(3).await.1;
    let refused = attestation.verify(stranger.history(), late);
    assert!(matches!(refused, Err(Error::WrongSubject { what: Signed::Attestation, .. })));
}
