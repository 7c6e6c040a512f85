//! Proofs of identity that are not valid: no channel is opened.

use super::{Victim, asks_for_nothing, honest, proof, says};
use interop::Side::{Ours, Real};
use interop::noise::{Channel, Static};
use interop::wire::{Frame, Line};
use postern_node::identity::{BACKDATED, Identity as LocalIdentity, IdentityProof, Timestamp};
use postern_node::vault::MemoryVault;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_peer_that_cannot_prove_its_key_gets_no_channel() {
    let victim = Victim::start(Ours);
    let (key, other) = (Static::new([7; 32]), Static::new([8; 32]));
    let long_ago = Timestamp(Timestamp::now().0 - 6 * 365 * 24 * 60 * 60);
    // What is made says that it was made earlier, so an hour ahead of now is not enough.
    let to_come = Timestamp::now().plus(BACKDATED + Duration::from_secs(3600));
    let mut torn = honest(&key);
    torn.truncate(torn.len() / 2);
    let mut altered = honest(&key);
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let proofs = [
        honest(&other),
        proof(long_ago, key.public()),
        proof(to_come, key.public()),
        torn,
        altered,
        Vec::new(),
        vec![0x9f; 60_000],
    ];
    let attack = || {
        for proof in &proofs {
            let line = Line::connect(&victim.address);
            line.version();
            let channel = Channel::open(&line, &["listener"], "mallory", &key, proof);
            channel.send(&channel.text(0, "echoer", "hello"));
            // The node reads in order: when it answers this, it has judged all of the above.
            asks_for_nothing(&line);
        }
    };
    victim.endures(100, attack, || victim.answers());
    assert_eq!(victim.node.tell("channels"), "1");
    // The same with a good proof is let in, so it was the proofs.
    let line = Line::connect(&victim.address);
    line.version();
    let channel = Channel::open(&line, &["listener"], "mallory", &key, &honest(&key));
    channel.send(&channel.text(0, "echoer", "hello"));
    assert!(says(&channel.hear().expect("an answer"), "hello"));
    assert_eq!(victim.node.tell("channels"), "2");
}

/// An attestation names the change that it was made under: whoever has changed its key has taken back what the key
/// before attested, with the flag that says so or without.
#[test]
fn a_key_change_takes_back_what_was_attested_before() {
    let key = Static::new([7; 32]);
    let made = async {
        let now = Timestamp::now();
        let mut identity = LocalIdentity::create(Arc::new(MemoryVault::in_memory()), now).await.expect("an identity");
        let before = identity.attest_secure_channel_key(key.public(), now).await.expect("an attestation");
        identity.rotate(now).await.expect("a new key");
        let after = identity.attest_secure_channel_key(key.public(), now).await.expect("an attestation");
        [before, after]
            .map(|attestation| IdentityProof::new(&identity, attestation, Vec::new()).expect("a proof").encode())
    };
    let [before, after] = tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(made);
    for side in [Ours, Real] {
        let victim = Victim::start(side);
        let [refused, taken] = [(), ()].map(|()| Line::connect(&victim.address));
        refused.version();
        let channel = Channel::open(&refused, &["listener"], "mallory", &key, &before);
        channel.send(&channel.text(0, "echoer", "hello"));
        // Nothing but the answer to another handshake comes.
        refused.say(&Frame::to(&["listener"], "afterwards", &key.public()));
        assert_eq!(refused.hear().expect("message 2").onward, ["afterwards"], "{side:?}");
        taken.version();
        let channel = Channel::open(&taken, &["listener"], "mallory", &key, &after);
        channel.send(&channel.text(0, "echoer", "hello"));
        assert!(says(&channel.hear().expect("an answer"), "hello"), "{side:?}");
        victim.node.eventually("channels", "2");
        assert_eq!(victim.client.tell("echo 3"), "3");
        assert_eq!(victim.node.tell("channels"), "2", "{side:?}");
    }
}
