use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};

use super::*;
use crate::secure_channel::record::{Opener, Sealer};

mod hybrid;

struct Vectors(serde_json::Value);

impl Vectors {
    fn load() -> Self {
        let text = include_str!("../../../vectors/vectors.json");
        Self(serde_json::from_str(text).unwrap())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.0[name].as_str().unwrap()).unwrap()
    }

    fn key(&self, name: &str) -> [u8; KEY_LEN] {
        self.bytes(name).try_into().unwrap()
    }

    fn initiator(&self) -> Initiator {
        let key = StaticKey::from_bytes(&self.key("initiator_x25519_static"));
        let ephemeral = self.key("initiator_x25519_ephemeral");
        let builder = builder(&key).unwrap();
        let noise = builder.fixed_ephemeral_key_for_testing_only(&ephemeral).build_initiator().unwrap();
        Initiator { noise }
    }

    fn responder(&self) -> Responder {
        let key = StaticKey::from_bytes(&self.key("responder_x25519_static"));
        let ephemeral = self.key("responder_x25519_ephemeral");
        let builder = builder(&key).unwrap();
        let noise = builder.fixed_ephemeral_key_for_testing_only(&ephemeral).build_responder().unwrap();
        Responder { noise, offers: false }
    }
}

/// A responder without ML-KEM, as peers on `ockam` and of earlier versions are; payloads can then be any bytes.
fn basic_responder(secret: u8) -> Responder {
    let responder = Responder::new(&StaticKey::from_bytes(&[secret; KEY_LEN])).unwrap();
    Responder { offers: false, ..responder }
}

fn fresh() -> (InitiatorSentM1, Responder, Vec<u8>) {
    let initiator = Initiator::new(&StaticKey::from_bytes(&[1; KEY_LEN])).unwrap();
    let responder = basic_responder(2);
    let (initiator, m1) = initiator.write_m1().unwrap();
    (initiator, responder, m1)
}

fn after_m2(payload: &[u8]) -> (InitiatorSentM1, ResponderSentM2, Vec<u8>) {
    let (initiator, responder, m1) = fresh();
    let (responder, m2) = responder.read_m1(&m1).unwrap().write_m2(payload).unwrap();
    (initiator, responder, m2)
}

fn after_m3(payload: &[u8]) -> (ResponderSentM2, Vec<u8>, Keys) {
    let (initiator, responder, m2) = after_m2(b"responder");
    let (initiator, _) = initiator.read_m2(&m2).unwrap();
    let (m3, keys) = initiator.write_m3(payload).unwrap();
    (responder, m3, keys)
}

#[test]
fn every_byte_matches_the_vectors() {
    let v = Vectors::load();
    let (initiator, m1) = v.initiator().write_m1().unwrap();
    assert_eq!(hex::encode(&m1), hex::encode(v.bytes("message1")));

    let responder = v.responder().read_m1(&m1).unwrap();
    let (responder, m2) = responder.write_m2(&v.bytes("message2_payload")).unwrap();
    assert_eq!(hex::encode(&m2), hex::encode(v.bytes("message2")));

    let (initiator, peer) = initiator.read_m2(&m2).unwrap();
    let responder_key = StaticKey::from_bytes(&v.key("responder_x25519_static"));
    assert_eq!(peer.static_key, *responder_key.public());
    assert_eq!(peer.payload, v.bytes("message2_payload"));

    let (m3, ours) = initiator.write_m3(&v.bytes("message3_payload")).unwrap();
    assert_eq!(hex::encode(&m3), hex::encode(v.bytes("message3")));

    let (peer, theirs) = responder.read_m3(&m3).unwrap();
    let initiator_key = StaticKey::from_bytes(&v.key("initiator_x25519_static"));
    assert_eq!(peer.static_key, *initiator_key.public());
    assert_eq!(peer.payload, v.bytes("message3_payload"));

    assert_eq!(ours.receive.expose(), &v.key("k1"));
    assert_eq!(ours.send.expose(), &v.key("k2"));
    assert_eq!(theirs.send.expose(), &v.key("k1"));
    assert_eq!(theirs.receive.expose(), &v.key("k2"));
}

#[test]
fn the_transcript_hash_matches_the_vectors() {
    let v = Vectors::load();
    let (initiator, m1) = v.initiator().write_m1().unwrap();
    let responder = v.responder().read_m1(&m1).unwrap();
    let (_, m2) = responder.write_m2(&v.bytes("message2_payload")).unwrap();
    let (mut initiator, _) = initiator.read_m2(&m2).unwrap();
    write(&mut initiator.noise, M3_OVERHEAD, &v.bytes("message3_payload")).unwrap();
    assert_eq!(initiator.noise.get_handshake_hash(), v.bytes("h"));
}

