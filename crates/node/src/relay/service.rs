//! The hub's side: registering and forwarding.

use super::{FORWARDING_SERVICE, REGISTER, STATIC_FORWARDING_SERVICE};
use crate::address::{Address, AddressRef};
use crate::delivery::{Delivery, Undeliverable};
use crate::error::Result;
use crate::identity::{Identifier, Timestamp, TrustPolicy};
use crate::message::Message;
use crate::node::{Core, Node};
use crate::route::Route;
use crate::router::{Body, Endpoint, FlowId, Parcel, Source};
use crate::sync::lock;
use crate::wire::bare;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Longest name of a relay, in bytes, prefix included.
pub const MAX_NAME: usize = 128;

/// How a relay service names relays and who reaches them.
#[derive(Debug, Clone, Default)]
pub struct RelayServiceOptions {
    /// Put in front of every name; the command line programs of `ockam` expect `forward_to_`.
    pub prefix: String,
    /// Who may register one. Without a policy everyone may who reaches the service; with one, only peers behind a secure
    /// channel that it accepts.
    pub allow: Option<TrustPolicy>,
}

/// The relay service of a hub, at [`FORWARDING_SERVICE`] and [`STATIC_FORWARDING_SERVICE`].
pub struct RelayService;

impl RelayService {
    /// Starts the service. It, and every relay, is exposed to the given flows: the hub's listeners.
    ///
    /// # Errors
    /// One of the two addresses is taken.
    pub fn start(node: &Node, options: RelayServiceOptions, exposed_to: &[FlowId]) -> Result<()> {
        let table = Arc::new(Table {
            core: node.core().clone(),
            prefix: options.prefix,
            allow: options.allow,
            exposed_to: exposed_to.to_vec(),
            relays: Mutex::default(),
        });
        for (address, named) in [(FORWARDING_SERVICE, false), (STATIC_FORWARDING_SERVICE, true)] {
            let address = Address::from(address);
            table.core.router.add_endpoint(address.clone(), Arc::new(Registrar { table: table.clone(), named }))?;
            for flow in exposed_to {
                table.core.router.open(&address, *flow);
            }
        }
        Ok(())
    }
}

/// Whether a name may be a relay's. Everything else is refused, so that no name needs to be understood.
pub(super) fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/+=".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed)
}

/// All relays of a hub.
struct Table {
    core: Arc<Core>,
    prefix: String,
    allow: Option<TrustPolicy>,
    exposed_to: Vec<FlowId>,
    relays: Mutex<HashMap<Address, Entry>>,
}

struct Entry {
    owner: Owner,
    /// What it was registered over.
    flow: FlowId,
}

/// Who may replace a relay.
#[derive(Clone, PartialEq, Eq)]
enum Owner {
    /// The identity that registered it over a secure channel with the hub.
    Identity(Identifier),
    /// Whoever knows the address that the confirmation went to. Only the hub and the owner ever see it; our client
    /// uses the same one again when it comes back over a new connection.
    Bearer(Address),
}

impl Owner {
    fn of(source: &Source, confirmation: Address) -> Self {
        match &source.peer {
            Some(peer) => Self::Identity(peer.identifier),
            None => Self::Bearer(confirmation),
        }
    }
}

/// One of the service's two addresses.
struct Registrar {
    table: Arc<Table>,
    named: bool,
}

impl Endpoint for Registrar {
    fn deliver(&self, parcel: Parcel<'_>) -> Result<Delivery, Undeliverable> {
        let Some(source) = parcel.source else { return Err(Undeliverable::Denied) };
        let asked = bare::read_only_string(parcel.body.payload()).ok_or(Undeliverable::Malformed)?;
        let alias = match self.named {
            true => asked.to_owned(),
            false if asked == REGISTER => Address::random().to_string(),
            false => return Err(Undeliverable::Malformed),
        };
        self.table.register(&alias, source, parcel.full_return_route(), parcel.depth)
    }
}

