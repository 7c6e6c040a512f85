//! The Noise XX handshake, as pure state: bytes in, bytes out (`docs/wire.md §7.1, §7.2`).
//!
//! ```text
//! Initiator                                          Responder
//!   write_m1 ──────────── e ───────────────────────►  read_m1
//!   read_m2  ◄─────────── e, ee, s, es, payload ────  write_m2
//!   (the caller verifies the peer)
//!   write_m3 ──────────── s, se, payload ──────────►  read_m3
//!   Keys                                              (the caller verifies the peer) Keys
//! ```
//!
//! Every step consumes its state. A message that fails authentication gives it back, as it was: whoever can send to a
//! handshake's address must not be able to end it, so the caller goes on waiting for the right one. Noise proves
//! only that the peer owns its static key: whose key that is, the caller learns from the payload,
//! and must check before it goes further. Timeouts are the caller's too.
//!
//! Two of our nodes also agree on a secret with ML-KEM-768, inside the same messages ([`hybrid`](super::hybrid), `docs/wire.md §7.7`).

use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList, HandshakePattern, HashChoice,
    NoiseParams,
};
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::hybrid;
use super::record::RecordKey;
use crate::crypto::{self, AwsLc, EncapsulationKey, KEY_LEN, KemCiphertext, KemKeyPair, KemSecret, StaticKey, TAG_LEN};

/// Name mixed into every key; not the standard Noise name (`docs/wire.md §7.1`).
const PROTOCOL_NAME: &str = "OCKAM_XX_25519_AES256_GCM_SHA256";

/// Most bytes any handshake message may have (`docs/wire.md §7.2`).
pub(crate) const MAX_MESSAGE_LEN: usize = 65535;

/// Length in bytes of message 1: an ephemeral key and nothing else (`docs/wire.md §7.2`).
pub(crate) const M1_LEN: usize = KEY_LEN;

/// Bytes that message 2 adds around its payload.
const M2_OVERHEAD: usize = KEY_LEN + KEY_LEN + TAG_LEN + TAG_LEN;

/// Bytes that message 3 adds around its payload.
const M3_OVERHEAD: usize = KEY_LEN + TAG_LEN + TAG_LEN;

/// Why a handshake ended; the peer is never notified of it (`docs/wire.md §7.2`).
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HandshakeError {
    /// A message, ours or the peer's, is longer than 65,535 bytes.
    #[error("handshake message of {length} bytes is longer than {MAX_MESSAGE_LEN}")]
    TooLong {
        /// Bytes in the message.
        length: usize,
    },
    /// A message is too short to hold its keys and tags.
    #[error("handshake message of {length} bytes is cut short")]
    Truncated {
        /// Bytes in the message.
        length: usize,
    },
    /// Message 1 carries a payload, which would be neither secret nor authentic.
    #[error("first handshake message of {length} bytes carries a payload")]
    UnexpectedPayload {
        /// Bytes in the message.
        length: usize,
    },
    /// A message was altered on its way, or the two sides disagree on a key.
    #[error("handshake message failed authentication")]
    Forged,
    /// The peer's public key leads to a shared secret that everybody knows.
    #[error("peer sent a weak public key")]
    WeakKey,
    /// The peer's ML-KEM key is one that must not be used (FIPS 203 §7.2).
    #[error("peer sent an invalid ML-KEM key")]
    InvalidKemKey,
    /// The operating system gave no random bytes.
    #[error("no random bytes available")]
    Random,
    /// The state machine refused a step that should have been possible: a bug.
    #[error("handshake state machine failed")]
    Internal(#[source] snow::Error),
}

impl From<snow::Error> for HandshakeError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Decrypt => Self::Forged,
            snow::Error::Dh => Self::WeakKey,
            snow::Error::Rng => Self::Random,
            other => Self::Internal(other),
        }
    }
}

/// What a handshake message proved about the peer, still to be verified by the caller.
///
/// The peer owns `static_key`; the payload must prove to whom that key belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The X25519 key the peer proved to own.
    pub static_key: [u8; KEY_LEN],
    /// The peer's identity and credentials, authenticated but not yet decoded (`docs/wire.md §7.2`); behind them may be what
    /// this module has used already.
    pub payload: Vec<u8>,
}

/// A message that did not verify, and the state that waits for another.
#[derive(Debug)]
pub(crate) struct Unverified<S> {
    /// It waits for another message.
    pub state: S,
    /// What was wrong with the message.
    pub error: HandshakeError,
}

/// The two keys of the data phase, each with its direction as seen from this side.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Seals what this side sends.
    pub send: RecordKey,
    /// Opens what the peer sends.
    pub receive: RecordKey,
    /// Whether they depend on a secret of ML-KEM-768 too (`docs/wire.md §7.7`).
    pub hybrid: bool,
}

/// The side that asks for a channel, before it sent anything.
#[derive(Debug)]
pub(crate) struct Initiator {
    noise: HandshakeState,
}

