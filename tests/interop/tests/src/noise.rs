//! The initiator's half of a secure channel, written from `docs/wire.md` alone, so that it can do what no honest
//! node does.

use crate::wire::{Frame, Line};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use std::io;
use x25519_dalek::{PublicKey, StaticSecret};

const NAME: &[u8; 32] = b"OCKAM_XX_25519_AES256_GCM_SHA256";
/// Messages sealed with one key.
const INTERVAL: u64 = 32;

/// Seals with a key of AES-256-GCM.
#[must_use]
pub fn seal(key: &[u8; 32], nonce: u64, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let sealed = Aes256Gcm::new(key.into()).encrypt(&long(nonce).into(), Payload { msg: plaintext, aad });
    sealed.expect("it can be sealed")
}

fn open(key: &[u8; 32], nonce: u64, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    Aes256Gcm::new(key.into()).decrypt(&long(nonce).into(), Payload { msg: sealed, aad }).ok()
}

fn long(nonce: u64) -> [u8; 12] {
    let mut long = [0; 12];
    long[4..].copy_from_slice(&nonce.to_be_bytes());
    long
}

/// The key of the interval that a nonce lies in.
fn key_of(first: [u8; 32], nonce: u64) -> [u8; 32] {
    (0..nonce / INTERVAL).fold(first, |key, _| {
        let next = seal(&key, u64::MAX, &[], &[0; 32]);
        next[..32].try_into().expect("32 bytes")
    })
}

struct Symmetric {
    h: [u8; 32],
    ck: [u8; 32],
    key: [u8; 32],
    n: u64,
}

impl Symmetric {
    fn new() -> Self {
        Self { h: *NAME, ck: *NAME, key: [0; 32], n: 0 }
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.h = Sha256::new().chain_update(self.h).chain_update(data).finalize().into();
    }

    fn expand(&self, input: &[u8]) -> ([u8; 32], [u8; 32]) {
        let mut out = [0; 64];
        Hkdf::<Sha256>::new(Some(&self.ck), input).expand(&[], &mut out).expect("64 bytes");
        (out[..32].try_into().expect("32 bytes"), out[32..].try_into().expect("32 bytes"))
    }

    fn mix_key(&mut self, input: &[u8]) {
        (self.ck, self.key) = self.expand(input);
        self.n = 0;
    }

    fn seal(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let sealed = seal(&self.key, self.n, &self.h, plaintext);
        self.n += 1;
        self.mix_hash(&sealed);
        sealed
    }

    fn open(&mut self, sealed: &[u8]) -> Vec<u8> {
        let plaintext = open(&self.key, self.n, &self.h, sealed).expect("an honest message 2");
        self.n += 1;
        self.mix_hash(sealed);
        plaintext
    }
}

/// A static key.
#[derive(Clone)]
pub struct Static(StaticSecret);

impl Static {
    /// Made from any 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }

    /// What is attested.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }
}

/// An open channel, as its initiator sees it.
pub struct Channel<'a> {
    line: &'a Line,
    address: String,
    peer: String,
    sending: [u8; 32],
    receiving: [u8; 32],
}

impl<'a> Channel<'a> {
    /// Shakes hands with the listener at the route, presenting the proof whatever it proves. `address` is ours.
    ///
    /// # Panics
    /// When the listener does not answer as `docs/wire.md` says.
    #[must_use]
    pub fn open(line: &'a Line, listener: &[&str], address: &str, key: &Static, proof: &[u8]) -> Self {
        let mut state = Symmetric::new();
        // An empty prologue.
        state.mix_hash(&[]);
        let ephemeral = Static::new(Sha256::digest(address).into());
        state.mix_hash(&ephemeral.public());
        state.mix_hash(&[]);
        line.say(&Frame::to(listener, address, &ephemeral.public()));

        let m2 = line.hear().expect("message 2");
        assert_eq!(m2.onward, [address]);
        let (their_ephemeral, rest) = m2.payload.split_first_chunk::<32>().expect("an ephemeral key");
        state.mix_hash(their_ephemeral);
        let their_ephemeral = PublicKey::from(*their_ephemeral);
        state.mix_key(ephemeral.0.diffie_hellman(&their_ephemeral).as_bytes());
        let (their_static, payload) = rest.split_at(48);
        let their_static: [u8; 32] = state.open(their_static).try_into().expect("a static key");
        state.mix_key(ephemeral.0.diffie_hellman(&their_static.into()).as_bytes());
        state.open(payload);

        let mut m3 = state.seal(&key.public());
        state.mix_key(key.0.diffie_hellman(&their_ephemeral).as_bytes());
        m3.extend(state.seal(proof));
        let back: Vec<&str> = m2.back.iter().map(String::as_str).collect();
        line.say(&Frame::to(&back, address, &m3));
        let (receiving, sending) = state.expand(&[]);
        let peer = back.last().copied().expect("a way back").to_owned();
        Self { line, address: address.to_owned(), peer, sending, receiving }
    }

    /// A record with any number, sealed with the key of that number.
    #[must_use]
    pub fn record(&self, nonce: u64, plaintext: &[u8]) -> Vec<u8> {
        let sealed = seal(&key_of(self.sending, nonce), nonce, &[], plaintext);
        [&nonce.to_be_bytes()[..], &sealed].concat()
    }

    /// A record with a text for a worker behind the channel.
    #[must_use]
    pub fn text(&self, nonce: u64, worker: &str, text: &str) -> Vec<u8> {
        let payload = [&[text.len() as u8], text.as_bytes()].concat();
        self.record(nonce, &message(worker, "me", &payload))
    }

    /// Sends a record, however it was made.
    pub fn send(&self, record: &[u8]) {
        self.line.say(&Frame { onward: vec![self.peer.clone()], back: Vec::new(), payload: record.to_vec() });
    }

    /// Sends a record with a way back, which an honest sender of payload leaves empty.
    pub fn send_from(&self, back: &str, record: &[u8]) {
        self.line.say(&Frame::to(&[&self.peer], back, record));
    }

    /// Waits for a record from the other end and opens it.
    ///
    /// # Errors
    /// The connection has ended.
    ///
    /// # Panics
    /// When it is not for this channel or cannot be opened.
    pub fn hear(&self) -> io::Result<Vec<u8>> {
        let frame = self.line.hear()?;
        assert_eq!(frame.onward, std::slice::from_ref(&self.address));
        let (nonce, sealed) = frame.payload.split_first_chunk().expect("a nonce");
        let nonce = u64::from_be_bytes(*nonce);
        Ok(open(&key_of(self.receiving, nonce), nonce, &[], sealed).expect("an honest record"))
    }
}

/// The plaintext of a record with a message for a worker.
#[must_use]
pub fn message(worker: &str, back: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = b"\x82\x82\x00\x81\x83".to_vec();
    for hop in [worker, back] {
        out.extend_from_slice(&[0x81, 0x82, 0]);
        crate::wire::bytes(&mut out, hop.as_bytes());
    }
    crate::wire::bytes(&mut out, payload);
    out.push(0x40);
    out
}
