//! The hub's side: registering and forwarding.

use super::name::{MAX_NAME, is_valid_name};
use super::registration_reply::RegistrationReply;
use super::superseded::{UNUSED_AFTER, end_when_unused};
use super::table::{Entry, Owner, RelayBinding, Relays};
use super::{FORWARDING_SERVICE, OWNED_FORWARDING_SERVICE, REGISTER, STATIC_FORWARDING_SERVICE};
use crate::address::{Address, AddressRef};
use crate::congestion;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::{Identifier, Timestamp, TrustPolicy};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::message::Message;
use crate::origin::{OriginId, Source};
use crate::route::Route;
use crate::router::{AddressTaken, Endpoint};
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use crate::wire::bare;
use postern_env::time::Duration;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Owners that one connection reaches through relays at once. Each is a pair of entries in the routing table, about 250
/// bytes; a person has fewer friends who share with them.
pub(super) const INTRODUCTIONS_MAX: usize = 256;

/// How a relay service names relays and who reaches them.
#[derive(Debug, Clone, Default)]
pub struct RelayServiceOptions {
    /// Put in front of every name; the command line programs of `ockam` expect `forward_to_`.
    pub prefix: String,
    /// Who may register one. Without a policy everyone may who reaches the service; with one, only peers behind a secure
    /// channel that it accepts.
    pub allow: Option<TrustPolicy>,
    /// Whether a name that is an identifier is free like any other. Only for a node that accepts no secure channels, where
    /// nobody can show who they are; elsewhere such a name is that identity's alone.
    pub identifiers_are_free: bool,
}

/// The relay service of a hub, at [`FORWARDING_SERVICE`], [`STATIC_FORWARDING_SERVICE`] and
/// [`OWNED_FORWARDING_SERVICE`].
pub struct RelayService;

/// Starts the service in a node, exposed to the given origins.
pub(crate) fn start(
    core: &Arc<Core>,
    options: RelayServiceOptions,
    exposed_to: &[OriginId],
) -> Result<(), AddressTaken> {
    start_with(core, options, exposed_to, UNUSED_AFTER)
}

pub(super) fn start_with(
    core: &Arc<Core>,
    options: RelayServiceOptions,
    exposed_to: &[OriginId],
    unused_after: Duration,
) -> Result<(), AddressTaken> {
    congestion::start(core, exposed_to)?;
    let table = Arc::new(RelayTable {
        core: core.clone(),
        prefix: options.prefix,
        allow: options.allow,
        identifiers_are_free: options.identifiers_are_free,
        exposed_to: exposed_to.to_vec(),
        unused_after,
        relays: Mutex::default(),
    });
    let services = [
        (FORWARDING_SERVICE, Kind::Random),
        (STATIC_FORWARDING_SERVICE, Kind::Named),
        (OWNED_FORWARDING_SERVICE, Kind::Owned),
    ];
    for (address, kind) in services {
        let address = Address::from(address);
        core.router.add_endpoint(address.clone(), Arc::new(Registrar { table: table.clone(), kind }))?;
        for origin in exposed_to {
            core.router.expose(&address, *origin);
        }
    }
    Ok(())
}

/// All relays of a hub.
struct RelayTable {
    core: Arc<Core>,
    prefix: String,
    allow: Option<TrustPolicy>,
    identifiers_are_free: bool,
    exposed_to: Vec<OriginId>,
    unused_after: Duration,
    relays: Mutex<Relays>,
}

/// One of the service's addresses.
struct Registrar {
    table: Arc<RelayTable>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Random,
    Named,
    /// Named, of an identity, and forwarding over the connection beneath its channel.
    Owned,
}

impl Endpoint for Registrar {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let Some(source) = message.source else { return Err(Undeliverable::Denied) };
        let asked = bare::read_only_string(message.body.payload()).ok_or(Undeliverable::Malformed)?;
        let (back, depth) = (message.full_return_route(), message.depth);
        match self.kind {
            Kind::Random if asked == REGISTER => {
                self.table.register(&Address::random().to_string(), source, back, depth)
            }
            Kind::Random => Err(Undeliverable::Malformed),
            Kind::Named => self.table.register(asked, source, back, depth),
            Kind::Owned => self.table.register_owned(asked, source, back, depth),
        }
    }
}

/// What a relay is to be.
struct Registration {
    owner: Owner,
    /// To the owner's node.
    route: Route,
    /// Where the owner's messages come from. The relay ends with it.
    through: Arc<Source>,
}