impl Initiator {
    /// Starts a handshake that will prove `static_key`.
    ///
    /// # Errors
    /// [`HandshakeError::Internal`] if the handshake cannot be set up.
    pub(crate) fn new(static_key: &StaticKey) -> Result<Self, HandshakeError> {
        let noise = builder(static_key)?.build_initiator()?;
        Ok(Self { noise })
    }

    /// Writes message 1.
    ///
    /// # Errors
    /// [`HandshakeError::Random`] if no ephemeral key could be drawn.
    pub(crate) fn write_m1(mut self) -> Result<(InitiatorSentM1, Vec<u8>), HandshakeError> {
        let m1 = write(&mut self.noise, M1_LEN, &[])?;
        Ok((InitiatorSentM1 { noise: self.noise }, m1))
    }
}

/// An initiator that waits for message 2.
#[derive(Debug)]
pub(crate) struct InitiatorSentM1 {
    noise: HandshakeState,
}

impl InitiatorSentM1 {
    /// Reads message 2; verify the [`Peer`] before going on.
    ///
    /// # Errors
    /// [`HandshakeError::TooLong`], [`Truncated`](HandshakeError::Truncated),
    /// [`Forged`](HandshakeError::Forged) or [`WeakKey`](HandshakeError::WeakKey), with the state, which waits for another.
    pub(crate) fn read_m2(mut self, m2: &[u8]) -> Result<(InitiatorReadM2, Peer), Box<Unverified<Self>>> {
        let peer = match read(&mut self.noise, M2_OVERHEAD, m2) {
            Ok(peer) => peer,
            Err(error) => return Err(Box::new(Unverified { state: self, error })),
        };
        let offer = hybrid::find(&peer.payload).map(Box::new);
        Ok((InitiatorReadM2 { noise: self.noise, offer }, peer))
    }
}

/// An initiator that knows its peer and has not yet shown itself; drop it to refuse the peer.
#[derive(Debug)]
pub(crate) struct InitiatorReadM2 {
    noise: HandshakeState,
    /// The ML-KEM key that the peer offered.
    offer: Option<Box<EncapsulationKey>>,
}

impl InitiatorReadM2 {
    /// Writes message 3, which reveals our identity in `payload`, and ends the handshake. An offer of ML-KEM is always answered.
    ///
    /// # Errors
    /// [`HandshakeError::TooLong`] if `payload` does not fit,
    /// [`WeakKey`](HandshakeError::WeakKey) or [`InvalidKemKey`](HandshakeError::InvalidKemKey).
    pub(crate) fn write_m3(mut self, payload: &[u8]) -> Result<(Vec<u8>, Keys), HandshakeError> {
        let Some(offer) = self.offer.take() else { return self.finish(payload, None) };
        let (answer, secret) = crypto::encapsulate(&offer).map_err(|_| HandshakeError::InvalidKemKey)?;
        self.finish(payload, Some((answer, secret)))
    }

    fn finish(
        mut self,
        payload: &[u8],
        answer: Option<(KemCiphertext, KemSecret)>,
    ) -> Result<(Vec<u8>, Keys), HandshakeError> {
        let (m3, secret) = match answer {
            Some((ciphertext, secret)) => {
                let payload = hybrid::append(payload, &ciphertext).ok_or(INVALID_PROOF)?;
                (write(&mut self.noise, M3_OVERHEAD, &payload)?, Some(secret))
            }
            None => (write(&mut self.noise, M3_OVERHEAD, payload)?, None),
        };
        let (k1, k2) = split(&mut self.noise, secret.as_ref());
        // The reverse of Noise: the initiator sends with the second key (docs/wire.md §7.2).
        Ok((m3, Keys { send: k2, receive: k1, hybrid: secret.is_some() }))
    }
}

/// The side that is asked for a channel, before it read anything.
#[derive(Debug)]
pub(crate) struct Responder {
    noise: HandshakeState,
    /// Whether to offer ML-KEM; only tests of what a peer without it does say no.
    offers: bool,
}

impl Responder {
    /// Starts a handshake that will prove `static_key`.
    ///
    /// # Errors
    /// [`HandshakeError::Internal`] if the handshake cannot be set up.
    pub(crate) fn new(static_key: &StaticKey) -> Result<Self, HandshakeError> {
        let noise = builder(static_key)?.build_responder()?;
        Ok(Self { noise, offers: true })
    }

    /// Reads message 1, which says nothing about who sent it.
    ///
    /// # Errors
    /// [`HandshakeError::TooLong`], [`Truncated`](HandshakeError::Truncated),
    /// [`UnexpectedPayload`](HandshakeError::UnexpectedPayload) or [`Random`](HandshakeError::Random).
    pub(crate) fn read_m1(mut self, m1: &[u8]) -> Result<ResponderReadM1, HandshakeError> {
        let length = m1.len();
        check_length(length, M1_LEN)?;
        if length > M1_LEN {
            return Err(HandshakeError::UnexpectedPayload { length });
        }
        self.noise.read_message(m1, &mut [])?;
        let kem = if self.offers { Some(KemKeyPair::generate().map_err(|_| HandshakeError::Random)?) } else { None };
        Ok(ResponderReadM1 { noise: self.noise, kem })
    }
}

