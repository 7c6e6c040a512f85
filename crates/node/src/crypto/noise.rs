//! The primitives under the Noise protocol, all done by aws-lc-rs: snow brings only its state machine.
//!
//! ```text
//! handshake, sealed message ──► snow ──► AwsLc ──► X25519 · AES-256-GCM · SHA-256 · system randomness
//! ```

use aws_lc_rs::aead::Aad;
use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::{digest, rand};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use super::aead::{AeadKey, nonce};
use super::{KEY_LEN, TAG_LEN, x25519};

/// Bytes of a SHA-256 hash and of the blocks it works on (FIPS 180-4).
const HASH_LEN: usize = 32;
const HASH_BLOCK_LEN: usize = 64;

/// Gives snow the one set of primitives that peers speak; any other choice is unavailable.
pub(crate) struct AwsLc;

impl CryptoResolver for AwsLc {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SystemRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(Curve25519::default())),
            DHChoice::Curve448 => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        match choice {
            HashChoice::SHA256 => Some(Box::new(Sha256::default())),
            HashChoice::SHA512 | HashChoice::Blake2s | HashChoice::Blake2b => None,
        }
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::AESGCM => Some(Box::new(Aes256Gcm::default())),
            CipherChoice::ChaChaPoly => None,
        }
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        rand::fill(dest).map_err(|_| snow::Error::Rng)
    }
}

/// Without a pair (none set yet, or one refused) every agreement fails.
#[derive(Default)]
struct Curve25519 {
    private: Option<PrivateKey>,
    public: [u8; KEY_LEN],
}

impl Dh for Curve25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_LEN
    }

    fn priv_len(&self) -> usize {
        KEY_LEN
    }

    fn set(&mut self, privkey: &[u8]) {
        (self.private, self.public) = match x25519::key_pair(privkey) {
            Some((private, public)) => (Some(private), public),
            None => (None, [0; KEY_LEN]),
        };
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.try_fill_bytes(secret.as_mut())?;
        self.set(secret.as_ref());
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    /// Empty: the secret stays inside aws-lc, and the handshake never asks for it.
    fn privkey(&self) -> &[u8] {
        &[]
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let private = self.private.as_ref().ok_or(snow::Error::Dh)?;
        // snow hands over its whole buffer, sized for the longest curve it knows.
        let peer = pubkey.first_chunk::<KEY_LEN>().ok_or(snow::Error::Dh)?;
        let out = out.get_mut(..KEY_LEN).ok_or(snow::Error::Dh)?;
        let shared = x25519::shared_secret(private, peer).ok_or(snow::Error::Dh)?;
        out.copy_from_slice(shared.as_ref());
        Ok(())
    }
}

#[derive(Default)]
struct Aes256Gcm(Option<AeadKey>);

impl Cipher for Aes256Gcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; KEY_LEN]) {
        self.0 = Some(AeadKey::new(key));
    }

    fn encrypt(&self, n: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (ciphertext, rest) = out.split_at_mut(plaintext.len());
        ciphertext.copy_from_slice(plaintext);
        let key = self.0.as_ref().expect("snow sets the key before using it");
        let tag = key
            .0
            .seal_in_place_separate_tag(nonce(n), Aad::from(authtext), ciphertext)
            .expect("a handshake message is far below the limit of AES-GCM");
        rest[..TAG_LEN].copy_from_slice(tag.as_ref());
        plaintext.len() + TAG_LEN
    }

    fn decrypt(&self, n: u64, authtext: &[u8], ciphertext: &[u8], out: &mut [u8]) -> Result<usize, snow::Error> {
        let key = self.0.as_ref().ok_or(snow::Error::Decrypt)?;
        let (ciphertext, tag) = ciphertext.split_last_chunk::<TAG_LEN>().ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..ciphertext.len()).ok_or(snow::Error::Decrypt)?;
        key.0
            .open_separate_gather(nonce(n), Aad::from(authtext), ciphertext, tag, out)
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(ciphertext.len())
    }
}

struct Sha256(digest::Context);

impl Default for Sha256 {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        HASH_BLOCK_LEN
    }

    fn hash_len(&self) -> usize {
        HASH_LEN
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..HASH_LEN].copy_from_slice(self.0.clone().finish().as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes32(hex: &str) -> [u8; 32] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    fn x25519(secret: &[u8; 32], point: &[u8; 32]) -> Result<[u8; 32], snow::Error> {
        let mut dh = Curve25519::default();
        dh.set(secret);
        let mut out = [0; 32];
        dh.dh(point, &mut out).map(|()| out)
    }

    #[test]
    fn x25519_iterates_as_in_rfc_7748() {
        let mut k = bytes32("0900000000000000000000000000000000000000000000000000000000000000");
        let mut u = k;
        for round in 1..=1000 {
            (k, u) = (x25519(&k, &u).unwrap(), k);
            if round == 1 {
                let once = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
                assert_eq!(hex::encode(k), once);
            }
        }
        let thousand = "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
        assert_eq!(hex::encode(k), thousand);
    }

    #[test]
    fn points_of_low_order_are_refused() {
        for point in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let mut point = bytes32(point);
            assert_eq!(x25519(&[7; 32], &point), Err(snow::Error::Dh));
            point[31] |= 0x80;
            assert_eq!(x25519(&[7; 32], &point), Err(snow::Error::Dh));
        }
    }

    #[test]
    fn no_agreement_without_a_key() {
        let mut out = [0; 32];
        let unset = Curve25519::default();
        assert_eq!(unset.dh(&[9; 32], &mut out), Err(snow::Error::Dh));
        assert_eq!(out, [0; 32]);
    }
}
