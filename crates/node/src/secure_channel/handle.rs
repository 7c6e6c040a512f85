//! The handle of an open secure channel.

use super::channel::Channel;
use super::error::ChannelError;
use crate::address::Address;
use crate::identity::{CredentialAndPurposeKey, CredentialRefresh, Identity, VerifiedPeer};
use crate::origin::{Origin, OriginId};
use crate::sync::lock;
use postern_env::time::Duration;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An open secure channel. As a hop of a [`Route`](crate::Route) it is the way through it.
///
/// Clones are handles to the same channel; dropping them leaves it open.
#[derive(Clone)]
pub struct SecureChannel(Arc<Channel>);

impl SecureChannel {
    pub(super) fn new(channel: Arc<Channel>) -> Self {
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

    /// Whether recordings of it stay secret from quantum computers, as far as is known: its keys come from X25519 and ML-KEM-768
    /// (`docs/wire.md §7.7`). True between two nodes of this version, false with an older one or one on `ockam`.
    pub fn is_hybrid(&self) -> bool {
        self.0.hybrid
    }

    /// Presents new credentials to the other end.
    ///
    /// # Errors
    /// When they are too many, or the channel's connection is gone.
    pub fn refresh(&self, identity: &Identity, credentials: Vec<CredentialAndPurposeKey>) -> Result<(), ChannelError> {
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

    /// Cancelled when it ends.
    pub(crate) fn end(&self) -> CancellationToken {
        self.0.ended()
    }

    /// The address that the other end takes records at.
    pub(crate) fn peer_address(&self) -> Address {
        lock(&self.0.opening).peer_decryptor.clone()
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
