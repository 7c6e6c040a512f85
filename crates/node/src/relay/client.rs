//! The node's side: asking a hub for a relay.

use super::error::RelayError;
use super::name::is_valid_name;
use super::registration_reply::RegistrationReply;
use super::{FORWARDING_SERVICE, OWNED_FORWARDING_SERVICE, REGISTER, REGISTER_TIMEOUT, STATIC_FORWARDING_SERVICE};
use crate::address::Address;
use crate::context::{Context, ContextError};
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, OwnedMessage};
use crate::message::Message;
use crate::route::Route;
use crate::router::Endpoint;
use crate::secure_channel::SecureChannel;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use crate::wire::bare;
use bytes::Bytes;
use postern_env::time;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// A relay on a hub that forwards to this node, until the connection or channel to the hub ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    address: Address,
}

impl Relay {
    /// Its address on the hub: what others put into their routes.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Registers, with the confirmation sent to `bearer`: who knows that address may replace the relay later.
pub(crate) async fn register(
    core: &Arc<Core>,
    hub: Route,
    name: Option<&str>,
    bearer: Address,
) -> Result<Relay, RelayError> {
    let (service, text) = match name {
        None => (FORWARDING_SERVICE, REGISTER.to_owned()),
        Some(name) if is_valid_name(name) => (STATIC_FORWARDING_SERVICE, name.to_owned()),
        Some(name) => return Err(RelayError::InvalidName(name.to_owned())),
    };
    let (confirm, confirmed) = oneshot::channel();
    let endpoint =
        PendingRegistration { core: core.clone(), alias: name.map(str::to_owned), confirm: Mutex::new(Some(confirm)) };
    core.router.remove(&bearer);
    let registration = core.router.add_endpoint(bearer.clone(), Arc::new(endpoint))?;
    let source = hub.as_ref().front().and_then(|front| core.router.source_of(front));
    if let Some(source) = &source {
        core.router.expose(&bearer, source.origin);
    }
    let carrier = source.map_or_else(|| core.stopping.clone(), |source| source.carrier.clone());
    let request = OwnedMessage {
        onward: hub.then(service),
        return_route: bearer.clone().into(),
        payload: text.encode(),
        source: None,
        completion: None,
    };
    let asked = async {
        core.router.dispatch_local(request)?.flush_and_wait().await?;
        tokio::select! {
            () = carrier.cancelled() => Err(RelayError::Disconnected),
            confirmed = time::timeout(REGISTER_TIMEOUT, confirmed) => match confirmed {
                Ok(Ok(address)) => Ok(Relay { address }),
                _ => Err(RelayError::NotConfirmed),
            },
        }
    };
    let relay = asked.await;
    if relay.is_err() {
        core.router.release(&bearer, registration);
        return relay;
    }
    // Old hubs keep the address in the relay's route: it stays as long as the relay can.
    let held = core.clone();
    core.spawn(async move {
        tokio::select! {
            () = carrier.cancelled() => {}
            () = held.stopping.cancelled() => {}
        }
        held.router.release(&bearer, registration);
    });
    relay
}

/// Registers a relay that belongs to the identity whose channel with the hub this is.
pub(crate) async fn register_owned(core: &Arc<Core>, channel: &SecureChannel, name: &str) -> Result<Relay, RelayError> {
    if !is_valid_name(name) {
        return Err(RelayError::InvalidName(name.to_owned()));
    }
    let context = Context::open(core, Address::random(), core.stopping.child_token())?;
    let service = Route::from(channel).then(OWNED_FORWARDING_SERVICE);
    let answer = tokio::select! {
        () = channel.cut() => return Err(RelayError::Disconnected),
        answer = context.send_and_receive_within::<Bytes>(REGISTER_TIMEOUT, service, name.to_owned()) => answer,
    };
    let answer = match answer {
        Err(ContextError::Timeout(_)) => None,
        answer => RegistrationReply::read(answer?.body()),
    };
    let address = answer.ok_or(RelayError::NotConfirmed)?.address(name)?;
    Ok(Relay { address: address.into() })
}

/// Waits for the confirmation. Old hubs keep this address in the relay's route, so messages may pass through it.
struct PendingRegistration {
    core: Arc<Core>,
    alias: Option<String>,
    confirm: Mutex<Option<oneshot::Sender<Address>>>,
}

impl Endpoint for PendingRegistration {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let rest = message.onward.rest();
        if rest.len() > 0 {
            let itself = rest.front() == message.onward.front();
            let passed_on = BorrowedMessage { onward: rest, ..message };
            return if itself { Err(Undeliverable::Denied) } else { self.core.router.dispatch(passed_on) };
        }
        let name = bare::read_only_string(message.body.payload()).ok_or(Undeliverable::Malformed)?;
        if self.alias.as_ref().is_some_and(|alias| !name.ends_with(alias.as_str())) {
            return Err(Undeliverable::Malformed);
        }
        let address = message.full_return_route().back().filter(|address| address.kind() == Address::LOCAL);
        let confirm = lock(&self.confirm).take().ok_or(Undeliverable::Closed)?;
        let _ = confirm.send(address.ok_or(Undeliverable::Malformed)?);
        Ok(Delivery::default())
    }
}

impl From<ContextError> for RelayError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Undeliverable(reason) => Self::Unreachable(reason),
            ContextError::Stopped => Self::Stopped,
            ContextError::AddressTaken(taken) => Self::AddressTaken(taken),
            ContextError::Timeout(_) | ContextError::Decode(_) | ContextError::Tcp(_) => Self::NotConfirmed,
        }
    }
}
