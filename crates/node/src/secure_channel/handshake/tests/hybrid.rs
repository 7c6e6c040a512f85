//! Two of our nodes agree on a secret with ML-KEM too (`docs/wire.md §7.7`).

use super::*;
use crate::crypto::{CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN};
use crate::secure_channel::hybrid;

/// The shape of a proof: three elements.
const PROOF: [u8; 4] = [0x83, 0x80, 0x80, 0x80];

impl Vectors {
    fn hybrid() -> Self {
        Self(serde_json::from_str(include_str!("../../../../vectors/hybrid.json")).unwrap())
    }

    /// The responder of `vectors.json` with the ML-KEM keys of `hybrid.json`, after m1.
    fn offering(&self, hybrid: &Self, m1: &[u8]) -> ResponderReadM1 {
        let public = hybrid.bytes("encapsulation_key").try_into().unwrap();
        let kem = KemKeyPair::from_bytes(&hybrid.bytes("decapsulation_key"), public);
        ResponderReadM1 { kem: Some(kem), ..self.responder().read_m1(m1).unwrap() }
    }
}

/// A handshake of two of our nodes up to m2.
fn offered() -> (InitiatorSentM1, ResponderSentM2, Vec<u8>) {
    let (initiator, _, m1) = fresh();
    let responder = Responder::new(&StaticKey::from_bytes(&[2; KEY_LEN])).unwrap();
    let (responder, m2) = responder.read_m1(&m1).unwrap().write_m2(&PROOF).unwrap();
    (initiator, responder, m2)
}

fn assert_same(ours: &Keys, theirs: &Keys, hybrid: bool) {
    assert_eq!(ours.send.expose(), theirs.receive.expose());
    assert_eq!(ours.receive.expose(), theirs.send.expose());
    assert_eq!((ours.hybrid, theirs.hybrid), (hybrid, hybrid));
}

#[test]
fn every_byte_of_a_hybrid_handshake_matches_the_vectors() {
    let (v, hybrid) = (Vectors::load(), Vectors::hybrid());
    let (initiator, m1) = v.initiator().write_m1().unwrap();
    let (responder, m2) = v.offering(&hybrid, &m1).write_m2(&v.bytes("message2_payload")).unwrap();
    assert_eq!(hex::encode(&m2), hex::encode(hybrid.bytes("message2")));

    let (initiator, _) = initiator.read_m2(&m2).unwrap();
    assert_eq!(initiator.offer.as_ref().unwrap()[..], hybrid.bytes("encapsulation_key"));
    // Encapsulation draws random bytes, so the vectors' ciphertext is put in its place; a key pair opens it.
    let answer: KemCiphertext = hybrid.bytes("ciphertext").try_into().unwrap();
    let public = hybrid.bytes("encapsulation_key").try_into().unwrap();
    let secret = KemKeyPair::from_bytes(&hybrid.bytes("decapsulation_key"), public).decapsulate(&answer).unwrap();
    assert_eq!(secret.expose(), hybrid.bytes("shared_secret"));
    let (m3, ours) = initiator.finish(&v.bytes("message3_payload"), Some((answer, secret))).unwrap();
    assert_eq!(hex::encode(&m3), hex::encode(hybrid.bytes("message3")));

    let (peer, theirs) = responder.read_m3(&m3).unwrap();
    assert_same(&ours, &theirs, true);
    assert_eq!(hex::encode(theirs.send.expose()), hex::encode(hybrid.bytes("k1")));
    assert_eq!(hex::encode(theirs.receive.expose()), hex::encode(hybrid.bytes("k2")));
    // What behind the proof follows, an identity's decoder skips.
    assert!(crate::identity::IdentityProof::decode(&peer.payload).is_ok());
}

#[test]
fn two_of_ours_always_agree_on_a_hybrid_secret() {
    let (initiator, responder, m2) = offered();
    let (initiator, _) = initiator.read_m2(&m2).unwrap();
    let (m3, ours) = initiator.write_m3(&PROOF).unwrap();
    let (_, theirs) = responder.read_m3(&m3).unwrap();
    assert_same(&ours, &theirs, true);
}

#[test]
fn a_peer_without_it_gets_the_channel_as_before() {
    // m2 and m3 of `vectors.json` are those of `ockam` and of earlier versions, byte for byte.
    let v = Vectors::load();
    let (initiator, m1) = v.initiator().write_m1().unwrap();
    let (_, m2) = v.responder().read_m1(&m1).unwrap().write_m2(&v.bytes("message2_payload")).unwrap();
    assert_eq!(m2, v.bytes("message2"));
    let (_, ours) = initiator.read_m2(&m2).unwrap().0.write_m3(&v.bytes("message3_payload")).unwrap();
    assert_eq!((ours.receive.expose(), ours.hybrid), (&v.key("k1"), false));

    // One that was offered the key and skips it: its answer has no fourth element.
    let (mut initiator, responder, m2) = offered();
    let length = initiator.noise.read_message(&m2, &mut vec![0; m2.len()]).unwrap();
    assert!(length > ENCAPSULATION_KEY_LEN);
    let (m3, ours) = InitiatorReadM2 { noise: initiator.noise, offer: None }.write_m3(&PROOF).unwrap();
    let (_, theirs) = responder.read_m3(&m3).unwrap();
    assert_same(&ours, &theirs, false);
}

