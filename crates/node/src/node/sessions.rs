//! Sessions of a [`Node`]: connections, channels and mailboxes that keep themselves up.

use super::{Node, Result};
use crate::address::Address;
use crate::identity::Identity;
use crate::route::Route;
use crate::secure_channel::{ChannelKey, SecureChannelOptions};
use crate::session::{
    self, ChannelSession, CredentialSession, CredentialSource, HubOptions, HubSession, MailboxSession,
};
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

    /// Opens a static route: what is sent to `address` goes on over the connection of `next`, along `beyond` and what remains of its own
    /// route. Lasts as long as the node. It must be [exposed](Self::expose) to those who may use it; they reach everything that the
    /// node at the other end exposes to this one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use postern_node::{Echoer, Node, Route, route};
    ///
    /// let (bob, middle) = (Node::new(), Node::new());
    /// bob.start_worker("echoer", Echoer)?;
    /// let tcp = bob.tcp_listen("127.0.0.1:0").await?;
    /// bob.expose("echoer", &tcp)?;
    /// let connection = middle.keep_connected(tcp.local_addr().to_string(), None);
    /// connection.up().await?;
    /// middle.expose("app", &connection)?;
    /// middle.create_static_route("forward_to_bob", connection, Route::new())?;
    /// let mut context = middle.context_at("app")?;
    /// context.send(route!["forward_to_bob", "echoer"], "hello").await?;
    /// assert_eq!(context.receive::<String>().await?.body(), "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The address is taken.
    pub fn create_static_route(
        &self,
        address: impl Into<Address>,
        next: HubSession,
        beyond: impl Into<Route>,
    ) -> Result<()> {
        Ok(session::open_static_route(self.core(), address.into(), next, beyond.into())?)
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

    /// Keeps a credential of `identity` valid: asks `source` for one, and for another before it expires.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use postern_node::identity::Attributes;
    /// use postern_node::request::{CredentialIssuer, RequestWorker};
    /// use postern_node::session::CredentialSource;
    /// use postern_node::{Address, Node, SecureChannelOptions, route};
    /// use std::time::Duration;
    ///
    /// let (issuers, members) = (Node::new(), Node::new());
    /// let (issuer, member) = (issuers.create_identity().await?, members.create_identity().await?);
    /// let attributes = |_: &_| Some(Attributes::new(1).with("role", "editor"));
    /// let worker = CredentialIssuer::new(issuer.clone(), Duration::from_secs(3600), attributes);
    /// issuers.start_worker("credential_issuer", RequestWorker::new(worker))?;
    /// let options = SecureChannelOptions::trust_only([member.identifier()]);
    /// let channels = issuers.create_secure_channel_listener(&issuer, "api", options).await?;
    /// issuers.expose("credential_issuer", &channels)?;
    /// let tcp = issuers.tcp_listen("127.0.0.1:0").await?;
    /// issuers.expose("api", &tcp)?;
    ///
    /// let source = CredentialSource {
    ///     issuer: issuer.identifier(),
    ///     listener: route![Address::tcp(tcp.local_addr().to_string()), "api"],
    ///     service: "credential_issuer".into(),
    /// };
    /// let session = members.keep_credential(&member, source);
    /// let obtained = session.up().await?;
    /// assert_eq!(obtained.attributes.get("role"), Some(&b"editor"[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep_credential(&self, identity: &Identity, source: CredentialSource) -> CredentialSession {
        session::keep_credential(self.core(), identity, source)
    }
}
