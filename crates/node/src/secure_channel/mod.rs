//! Secure channels (`docs/wire.md` §7): mutually authenticated, end-to-end encrypted, over any route.
//!
//! ```text
//! initiator                                      responder (behind a listener)
//!   m1 ── e ───────────────────────────────────────►  HandshakeEndpoint   makes one PendingResponder per handshake
//!   PendingInitiator ◄──────── e, ee, s, es, proof ── m2
//!   m3 ── s, se, proof ────────────────────────────►  PendingResponder
//!   Encryptor ══ records ══════════════════════════►  Decryptor ─► worker, portal, another channel
//!   Decryptor ◄══════════════════════════ records ══  Encryptor
//! ```
//!
//! A handshake runs on the task that reads its messages: it needs no task of its own, so an unfinished one costs
//! a few hundred bytes until it times out. The static key is made by the listener or the initiator and attested by
//! its identity; who the peer is, is decided before the last message is written or believed.

mod channel;
mod channel_key;
mod decryptor;
mod encryptor;
mod error;
mod handle;
mod handshake;
mod initiator;
mod listener;
mod options;
mod plaintext;
pub(crate) mod record;

pub(crate) use channel_key::ChannelKey;
pub use error::ChannelError;
pub use handle::SecureChannel;
pub use handshake::HandshakeError;
pub(crate) use initiator::{open, open_with};
pub(crate) use listener::listen;
pub use listener::{ROUTE_GRACE, SILENCE_TIMEOUT, SecureChannelListener};
pub use options::{HANDSHAKE_TIMEOUT, SecureChannelOptions};
pub use record::{REKEY_INTERVAL, REPLAY_WINDOW};
