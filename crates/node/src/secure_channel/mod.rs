//! Secure channels (`docs/wire.md` §7): mutually authenticated, end-to-end encrypted, over any route.
//!
//! ```text
//! initiator                                   responder (behind a listener)
//!   m1 ── e ────────────────────────────────────►  HandshakeEndpoint   makes one PendingResponder per handshake
//!   PendingInitiator ◄──────────── e, ee, s, es, proof ── m2
//!   m3 ── s, se, proof ─────────────────────────►  PendingResponder
//!   Encryptor ══ records ═══════════════════════►  Decryptor ─► worker, portal, another channel
//!   Decryptor ◄═══════════════════════ records ══  Encryptor
//! ```
//!
//! A handshake runs on the task that reads its messages: it needs no task of its own, so an unfinished one costs
//! a few hundred bytes until it times out. The static key is made by the listener or the initiator and attested by
//! its identity; who the peer is, is decided before the last message is written or believed.

mod channel;
mod channel_key;
mod crypto;
mod handshake;
mod initiator;
mod listener;
mod plaintext;
mod record;

pub(crate) use channel_key::ChannelKey;
pub(crate) use crypto::{AwsLc, KEY_LEN, StaticKey, TAG_LEN};
pub use handshake::HandshakeError;
pub(crate) use initiator::open_with;
pub use listener::{ROUTE_GRACE, SILENCE_TIMEOUT, SecureChannelListener};
pub(crate) use record::{Opener, RecordKey, Sealer};
pub use record::{REKEY_INTERVAL, REPLAY_WINDOW};

use crate::address::Address;
use crate::delivery::Undeliverable;
use crate::error::Result;
use crate::identity::{
    CredentialAndPurposeKey, CredentialRefresh, Error as IdentityError, Identifier, Identity, TrustPolicy, VerifiedPeer,
};
use crate::node::Node;
use crate::route::Route;
use crate::router::{Origin, OriginId};
use channel::Channel;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long a handshake may take, on either side, unless [`SecureChannelOptions::timeout`] says otherwise.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a secure channel was not opened, or is no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer did not answer, or is not there.
    #[error("no answer from the other side within {} seconds: is it running, and is the route right?", .0.as_secs())]
    Timeout(Duration),
    /// The first hop of the route could not be reached.
    #[error("cannot reach the other side: {0}")]
    Unreachable(#[from] Undeliverable),
    /// The cryptographic handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The peer is not who it says, or not one that is trusted.
    #[error("the other side was refused: {0}")]
    Identity(#[from] IdentityError),
    /// The peer gave no way back.
    #[error("the other side gave no way back")]
    NoRoute,
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// A fresh random address was taken.
    #[error("a random address was already in use")]
    AddressInUse,
    /// It was closed meanwhile.
    #[error("the channel was closed")]
    Closed,
}

/// What to accept and to present when a channel is opened or accepted.
#[derive(Clone)]
pub struct SecureChannelOptions {
    /// Who may be at the other end.
    pub trust: TrustPolicy,
    /// Whose credentials count. Their histories must be known to the node.
    pub authorities: BTreeSet<Identifier>,
    /// What to present about ourselves.
    pub credentials: Vec<CredentialAndPurposeKey>,
    /// How long the initiator waits for the handshake.
    pub timeout: Duration,
}

impl SecureChannelOptions {
    /// Whoever is at the other end is accepted; what they may do is decided behind.
    pub fn trust_anyone() -> Self {
        Self::trust(TrustPolicy::Anyone)
    }

    /// Only these are accepted at the other end.
    pub fn trust_only(identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        Self::trust(TrustPolicy::only(identifiers))
    }

    /// Those are accepted that the policy accepts.
    pub fn trust(trust: TrustPolicy) -> Self {
        Self { trust, authorities: BTreeSet::new(), credentials: Vec::new(), timeout: HANDSHAKE_TIMEOUT }
    }
}

/// An open secure channel. As a hop of a [`Route`] it is the way through it.
///
/// Clones are handles to the same channel; dropping them leaves it open.
#[derive(Clone)]
pub struct SecureChannel(Arc<Channel>);

impl SecureChannel {
    fn new(channel: Arc<Channel>) -> Self {
        Self(channel)
    }

    /// The address that sends through the channel.
    pub fn address(&self) -> &Address {
        self.0.encryptor()
    }

    /// Who is at the other end, and what is known about them now.
    pub fn peer(&self) -> Arc<VerifiedPeer> {
        self.0.peer()
    }

    /// How long nothing was heard from the other end.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.0.silence_ms())
    }

    /// Presents new credentials to the other end.
    ///
    /// # Errors
    /// When they are too many, or the channel's connection is gone.
    pub fn refresh(&self, identity: &Identity, credentials: Vec<CredentialAndPurposeKey>) -> Result<()> {
        Ok(self.0.refresh(&CredentialRefresh::new(identity, credentials)?)?)
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.0.ended().is_cancelled()
    }

    /// Waits until the channel ends.
    pub async fn closed(&self) {
        self.0.ended().cancelled_owned().await;
    }

    /// Whether the connection that carries it has ended.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.is_cut()
    }

    /// Waits until the channel ends or the connection that carries it does.
    pub(crate) async fn cut(&self) {
        let source = self.0.source();
        tokio::select! {
            () = source.ended.cancelled() => {}
            () = source.carrier.cancelled() => {}
        }
    }

    /// Tells the other end and ends the channel.
    pub fn close(&self) {
        self.0.close();
    }
}

impl From<&SecureChannel> for Address {
    fn from(channel: &SecureChannel) -> Self {
        channel.address().clone()
    }
}

impl Origin for SecureChannel {
    fn origin(&self) -> OriginId {
        self.0.source().origin
    }
}

impl Node {
    /// Opens a secure channel, as `identity`, to the listener that the route ends at.
    ///
    /// # Errors
    /// [`ChannelError`]: no answer, a peer that is refused, or no such first hop.
    pub async fn create_secure_channel(
        &self,
        identity: &Identity,
        route: impl Into<Route>,
        options: SecureChannelOptions,
    ) -> Result<SecureChannel> {
        Ok(initiator::open(self.core(), identity, route.into(), options).await?)
    }

    /// Accepts secure channels, as `identity`, at an address.
    ///
    /// The address must be [exposed](Self::expose) to the connections that handshakes come over, and whatever is
    /// to be reached through the channels to the listener.
    ///
    /// # Errors
    /// The address is taken, or the vault refuses to attest the channel's key.
    pub async fn create_secure_channel_listener(
        &self,
        identity: &Identity,
        address: impl Into<Address>,
        options: SecureChannelOptions,
    ) -> Result<SecureChannelListener> {
        listener::listen(self.core(), identity, address.into(), options).await
    }
}
