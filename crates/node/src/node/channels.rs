//! Secure channels of a [`Node`].

use super::{Node, Result};
use crate::address::Address;
use crate::identity::Identity;
use crate::route::Route;
use crate::secure_channel::{self, SecureChannel, SecureChannelListener, SecureChannelOptions};
use crate::tcp;

impl Node {
    /// Opens a secure channel, as `identity`, to the listener that the route ends at.
    ///
    /// # Errors
    /// [`ChannelError`](crate::secure_channel::ChannelError): no answer, a peer that is refused, or no such first hop.
    pub async fn create_secure_channel(
        &self,
        identity: &Identity,
        route: impl Into<Route>,
        options: SecureChannelOptions,
    ) -> Result<SecureChannel> {
        let route = tcp::connect_hop(self.core(), route.into()).await?;
        Ok(secure_channel::open(self.core(), identity, route, options).await?)
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
        Ok(secure_channel::listen(self.core(), identity, address.into(), options).await?)
    }
}
