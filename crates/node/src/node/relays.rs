//! Relays of a [`Node`], on either side.

use super::{Node, Result};
use crate::address::Address;
use crate::congestion;
use crate::origin::OriginId;
use crate::relay::{self, Relay, RelayService, RelayServiceOptions};
use crate::route::Route;

impl Node {
    /// Registers a relay at the hub that `hub` leads to: a connection, or a secure channel with the hub.
    ///
    /// Without a name the hub chooses a random one. What others are to reach through the relay must be
    /// [exposed](Self::expose) to the same connection or channel.
    ///
    /// # Errors
    /// [`RelayError`](crate::relay::RelayError), or the first hop of `hub` is not there.
    pub async fn create_relay(&self, hub: impl Into<Route>, name: Option<&str>) -> Result<Relay> {
        let hub = hub.into();
        let connection = hub.front().filter(|_| hub.len() == 1);
        let relay = relay::register(self.core(), hub, name, Address::random()).await?;
        if let Some(connection) = connection {
            // Whether it is answered or not, as for a session.
            let _ = congestion::subscribe(self.core(), &connection);
        }
        Ok(relay)
    }
}

impl RelayService {
    /// Starts the service. It, and every relay, is exposed to the given origins: the hub's listeners.
    ///
    /// # Errors
    /// One of the addresses is taken.
    pub fn start(node: &Node, options: RelayServiceOptions, exposed_to: &[OriginId]) -> Result<()> {
        Ok(relay::start(node.core(), options, exposed_to)?)
    }
}