#[test]
fn the_keys_carry_records_both_ways() {
    let (responder, m3, ours) = after_m3(b"initiator");
    let (_, theirs) = responder.read_m3(&m3).unwrap();
    for (send, receive) in [(ours.send, theirs.receive), (theirs.send, ours.receive)] {
        let mut body = *b"hello";
        let (nonce, tag) = Sealer::new(&send).seal(&mut body).unwrap();
        let mut record = [&nonce[..], &body, &tag].concat();
        assert_eq!(Opener::new(&receive).open(&mut record).unwrap(), b"hello");
    }
}

#[test]
fn states_and_keys_show_no_secret() {
    let (_, _, keys) = after_m3(b"");
    let shown = format!("{keys:?}");
    assert_eq!(shown, "Keys { send: RecordKey { .. }, receive: RecordKey { .. }, hybrid: false }");
}

#[test]
fn another_static_key_is_visible_before_m3() {
    let (initiator, _, m1) = fresh();
    let other = basic_responder(9);
    let (_, m2) = other.read_m1(&m1).unwrap().write_m2(b"stolen").unwrap();
    let (_, peer) = initiator.read_m2(&m2).unwrap();
    let expected = StaticKey::from_bytes(&[2; KEY_LEN]);
    assert_ne!(peer.static_key, *expected.public());
}

/// Makes a party present `claim` as its static key while owning another one.
struct Liar {
    claim: [u8; KEY_LEN],
    keys_made: AtomicUsize,
}

struct ClaimedKey {
    inner: Box<dyn Dh>,
    claim: [u8; KEY_LEN],
}

impl CryptoResolver for Liar {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        AwsLc.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let inner = AwsLc.resolve_dh(choice)?;
        // snow asks for the static key first, then for the ephemeral one.
        if self.keys_made.fetch_add(1, Ordering::Relaxed) > 0 {
            return Some(inner);
        }
        let claim = self.claim;
        Some(Box::new(ClaimedKey { inner, claim }))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        AwsLc.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        AwsLc.resolve_cipher(choice)
    }
}

impl Dh for ClaimedKey {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn pub_len(&self) -> usize {
        self.inner.pub_len()
    }
    fn priv_len(&self) -> usize {
        self.inner.priv_len()
    }
    fn set(&mut self, privkey: &[u8]) {
        self.inner.set(privkey);
    }
    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.inner.generate(rng)
    }
    fn pubkey(&self) -> &[u8] {
        &self.claim
    }
    fn privkey(&self) -> &[u8] {
        self.inner.privkey()
    }
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        self.inner.dh(pubkey, out)
    }
}

fn liar(claim: &StaticKey) -> Builder<'static> {
    let resolver = Liar { claim: *claim.public(), keys_made: AtomicUsize::new(0) };
    Builder::with_resolver(params(), Box::new(resolver)).local_private_key(&[9; KEY_LEN]).unwrap()
}

#[test]
fn a_responder_cannot_claim_a_key_it_does_not_own() {
    let (initiator, _, m1) = fresh();
    let noise = liar(&StaticKey::from_bytes(&[2; KEY_LEN])).build_responder().unwrap();
    let impostor = Responder { noise, offers: false }.read_m1(&m1).unwrap();
    let (_, m2) = impostor.write_m2(b"stolen").unwrap();
    assert_eq!(initiator.read_m2(&m2).unwrap_err().error, HandshakeError::Forged);
}

#[test]
fn an_initiator_cannot_claim_a_key_it_does_not_own() {
    let (_, responder, _) = fresh();
    let noise = liar(&StaticKey::from_bytes(&[1; KEY_LEN])).build_initiator().unwrap();
    let (impostor, m1) = Initiator { noise }.write_m1().unwrap();
    let (responder, m2) = responder.read_m1(&m1).unwrap().write_m2(b"").unwrap();
    let (impostor, _) = impostor.read_m2(&m2).unwrap();
    let (m3, _) = impostor.write_m3(b"stolen").unwrap();
    assert_eq!(responder.read_m3(&m3).unwrap_err().error, HandshakeError::Forged);
}

#[test]
fn weak_ephemeral_keys_are_refused() {
    let (initiator, responder, _) = fresh();
    let responder = responder.read_m1(&[0; M1_LEN]).unwrap();
    let refused = responder.write_m2(b"").unwrap_err();
    assert_eq!(refused, HandshakeError::WeakKey);
    let refused = initiator.read_m2(&[0; M2_OVERHEAD]).unwrap_err().error;
    assert_eq!(refused, HandshakeError::WeakKey);
}