impl RelayTable {
    fn register(
        self: &Arc<Self>,
        alias: &str,
        source: &Arc<Source>,
        return_route: Route,
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        let confirmation = return_route.back().filter(|_| return_route.len() >= 2).ok_or(Undeliverable::Malformed)?;
        let registration = Registration {
            owner: Owner::of(source, confirmation),
            // Without the address that the confirmation went to.
            route: return_route.iter().take(return_route.len() - 1).collect(),
            through: source.clone(),
        };
        let name = self.place(alias, registration, source)?;
        self.answer(&return_route, Route::from(name.as_str()), &mut name.encode().to_vec(), depth)
    }

    /// Registers for an identity, and answers with the outcome.
    fn register_owned(
        self: &Arc<Self>,
        alias: &str,
        source: &Arc<Source>,
        return_route: Route,
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        let peer = source.peer.as_ref().ok_or(Undeliverable::Denied)?;
        let connection =
            source.carrier_address.as_ref().and_then(|address| self.core.router.source_of(address.as_ref()));
        let connection = connection.ok_or(Undeliverable::Denied)?;
        let registration = Registration {
            owner: Owner::Identity(peer.identifier),
            route: Route::from(&connection.sender),
            through: connection,
        };
        // Only Postern's nodes know this service; they share the connection with everybody who uses the relay.
        registration.through.flow_controlled.store(true, Ordering::Relaxed);
        let answer = match self.place(alias, registration, source) {
            Ok(name) => RegistrationReply::Registered(name),
            Err(Undeliverable::Denied) => RegistrationReply::Taken,
            Err(Undeliverable::Full) => RegistrationReply::Full,
            Err(_) => RegistrationReply::Invalid,
        };
        self.answer(&return_route, Route::new(), &mut answer.encode(), depth)
    }

    fn answer(
        &self,
        onward: &Route,
        return_route: Route,
        payload: &mut [u8],
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        let answered = self.core.router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: return_route.as_ref(),
            body: PayloadBuf::exactly(payload),
            source: None,
            depth,
            completion: None,
        });
        answered.map(Delivery::ignoring_backpressure)
    }

    /// Makes the relay, until what it goes through ends or what it was asked over does; its name on this hub.
    fn place(
        self: &Arc<Self>,
        alias: &str,
        registration: Registration,
        asked: &Arc<Source>,
    ) -> Result<String, Undeliverable> {
        let name = format!("{}{alias}", self.prefix);
        if alias.is_empty() || !is_valid_name(&name) {
            return self.refuse(&name, Undeliverable::Malformed);
        }
        let allowed =
            |policy: &TrustPolicy| asked.peer.as_ref().is_some_and(|peer| policy.accepts_peer(peer, Timestamp::now()));
        if !self.allow.as_ref().is_none_or(allowed) {
            return self.refuse(&name, Undeliverable::Denied);
        }
        let Registration { owner, route, through } = registration;
        if !self.identifiers_are_free && !may_have(alias, &owner) {
            return self.refuse(&name, Undeliverable::Denied);
        }
        let address = Address::from(name.as_str());
        let relay = Arc::new(Forwarder { core: self.core.clone(), route, owner: through.clone() });
        let binding = RelayBinding { through: through.origin, asked: asked.origin };
        let entry = Entry::new(owner, binding, &through, asked.address);
        let previous = match self.insert(&address, entry, relay) {
            Err(reason) => return self.refuse(&name, reason),
            Ok(previous) => previous,
        };
        let watched = previous.as_ref().is_some_and(|previous| previous.binding == binding);
        if let Some(connection) = previous.and_then(|previous| previous.connection) {
            self.end_superseded(connection);
        }
        for origin in &self.exposed_to {
            self.core.router.expose(&address, *origin);
        }
        asked.in_use.store(true, Ordering::Relaxed);
        if !watched {
            let (through, asked) = (through.ended.clone(), asked.ended.clone());
            self.core.spawn(self.clone().remove_when_ended(address, binding, through, asked));
        }
        tracing::debug!(%name, "relay registered");
        Ok(name)
    }

    /// Ends the connection that a relay was registered over before, once nobody uses it.
    fn end_superseded(self: &Arc<Self>, connection: Address) {
        if self.is_bound(&connection) {
            return;
        }
        let (table, source) = (self.clone(), self.core.router.source_of(connection.as_ref()));
        let Some(source) = source else { return };
        self.core.spawn(async move {
            let stopping = table.core.stopping.clone();
            let unused = end_when_unused(&source, table.unused_after, || table.is_bound(&connection));
            stopping.run_until_cancelled(unused).await;
        });
    }

    /// Whether a relay forwards over this connection.
    fn is_bound(&self, connection: &Address) -> bool {
        lock(&self.relays).is_bound(connection)
    }

    /// Puts the relay in its place; what was there before.
    fn insert(&self, address: &Address, new: Entry, relay: Arc<Forwarder>) -> Result<Option<Entry>, Undeliverable> {
        let mut relays = lock(&self.relays);
        if let Some(existing) = relays.get(address) {
            if existing.owner != new.owner {
                return Err(Undeliverable::Denied);
            }
            let previous = relays.remove(address);
            relays.insert(address.clone(), new);
            self.core.router.replace(address, relay);
            return Ok(previous);
        }
        if !relays.has_room_for(&new, &self.core.limits) {
            return Err(Undeliverable::Full);
        }
        // A name that something else in this node has is refused here.
        self.core.router.add_endpoint(address.clone(), relay).map_err(|_| Undeliverable::Denied)?;
        relays.insert(address.clone(), new);
        self.core.stats.relays.add(1);
        Ok(None)
    }

    fn refuse<T>(&self, name: &str, reason: Undeliverable) -> Result<T, Undeliverable> {
        self.core.stats.refused.add(1);
        let start: String = name.chars().take(MAX_NAME).collect();
        tracing::debug!(name = %start.escape_debug(), %reason, "relay refused");
        Err(reason)
    }

    /// Removes the relay when what it was registered over ends, unless its owner has come back over something else.
    async fn remove_when_ended(
        self: Arc<Self>,
        address: Address,
        binding: RelayBinding,
        through: CancellationToken,
        asked: CancellationToken,
    ) {
        tokio::select! {
            () = through.cancelled() => {}
            () = asked.cancelled() => {}
            () = self.core.stopping.cancelled() => return,
        }
        let mut relays = lock(&self.relays);
        if relays.get(&address).is_some_and(|entry| entry.binding == binding) {
            relays.remove(&address);
            self.core.router.remove(&address);
            self.core.stats.relays.sub(1);
        }
    }
}

