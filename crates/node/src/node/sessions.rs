//! Sessions of a [`Node`]: connections, channels and mailboxes that keep themselves up.

use super::{Node, Result};
use crate::identity::Identity;
use crate::route::Route;
use crate::secure_channel::{ChannelKey, SecureChannelOptions};
use crate::session::{self, ChannelSession, HubOptions, HubSession, MailboxSession};
use crate::tcp::Target;
use std::sync::Arc;

impl Node {
    /// Keeps a connection to the hub at `host:port`, and a relay of that name there. The hub may be any that speaks the
    /// protocol of `ockam`; the relay belongs to whoever can read this connection.
    pub fn keep_connected(&self, hub: impl Into<Target>, relay: Option<String>) -> HubSession {
        session::keep_hub(self.core(), hub.into(), relay, None)
    }

    /// Keeps a connection to the hub at `host:port` with a secure channel to the hub itself, as `identity`, and a relay
    /// that belongs to it. The hub must be one of Postern's.
    ///
    /// # Errors
    /// The vault refuses to attest the channel's key.
    pub async fn keep_connected_as(
        &self,
        identity: &Identity,
        hub: impl Into<Target>,
        options: HubOptions,
    ) -> Result<HubSession> {
        let key = Arc::new(ChannelKey::create(identity, Vec::new()).await?);
        let trust = Arc::new(SecureChannelOptions::trust(options.trust));
        Ok(session::keep_hub(self.core(), hub.into(), options.relay, Some((key, trust))))
    }

    /// Keeps a secure channel, as `identity`, to the listener that `route` ends at, through a kept connection.
    ///
    /// The route begins behind the connection: `route!["bob", "listener"]`.
    ///
    /// # Errors
    /// The vault refuses to attest the channel's key.
    pub async fn keep_channel(
        &self,
        hub: &HubSession,
        identity: &Identity,
        route: impl Into<Route>,
        options: SecureChannelOptions,
    ) -> Result<ChannelSession> {
        Ok(session::keep_channel(self.core(), hub, identity, route.into(), options).await?)
    }

    /// Keeps the mailbox subscribed of the identity which `hub` is kept as
    /// ([`keep_connected_as`](Node::keep_connected_as)).
    pub fn keep_mailbox(&self, hub: &HubSession) -> MailboxSession {
        session::keep_mailbox(self.core(), hub)
    }
}
