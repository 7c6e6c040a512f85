//! A static route: an address of this node that leads to another node, over a connection that is kept.
//!
//! ```text
//! sender ═► address ─► connection of the session ═► the other node        answers: straight to the sender's connection
//! ```
//!
//! While there is no connection, messages are dropped and counted, as those to an address that does not exist are.

use super::hub::HubSession;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::BorrowedMessage;
use crate::origin::Origin;
use crate::route::Route;
use crate::router::{AddressTaken, Endpoint};
use crate::undeliverable::Undeliverable;
use std::sync::Arc;

/// Opens a static route, which lasts as long as the node.
pub(crate) fn open(core: &Arc<Core>, address: Address, next: HubSession, beyond: Route) -> Result<(), AddressTaken> {
    core.router.add_endpoint(address, Arc::new(StaticRoute { core: core.clone(), next, beyond }))?;
    Ok(())
}

struct StaticRoute {
    core: Arc<Core>,
    next: HubSession,
    /// From the other node on, in front of what remains of each message's route.
    beyond: Route,
}

impl Endpoint for StaticRoute {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let rest = message.onward.rest();
        if rest.len() == 0 && self.beyond.is_empty() {
            return Err(Undeliverable::NoRoute);
        }
        let state = self.next.state();
        let connection = Address::from(&state.up().ok_or(Undeliverable::Closed)?.connection);
        // Both sides send to each other's connections from now on (`docs/wire.md` §8.2), until either ends.
        if let Some(source) = message.source {
            self.core.router.expose(&connection, source.origin);
            self.core.router.expose(&source.sender, self.next.origin());
        }
        self.core.stats.relayed.add(1);
        let mut onward = Route::from(connection);
        onward.append(&self.beyond);
        onward.append(&rest.behind(None));
        self.core.router.dispatch(BorrowedMessage { onward: onward.as_ref(), ..message })
    }
}