/// A responder that owes message 2.
#[derive(Debug)]
pub(crate) struct ResponderReadM1 {
    noise: HandshakeState,
    kem: Option<KemKeyPair>,
}

impl ResponderReadM1 {
    /// Writes message 2, which reveals our identity in `payload` to whoever sent message 1, and offers ML-KEM.
    ///
    /// # Errors
    /// [`HandshakeError::TooLong`] if `payload` does not fit,
    /// [`WeakKey`](HandshakeError::WeakKey) or [`Random`](HandshakeError::Random).
    pub(crate) fn write_m2(mut self, payload: &[u8]) -> Result<(ResponderSentM2, Vec<u8>), HandshakeError> {
        let m2 = match &self.kem {
            Some(kem) => {
                let payload = hybrid::append(payload, kem.public()).ok_or(INVALID_PROOF)?;
                write(&mut self.noise, M2_OVERHEAD, &payload)?
            }
            None => write(&mut self.noise, M2_OVERHEAD, payload)?,
        };
        Ok((ResponderSentM2 { noise: self.noise, kem: self.kem }, m2))
    }
}

/// A responder that waits for message 3.
#[derive(Debug)]
pub(crate) struct ResponderSentM2 {
    noise: HandshakeState,
    kem: Option<KemKeyPair>,
}

impl ResponderSentM2 {
    /// Reads message 3 and ends the handshake; verify the [`Peer`] before using the [`Keys`].
    ///
    /// # Errors
    /// [`HandshakeError::TooLong`], [`Truncated`](HandshakeError::Truncated),
    /// [`Forged`](HandshakeError::Forged) or [`WeakKey`](HandshakeError::WeakKey), with the state, which waits for another.
    /// After a message whose first part was right, no other verifies: who can make one has the right one, and need not
    /// have passed it on.
    pub(crate) fn read_m3(mut self, m3: &[u8]) -> Result<(Peer, Keys), Box<Unverified<Self>>> {
        let peer = match read(&mut self.noise, M3_OVERHEAD, m3) {
            Ok(peer) => peer,
            Err(error) => return Err(Box::new(Unverified { state: self, error })),
        };
        let secret = self.kem.and_then(|kem| hybrid::find(&peer.payload).and_then(|answer| kem.decapsulate(&answer)));
        let (k1, k2) = split(&mut self.noise, secret.as_ref());
        let keys = Keys { send: k1, receive: k2, hybrid: secret.is_some() };
        Ok((peer, keys))
    }
}

/// A payload that is no proof, or has a fourth element already: a bug.
const INVALID_PROOF: HandshakeError = HandshakeError::Internal(snow::Error::Input);

fn params() -> NoiseParams {
    NoiseParams::new(
        PROTOCOL_NAME.to_owned(),
        BaseChoice::Noise,
        HandshakeChoice { pattern: HandshakePattern::XX, modifiers: HandshakeModifierList { list: Vec::new() } },
        DHChoice::Curve25519,
        CipherChoice::AESGCM,
        HashChoice::SHA256,
    )
}

fn builder(static_key: &StaticKey) -> Result<Builder<'_>, HandshakeError> {
    let builder = Builder::with_resolver(params(), Box::new(AwsLc));
    Ok(builder.local_private_key(static_key.secret())?)
}

fn check_length(length: usize, least: usize) -> Result<(), HandshakeError> {
    if length > MAX_MESSAGE_LEN {
        Err(HandshakeError::TooLong { length })
    } else if length < least {
        Err(HandshakeError::Truncated { length })
    } else {
        Ok(())
    }
}

fn write(noise: &mut HandshakeState, overhead: usize, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let length = overhead.saturating_add(payload.len());
    check_length(length, overhead)?;
    // snow wants room for a tag even after message 1, which has none.
    let mut message = vec![0; length + TAG_LEN];
    let written = noise.write_message(payload, &mut message)?;
    message.truncate(written);
    Ok(message)
}

fn read(noise: &mut HandshakeState, overhead: usize, message: &[u8]) -> Result<Peer, HandshakeError> {
    check_length(message.len(), overhead)?;
    let mut payload = vec![0; message.len() - overhead];
    let length = noise.read_message(message, &mut payload)?;
    payload.truncate(length);
    let static_key = noise
        .get_remote_static()
        .and_then(|key| key.try_into().ok())
        .ok_or(HandshakeError::Internal(snow::Error::Input))?;
    Ok(Peer { static_key, payload })
}

/// The keys of the responder and of the initiator.
fn split(noise: &mut HandshakeState, secret: Option<&KemSecret>) -> (RecordKey, RecordKey) {
    let (k1, k2) = noise.dangerously_get_raw_split();
    let (k1, k2) = (Zeroizing::new(k1), Zeroizing::new(k2));
    match secret {
        Some(secret) => hybrid::keys(&k1, &k2, secret, noise.get_handshake_hash()),
        None => (RecordKey::from_bytes(&k1), RecordKey::from_bytes(&k2)),
    }
}

#[cfg(test)]
mod tests;
