//! Subscribing, at either end.

use super::notice::{CONGESTION_SERVICE, Notice};
use super::receive::on_mark;
use super::state::HopWindows;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{OriginId, Source};
use crate::route::Route;
use crate::router::{AddressTaken, Endpoint};
use crate::undeliverable::Undeliverable;
use std::sync::Arc;

/// Starts the service in a node, exposed to the given origins.
pub(crate) fn start(core: &Arc<Core>, exposed_to: &[OriginId]) -> Result<(), AddressTaken> {
    let address = Address::from(CONGESTION_SERVICE);
    let service = Notices { core: core.clone(), address: address.clone(), accepts: Accepts::Subscriptions };
    core.router.add_endpoint(address.clone(), Arc::new(service))?;
    for origin in exposed_to {
        core.router.expose(&address, *origin);
    }
    Ok(())
}

/// Asks the other end of a connection for notices. It need not answer; until it does, and when it never does, the connection is
/// as any other.
pub(crate) fn subscribe(core: &Arc<Core>, connection: &Address) -> Result<(), Undeliverable> {
    let source = core.router.source_of(connection.as_ref()).filter(|source| source.peer.is_none());
    let Some(source) = source.filter(|source| source.windows.get().is_none()) else { return Ok(()) };
    let address = Address::random();
    let answers = Notices { core: core.clone(), address: address.clone(), accepts: Accepts::Answer(source.origin) };
    if core.router.add_endpoint(address.clone(), Arc::new(answers)).is_err() {
        return Ok(());
    }
    core.router.expose(&address, source.origin);
    let service = Route::from(connection).then(CONGESTION_SERVICE);
    let asked = send(core, &service, &address, &Notice::Subscribe);
    let (held, ended) = (core.clone(), source.ended.clone());
    core.spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = held.stopping.cancelled() => {}
        }
        held.router.remove(&address);
    });
    asked.map(drop)
}

fn send(core: &Core, onward: &Route, from: &Address, notice: &Notice) -> Result<Delivery, Undeliverable> {
    let return_route = Route::from(from);
    let sent = core.router.dispatch(BorrowedMessage {
        onward: onward.as_ref(),
        return_route: return_route.as_ref(),
        body: PayloadBuf::exactly(&mut notice.encode()),
        source: None,
        depth: 1,
        completion: None,
    });
    sent.map(Delivery::ignoring_backpressure)
}

/// Takes the notices of connections.
struct Notices {
    core: Arc<Core>,
    address: Address,
    accepts: Accepts,
}

/// What begins the notices of a connection.
enum Accepts {
    /// Any connection may ask.
    Subscriptions,
    /// This one was asked.
    Answer(OriginId),
}

impl Endpoint for Notices {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        // From the other end of the connection itself, and not from what others sent over it.
        let source = message.source.filter(|source| source.peer.is_none()).ok_or(Undeliverable::Denied)?;
        if message.onward.len() != 1 || message.return_route.len() > 1 {
            return Err(Undeliverable::Denied);
        }
        let notice = Notice::read(message.body.payload()).ok_or(Undeliverable::Malformed)?;
        match (notice, &self.accepts) {
            (Notice::Subscribe, Accepts::Subscriptions) => {
                let (windows, back) = self.windows_of(source, &message)?;
                // Its notices are taken as long as it lasts, also when the listener that accepted it was closed meanwhile.
                self.core.router.expose(&self.address, source.origin);
                // The answer leaves before any other notice does.
                windows.in_order(|| {
                    source.windows.set(windows.clone()).map_err(|_| Undeliverable::Denied)?;
                    send(&self.core, &back, &self.address, &Notice::Subscribed)
                })
            }
            (Notice::Subscribed, Accepts::Answer(asked)) if *asked == source.origin => {
                let (windows, _) = self.windows_of(source, &message)?;
                source.windows.set(windows).map_err(|_| Undeliverable::Denied)?;
                Ok(Delivery::default())
            }
            (notice, _) => {
                let windows = source.windows.get().ok_or(Undeliverable::Denied)?;
                match notice {
                    Notice::Mark { hop, position } => on_mark(&self.core, source, windows, hop, position),
                    Notice::Confirmed { hop, position } => windows.on_confirmed(&hop, position),
                    Notice::Congestion { hop, congested } => windows.on_congestion(hop, congested),
                    Notice::Subscribe | Notice::Subscribed => return Err(Undeliverable::Denied),
                }
                Ok(Delivery::default())
            }
        }
    }
}

impl Notices {
    /// What a connection whose notices begin knows: nothing yet; and where its other end takes them.
    fn windows_of(
        &self,
        source: &Source,
        message: &BorrowedMessage<'_>,
    ) -> Result<(Arc<HopWindows>, Route), Undeliverable> {
        let back = message.full_return_route();
        if back.len() != 2 {
            return Err(Undeliverable::Malformed);
        }
        let has_asked = matches!(self.accepts, Accepts::Answer(_));
        Ok((Arc::new(HopWindows::new(back.clone(), source.ended.clone(), has_asked)), back))
    }
}