/// Whether an owner may have the name: one that is an identifier belongs to that identity, whoever asks first, and always.
fn may_have(alias: &str, owner: &Owner) -> bool {
    alias.parse::<Identifier>().map_or(true, |identifier| *owner == Owner::Identity(identifier))
}

/// A relay: passes messages on to its owner.
struct Forwarder {
    core: Arc<Core>,
    /// To the owner's node.
    route: Route,
    owner: Arc<Source>,
}

impl Endpoint for Forwarder {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let rest = message.onward.rest();
        if rest.len() == 0 {
            return Err(Undeliverable::NoRoute);
        }
        self.expose_both_ways(message.source, self.route.as_ref().front())?;
        self.core.stats.relayed.add(1);
        let mut onward = self.route.clone();
        onward.append(&rest.behind(None));
        self.core.router.dispatch(BorrowedMessage { onward: onward.as_ref(), ..message })
    }

    fn gate(&self, sender: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        self.core.router.gate_of(self.route.as_ref().front()?, None, sender)
    }
}

impl Forwarder {
    /// Lets the two sides send to each other's connections from now on, as they will (`docs/wire.md` §8.2), until
    /// either connection ends. Each such pair takes memory, so a connection has a limited number that it asked for. Those
    /// that others asked for do not count, or many friends would keep an owner from its own owners.
    fn expose_both_ways(
        &self,
        source: Option<&Arc<Source>>,
        next: Option<AddressRef<'_>>,
    ) -> Result<(), Undeliverable> {
        let (Some(source), Some(next)) = (source, next) else { return Ok(()) };
        let (router, next) = (&self.core.router, Address::from(next));
        if !router.is_exposed(&next, source.origin) {
            let mut introduced_to = lock(&source.introduced_to);
            if introduced_to.len() >= INTRODUCTIONS_MAX {
                introduced_to.retain(|owner| router.is_exposed(owner, source.origin));
            }
            if introduced_to.len() >= INTRODUCTIONS_MAX {
                self.core.stats.refused.add(1);
                return Err(Undeliverable::Full);
            }
            introduced_to.push(next.clone());
            router.expose(&next, source.origin);
        }
        router.expose(&source.sender, self.owner.origin);
        Ok(())
    }
}
