//! The post-quantum part of a handshake between two of our nodes (`docs/wire.md §7.7`).
//!
//! The responder appends an ML-KEM-768 key to its proof, the initiator appends the ciphertext to its own. Both are inside what Noise
//! encrypts and authenticates, so neither can be removed, exchanged or altered without the handshake failing. A peer that does
//! not know them skips them as it skips every further element of an array (`docs/wire.md §1.1`).

use minicbor::Decoder;
use zeroize::Zeroizing;

use super::record::RecordKey;
use crate::crypto::{CIPHERTEXT_LEN, ENCAPSULATION_KEY_LEN, KEY_LEN, KemSecret, hkdf_sha256};
use crate::identity::PROOF_ELEMENT_SIZE_MAX;

/// The elements of a proof: key history, attestation, credentials (`docs/wire.md §7.2`).
const PROOF_ELEMENTS: u64 = 3;

/// The variant that is ML-KEM-768. A later algorithm gets the next number.
const ML_KEM_768: u32 = 0;

/// CBOR around the key or the ciphertext: `82 00 81 59` and two bytes of length.
const ELEMENT_HEADER: usize = 6;

/// Separates these keys from all others that HKDF derives.
const PURPOSE: &[u8] = b"postern secure channel X25519 ML-KEM-768 v1";

/// A proof with an element behind it; nothing if it has not exactly three.
pub(super) fn append(proof: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(proof);
    if decoder.array().ok()? != Some(PROOF_ELEMENTS) {
        return None;
    }
    let elements = proof.get(decoder.position()..)?;
    let mut longer = Vec::with_capacity(proof.len() + ELEMENT_HEADER + bytes.len());
    let mut encoder = minicbor::Encoder::new(&mut longer);
    encoder.array(PROOF_ELEMENTS + 1).ok()?;
    encoder.writer_mut().extend_from_slice(elements);
    encoder.array(2).ok()?.u32(ML_KEM_768).ok()?.array(1).ok()?.bytes(bytes).ok()?;
    Some(longer)
}

/// The key or ciphertext behind a proof, told apart by their length; nothing if there is none, or one of another algorithm.
pub(super) fn find<const LEN: usize>(payload: &[u8]) -> Option<[u8; LEN]> {
    let mut decoder = Decoder::new(payload);
    // Of indefinite length only from peers, of which none that knows the element writes it so.
    if decoder.array().ok()?? <= PROOF_ELEMENTS {
        return None;
    }
    for _ in 0..PROOF_ELEMENTS {
        decoder.skip().ok()?;
    }
    if decoder.array().ok()?? < 2 || decoder.u32().ok()? != ML_KEM_768 || decoder.array().ok()?? < 1 {
        return None;
    }
    decoder.bytes().ok()?.try_into().ok()
}

/// The keys of the responder and of the initiator.
///
/// HKDF over a concatenation of two secrets is as strong as the stronger of them (NIST SP 800-56C Rev. 2 §2). The transcript hash
/// covers m1 to m3, and so the ML-KEM key and the ciphertext.
pub(super) fn keys(
    k1: &[u8; KEY_LEN],
    k2: &[u8; KEY_LEN],
    secret: &KemSecret,
    transcript: &[u8],
) -> (RecordKey, RecordKey) {
    let secrets = Zeroizing::new([&k1[..], k2, secret.expose()].concat());
    let derived = hkdf_sha256::<{ 2 * KEY_LEN }>(transcript, &secrets, PURPOSE);
    let half = |at: usize| {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        key.copy_from_slice(&derived[at..at + KEY_LEN]);
        RecordKey::from_bytes(&key)
    };
    (half(0), half(KEY_LEN))
}

// A proof leaves room for the longer of the two; `find` tells them apart by their length.
const _: () = assert!(CIPHERTEXT_LEN < ENCAPSULATION_KEY_LEN);
const _: () = assert!(ELEMENT_HEADER + ENCAPSULATION_KEY_LEN == PROOF_ELEMENT_SIZE_MAX);

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn an_element_is_found_behind_a_proof_and_nowhere_else() {
        let proof = [0x83, 0x80, 0x41, 0x07, 0x80];
        let key = [5; ENCAPSULATION_KEY_LEN];
        let longer = append(&proof, &key).unwrap();
        assert_eq!(longer.len(), proof.len() + PROOF_ELEMENT_SIZE_MAX);
        assert_eq!(longer[..9], [0x84, 0x80, 0x41, 0x07, 0x80, 0x82, 0x00, 0x81, 0x59]);
        assert_eq!(find(&longer), Some(key));
        // A later version may append more.
        let further = [&[0x85], &longer[1..], &[0xf6]].concat();
        assert_eq!(find(&further), Some(key));
        assert_eq!(find::<ENCAPSULATION_KEY_LEN>(&proof), None);
        assert_eq!(find::<CIPHERTEXT_LEN>(&longer), None);
        for (at, byte) in [(0, 0x83), (5, 0x81), (6, 0x01), (7, 0x80), (8, 0x79)] {
            let mut other = longer.clone();
            other[at] = byte;
            assert_eq!(find::<ENCAPSULATION_KEY_LEN>(&other), None, "{at}");
        }
        assert_eq!(append(&longer, &key), None);
        assert_eq!(append(b"", &key), None);
    }

    proptest! {
        #[test]
        fn hostile_input_is_only_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(find::<CIPHERTEXT_LEN>(&bytes), None);
            let longer = [&[0x84, 0x80, 0x80, 0x80], &bytes[..]].concat();
            prop_assert_eq!(find::<CIPHERTEXT_LEN>(&longer), None);
        }
    }
}