#[test]
fn an_offer_or_an_answer_cannot_be_taken_away_or_altered() {
    // The elements are the last encrypted bytes before the tag, so whoever cuts or alters them has no valid message.
    let (_, _, m2) = offered();
    for at in [m2.len() - 1, m2.len() - TAG_LEN - 1, m2.len() - TAG_LEN - ENCAPSULATION_KEY_LEN] {
        let (initiator, _, mut m2) = offered();
        m2[at] ^= 1;
        assert!(initiator.read_m2(&m2).is_err());
        let (initiator, _, m2) = offered();
        assert!(initiator.read_m2(&m2[..at]).is_err());
    }
    let answered = || {
        let (initiator, responder, m2) = offered();
        (responder, initiator.read_m2(&m2).unwrap().0.write_m3(&PROOF).unwrap().0)
    };
    let length = answered().1.len();
    for at in [length - 1, length - TAG_LEN - 1, length - TAG_LEN - CIPHERTEXT_LEN] {
        let (responder, mut m3) = answered();
        m3[at] ^= 1;
        assert!(responder.read_m3(&m3).is_err());
        let (responder, m3) = answered();
        assert!(responder.read_m3(&m3[..at]).is_err());
    }
}

#[test]
fn the_keys_depend_on_every_secret_and_on_the_transcript() {
    let pair = KemKeyPair::generate().unwrap();
    let (answer, secret) = crypto::encapsulate(pair.public()).unwrap();
    let other = crypto::encapsulate(pair.public()).unwrap().1;
    let keys = |k1: u8, k2: u8, secret: &KemSecret, transcript: u8| {
        let (first, second) = hybrid::keys(&[k1; KEY_LEN], &[k2; KEY_LEN], secret, &[transcript; 32]);
        assert_ne!(first.expose(), second.expose());
        (*first.expose(), *second.expose())
    };
    let expected = keys(1, 2, &secret, 3);
    assert_eq!(keys(1, 2, &pair.decapsulate(&answer).unwrap(), 3), expected);
    for changed in [keys(9, 2, &secret, 3), keys(1, 9, &secret, 3), keys(1, 2, &other, 3), keys(1, 2, &secret, 9)] {
        assert_ne!(changed.0, expected.0);
        assert_ne!(changed.1, expected.1);
    }
}

#[test]
fn an_invalid_key_ends_the_handshake_and_what_is_not_understood_is_skipped() {
    let offered = |element: &[u8]| {
        let (initiator, responder, m1) = fresh();
        let proof = [&[0x84], &PROOF[1..], element].concat();
        let (_, m2) = responder.read_m1(&m1).unwrap().write_m2(&proof).unwrap();
        initiator.read_m2(&m2).unwrap().0.write_m3(&PROOF)
    };
    let header = [0x82, 0x00, 0x81, 0x59, 0x04, 0xa0];
    let not_reduced = [&header[..], &[0xff; ENCAPSULATION_KEY_LEN]].concat();
    assert_eq!(offered(&not_reduced).unwrap_err(), HandshakeError::InvalidKemKey);
    let of_a_later_version = [&[0x82, 0x01], &not_reduced[2..]].concat();
    for skipped in [&of_a_later_version[..], &[0x82, 0x00, 0x81, 0x41, 0x07], &[0xf6], &[0x07]] {
        assert!(!offered(skipped).unwrap().1.hybrid);
    }
}

#[test]
fn the_longest_proof_of_ours_fits_both_messages() {
    let room = crate::identity::OWN_PROOF_SIZE_MAX;
    let string = room - PROOF.len() - 2;
    let length = u16::try_from(string).unwrap().to_be_bytes();
    let proof = [&[0x83, 0x80, 0x80, 0x59], &length[..], &vec![7; string]].concat();
    assert_eq!(proof.len(), room);
    let (initiator, _, m1) = fresh();
    let responder = Responder::new(&StaticKey::from_bytes(&[2; KEY_LEN])).unwrap();
    let (responder, m2) = responder.read_m1(&m1).unwrap().write_m2(&proof).unwrap();
    assert_eq!(m2.len(), MAX_MESSAGE_LEN);
    let (m3, ours) = initiator.read_m2(&m2).unwrap().0.write_m3(&proof).unwrap();
    let (_, theirs) = responder.read_m3(&m3).unwrap();
    assert_same(&ours, &theirs, true);
}