#[test]
fn m1_is_exactly_one_key() {
    for (length, error) in [
        (0, HandshakeError::Truncated { length: 0 }),
        (31, HandshakeError::Truncated { length: 31 }),
        (33, HandshakeError::UnexpectedPayload { length: 33 }),
        (65535, HandshakeError::UnexpectedPayload { length: 65535 }),
        (65536, HandshakeError::TooLong { length: 65536 }),
    ] {
        let (_, responder, _) = fresh();
        assert_eq!(responder.read_m1(&vec![5; length]).unwrap_err(), error);
    }
}

#[test]
fn the_longest_messages_pass_and_longer_ones_do_not() {
    let payload = vec![7; MAX_MESSAGE_LEN - M2_OVERHEAD];
    let (initiator, _, m2) = after_m2(&payload);
    assert_eq!(m2.len(), MAX_MESSAGE_LEN);
    assert_eq!(initiator.read_m2(&m2).unwrap().1.payload, payload);

    let payload = vec![7; MAX_MESSAGE_LEN - M3_OVERHEAD];
    let (responder, m3, _) = after_m3(&payload);
    assert_eq!(m3.len(), MAX_MESSAGE_LEN);
    assert_eq!(responder.read_m3(&m3).unwrap().0.payload, payload);

    let too_long = HandshakeError::TooLong { length: 65536 };
    let (initiator, responder, m1) = fresh();
    let payload = vec![7; MAX_MESSAGE_LEN - M2_OVERHEAD + 1];
    let refused = responder.read_m1(&m1).unwrap().write_m2(&payload);
    assert_eq!(refused.unwrap_err(), too_long);
    assert_eq!(initiator.read_m2(&[7; 65536]).unwrap_err().error, too_long);

    let (initiator, responder, m2) = after_m2(b"");
    let payload = vec![7; MAX_MESSAGE_LEN - M3_OVERHEAD + 1];
    let refused = initiator.read_m2(&m2).unwrap().0.write_m3(&payload);
    assert_eq!(refused.unwrap_err(), too_long);
    assert_eq!(responder.read_m3(&[7; 65536]).unwrap_err().error, too_long);
}

#[test]
fn every_cut_is_refused() {
    for length in 0..after_m2(b"payload").2.len() {
        let (initiator, _, m2) = after_m2(b"payload");
        assert!(initiator.read_m2(&m2[..length]).is_err());
    }
    for length in 0..after_m3(b"payload").1.len() {
        let (responder, m3, _) = after_m3(b"payload");
        assert!(responder.read_m3(&m3[..length]).is_err());
    }
}

#[test]
fn states_can_cross_threads() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Initiator>();
    assert_send_sync::<Responder>();
    assert_send_sync::<Keys>();
}

proptest! {
    #[test]
    fn payloads_arrive_whole(
        payload2 in prop::collection::vec(any::<u8>(), 0..600),
        payload3 in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let (initiator, responder, m2) = after_m2(&payload2);
        let (initiator, peer) = initiator.read_m2(&m2).unwrap();
        prop_assert_eq!(peer.payload, payload2);
        let (m3, ours) = initiator.write_m3(&payload3).unwrap();
        let (peer, theirs) = responder.read_m3(&m3).unwrap();
        prop_assert_eq!(peer.payload, payload3);
        prop_assert_eq!(ours.send.expose(), theirs.receive.expose());
        prop_assert_eq!(ours.receive.expose(), theirs.send.expose());
        prop_assert!(ours.send.expose() != ours.receive.expose());
    }

    #[test]
    fn a_flipped_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (initiator, _, mut m2) = after_m2(b"payload");
        let at2 = at.index(m2.len());
        m2[at2] ^= 1_u8 << bit;
        // X25519 ignores the top bit of a key, but the transcript does not.
        prop_assert!(initiator.read_m2(&m2).is_err());

        let (responder, mut m3, _) = after_m3(b"payload");
        let at3 = at.index(m3.len());
        m3[at3] ^= 1_u8 << bit;
        prop_assert!(responder.read_m3(&m3).is_err());
    }

    #[test]
    fn a_flipped_bit_in_m1_ends_at_m2(at in 0..M1_LEN, bit in 0..8_u8) {
        let (initiator, responder, mut m1) = fresh();
        m1[at] ^= 1_u8 << bit;
        let (_, m2) = responder.read_m1(&m1).unwrap().write_m2(b"payload").unwrap();
        prop_assert_eq!(initiator.read_m2(&m2).unwrap_err().error, HandshakeError::Forged);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (initiator, responder, _) = fresh();
        prop_assert!(initiator.read_m2(&bytes).is_err());
        if let Ok(responder) = responder.read_m1(&bytes) {
            prop_assert_eq!(bytes.len(), M1_LEN);
            prop_assert!(responder.write_m2(b"").is_ok());
        }
        prop_assert!(after_m2(b"").1.read_m3(&bytes).is_err());
    }
}
