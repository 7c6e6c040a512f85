//! The relays of a hub: whose each is, what it ends with, and how many everybody has.
//!
//! A registration looks up counts; it never goes through the table.

use crate::address::Address;
use crate::core::Limits;
use crate::identity::Identifier;
use crate::origin::{OriginId, Source, SourceAddress};
use std::collections::HashMap;
use std::hash::Hash;

/// One relay.
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) binding: RelayBinding,
    /// Where the registration came from.
    pub(super) address: Option<SourceAddress>,
    /// The connection beneath what it forwards over.
    pub(super) connection: Option<Address>,
}

impl Entry {
    pub(super) fn new(owner: Owner, binding: RelayBinding, through: &Source, address: Option<SourceAddress>) -> Self {
        let connection = match through.peer {
            Some(_) => through.carrier_address.clone(),
            None => Some(through.sender.clone()),
        };
        Self { owner, binding, address, connection }
    }
}

/// What a relay ends with: the connection or channel that it forwards over, and the one that it was registered over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayBinding {
    pub(super) through: OriginId,
    pub(super) asked: OriginId,
}

/// Who may replace a relay.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The identity that registered it over a secure channel with the hub.
    Identity(Identifier),
    /// Whoever knows the address that the confirmation went to. Only the hub and the owner ever see it; our client
    /// uses the same one again when it comes back over a new connection.
    Bearer(Address),
}

impl Owner {
    pub(super) fn of(source: &Source, confirmation: Address) -> Self {
        match &source.peer {
            Some(peer) => Self::Identity(peer.identifier),
            None => Self::Bearer(confirmation),
        }
    }
}

/// All relays by name, with what counts against limits.
#[derive(Default)]
pub(super) struct Relays {
    entries: HashMap<Address, Entry>,
    of_owner: HashMap<Owner, usize>,
    of_connection: HashMap<OriginId, usize>,
    of_address: HashMap<SourceAddress, usize>,
    /// By the connection beneath what they forward over.
    bound: HashMap<Address, usize>,
}

impl Relays {
    /// Whether one forwards over this connection.
    pub(super) fn is_bound(&self, connection: &Address) -> bool {
        self.bound.contains_key(connection)
    }

    pub(super) fn get(&self, name: &Address) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether the limits allow another relay like this.
    pub(super) fn has_room_for(&self, entry: &Entry, limits: &Limits) -> bool {
        let owned = count(&self.of_owner, &entry.owner).max(count(&self.of_connection, &entry.binding.through));
        let from_there = entry.address.map_or(0, |address| count(&self.of_address, &address));
        self.entries.len() < limits.relays && owned < limits.relays_per_owner && from_there < limits.relays_per_address
    }

    pub(super) fn insert(&mut self, name: Address, entry: Entry) {
        *self.of_owner.entry(entry.owner.clone()).or_default() += 1;
        *self.of_connection.entry(entry.binding.through).or_default() += 1;
        if let Some(address) = entry.address {
            *self.of_address.entry(address).or_default() += 1;
        }
        if let Some(connection) = &entry.connection {
            *self.bound.entry(connection.clone()).or_default() += 1;
        }
        self.entries.insert(name, entry);
    }

    pub(super) fn remove(&mut self, name: &Address) -> Option<Entry> {
        let entry = self.entries.remove(name)?;
        decrement(&mut self.of_owner, &entry.owner);
        decrement(&mut self.of_connection, &entry.binding.through);
        if let Some(address) = &entry.address {
            decrement(&mut self.of_address, address);
        }
        if let Some(connection) = &entry.connection {
            decrement(&mut self.bound, connection);
        }
        Some(entry)
    }
}

fn count<K: Eq + Hash>(counts: &HashMap<K, usize>, key: &K) -> usize {
    counts.get(key).copied().unwrap_or_default()
}

fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    let Some(count) = counts.get_mut(key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(key);
    }
}

/// Counts another relay in and out this many times, beside so many of others: a step of the hot path.
#[cfg(postern_hot_path)]
pub(crate) fn register_among(others: usize, times: u32) {
    let limits = Limits { relays: others + 1, ..Limits::default() };
    let mut relays = Relays::default();
    let entry = |number: usize| {
        let through = OriginId::fresh();
        Entry {
            owner: Owner::Bearer(format!("owner-{number:016}").into()),
            binding: RelayBinding { through, asked: through },
            address: None,
            connection: Some(format!("connection-{number:016}").into()),
        }
    };
    for number in 0..others {
        relays.insert(format!("relay-{number:016}").into(), entry(number));
    }
    let (name, connection) = (Address::from("relay"), Address::from("connection-0000000000000001"));
    for _ in 0..times {
        let entry = entry(others);
        assert!(relays.has_room_for(std::hint::black_box(&entry), &limits) && relays.is_bound(&connection));
        relays.insert(name.clone(), entry);
        std::hint::black_box(relays.remove(&name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn entry(owner: &str, through: OriginId, network: Option<u8>) -> Entry {
        Entry {
            owner: Owner::Bearer(owner.into()),
            binding: RelayBinding { through, asked: through },
            address: network.map(|network| IpAddr::from([192, 0, 2, network]).into()),
            connection: network.map(|network| format!("connection {network}").into()),
        }
    }

    #[test]
    fn owners_connections_and_addresses_are_counted_until_their_relays_end() {
        let limits = Limits { relays: 5, relays_per_owner: 2, relays_per_address: 3, ..Limits::default() };
        let (first, second, third) = (OriginId::fresh(), OriginId::fresh(), OriginId::fresh());
        let mut relays = Relays::default();
        let add = |relays: &mut Relays, name: &str, entry: Entry| {
            let has_room = relays.has_room_for(&entry, &limits);
            if has_room {
                relays.insert(name.into(), entry);
            }
            has_room
        };
        assert!(add(&mut relays, "a", entry("ann", first, Some(1))));
        assert!(add(&mut relays, "b", entry("ben", first, Some(1))));
        // Of a connection, whatever owners it names; of an owner, over whatever connections.
        assert!(!add(&mut relays, "c", entry("eve", first, Some(1))));
        assert!(add(&mut relays, "c", entry("ann", second, Some(1))));
        assert!(!add(&mut relays, "d", entry("ann", third, Some(2))));
        // Of an address, whatever connections and owners.
        assert!(!add(&mut relays, "d", entry("eve", third, Some(1))));
        assert!(add(&mut relays, "d", entry("eve", third, Some(2))));
        assert!(add(&mut relays, "e", entry("fay", OriginId::fresh(), None)));
        // Of all together.
        assert!(!add(&mut relays, "f", entry("guy", OriginId::fresh(), Some(3))));
        assert!(relays.is_bound(&"connection 1".into()) && !relays.is_bound(&"connection 3".into()));
        for name in ["a", "b", "c", "d", "e"] {
            assert!(relays.remove(&name.into()).is_some());
        }
        assert!(!relays.is_bound(&"connection 1".into()) && relays.bound.is_empty());
        assert!(relays.of_owner.is_empty() && relays.of_connection.is_empty() && relays.of_address.is_empty());
    }
}