impl Table {
    fn register(
        self: &Arc<Self>,
        alias: &str,
        source: &Arc<Source>,
        return_route: Route,
        depth: u8,
    ) -> Result<Delivery, Undeliverable> {
        let name = format!("{}{alias}", self.prefix);
        if alias.is_empty() || !is_valid_name(&name) || return_route.len() < 2 {
            return self.refuse(&name, Undeliverable::Malformed);
        }
        let allowed =
            |policy: &TrustPolicy| source.peer.as_ref().is_some_and(|peer| policy.accepts_peer(peer, Timestamp::now()));
        if !self.allow.as_ref().is_none_or(allowed) {
            return self.refuse(&name, Undeliverable::Denied);
        }
        let confirmation = return_route.back().ok_or(Undeliverable::NoRoute)?;
        let address = Address::from(name.as_str());
        let relay = Arc::new(Forwarding {
            core: self.core.clone(),
            route: return_route.iter().take(return_route.len() - 1).collect(),
            owner: source.clone(),
        });
        let watched = match self.insert(&address, Owner::of(source, confirmation), source.flow, relay) {
            Err(reason) => return self.refuse(&name, reason),
            Ok(previous) => previous == Some(source.flow),
        };
        for flow in &self.exposed_to {
            self.core.router.open(&address, *flow);
        }
        if !watched {
            self.core.tasks.spawn(self.clone().remove_with(address.clone(), source.clone()));
        }
        tracing::debug!(%name, "relay registered");
        let mut confirmed = name.encode().to_vec();
        let confirmed = self.core.router.dispatch(Parcel {
            onward: return_route.as_ref(),
            return_route: Route::from(&address).as_ref(),
            body: Body::exactly(&mut confirmed),
            source: None,
            depth,
        });
        confirmed.map(Delivery::without_waiting)
    }

    /// Puts the relay in its place; the flow of the one that was there before.
    fn insert(
        &self,
        address: &Address,
        owner: Owner,
        flow: FlowId,
        relay: Arc<Forwarding>,
    ) -> Result<Option<FlowId>, Undeliverable> {
        let limits = &self.core.limits;
        let mut relays = lock(&self.relays);
        match relays.get_mut(address) {
            Some(entry) if entry.owner != owner => return Err(Undeliverable::Denied),
            Some(entry) => {
                let previous = std::mem::replace(&mut entry.flow, flow);
                self.core.router.replace(address, relay);
                return Ok(Some(previous));
            }
            None => {}
        }
        let owned = relays.values().filter(|entry| entry.flow == flow || entry.owner == owner).count();
        if relays.len() >= limits.relays || owned >= limits.relays_per_owner {
            return Err(Undeliverable::Full);
        }
        // A name that something else in this node has is refused here.
        self.core.router.add_endpoint(address.clone(), relay).map_err(|_| Undeliverable::Denied)?;
        relays.insert(address.clone(), Entry { owner, flow });
        self.core.stats.relays.add(1);
        Ok(None)
    }

    fn refuse(&self, name: &str, reason: Undeliverable) -> Result<Delivery, Undeliverable> {
        self.core.stats.refused.add(1);
        let start: String = name.chars().take(MAX_NAME).collect();
        tracing::debug!(name = %start.escape_debug(), %reason, "relay refused");
        Err(reason)
    }

    /// Removes the relay when what it was registered over ends, unless its owner has come back over something else.
    async fn remove_with(self: Arc<Self>, address: Address, source: Arc<Source>) {
        tokio::select! {
            () = source.ended.cancelled() => {}
            () = self.core.stopping.cancelled() => return,
        }
        let mut relays = lock(&self.relays);
        if relays.get(&address).is_some_and(|entry| entry.flow == source.flow) {
            relays.remove(&address);
            self.core.router.remove(&address);
            self.core.stats.relays.sub(1);
        }
    }
}

/// A relay: passes messages on to its owner.
struct Forwarding {
    core: Arc<Core>,
    /// To the owner's node, without the address that the confirmation went to.
    route: Route,
    owner: Arc<Source>,
}

impl Endpoint for Forwarding {
    fn deliver(&self, parcel: Parcel<'_>) -> Result<Delivery, Undeliverable> {
        let rest = parcel.onward.rest();
        if rest.len() == 0 {
            return Err(Undeliverable::NoRoute);
        }
        self.introduce(parcel.source, self.route.as_ref().front());
        self.core.stats.relayed.add(1);
        let mut onward = self.route.clone();
        onward.append(&rest.behind(None));
        self.core.router.dispatch(Parcel { onward: onward.as_ref(), ..parcel })
    }
}

impl Forwarding {
    /// Lets the two sides send to each other's connections from now on, as they will (`docs/wire.md` §8.2), until
    /// either connection ends.
    fn introduce(&self, source: Option<&Arc<Source>>, next: Option<AddressRef<'_>>) {
        let (Some(source), Some(next)) = (source, next) else { return };
        self.core.router.open(&next.into(), source.flow);
        self.core.router.open(&source.sender, self.owner.flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        for name in ["bob", "forward_to_bob", "a.b-c:d/e+f=", &"x".repeat(MAX_NAME)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", "a#b", "0#bob", "a b", "ö", "a\nb", "a\0", &"x".repeat(MAX_NAME + 1)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
