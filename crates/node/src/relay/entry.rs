//! What a hub knows of a relay: whose it is, and what it ends with.

use crate::address::Address;
use crate::identity::Identifier;
use crate::origin::{OriginId, Source};

/// A relay of the table.
pub(super) struct Entry {
    pub(super) owner: Owner,
    pub(super) binding: RelayBinding,
    /// The connection beneath what it forwards over.
    pub(super) connection: Option<Address>,
}

impl Entry {
    pub(super) fn new(owner: Owner, binding: RelayBinding, through: &Source) -> Self {
        let connection = match through.peer {
            Some(_) => through.carrier_address.clone(),
            None => Some(through.sender.clone()),
        };
        Self { owner, binding, connection }
    }
}

/// What a relay ends with: the connection or channel that it forwards over, and the one that it was registered over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RelayBinding {
    pub(super) through: OriginId,
    pub(super) asked: OriginId,
}

/// Who may replace a relay.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// The identity that registered it over a secure channel with the hub.
    Identity(Identifier),
    /// Whoever knows the address that the confirmation went to. Only the hub and the owner ever see it; our client
    /// uses the same one again when it comes back over a new connection.
    Bearer(Address),
}

impl Owner {
    pub(super) fn identity(&self) -> Option<Identifier> {
        match self {
            Self::Identity(identifier) => Some(*identifier),
            Self::Bearer(_) => None,
        }
    }

    pub(super) fn of(source: &Source, confirmation: Address) -> Self {
        match &source.peer {
            Some(peer) => Self::Identity(peer.identifier),
            None => Self::Bearer(confirmation),
        }
    }
}
