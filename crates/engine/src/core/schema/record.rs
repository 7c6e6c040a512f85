//! Any record, its key, and a change to what is stored.

use super::contact::Contact;
use super::grant::Grant;
use super::inlet::Inlet;
use super::invitation::Invitation;
use super::profile::Profile;
use super::received::Received;
use super::service::Service;
use super::ticket_secret::TicketSecret;
use crate::api::{GrantId, InletId, InvitationId, ServiceId};
use postern_node::identity::Identifier;

/// A change to what is stored.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time, and nearly all are records")]
pub enum Change {
    /// Writes a record in place of an older one with the same key.
    Put(Record),
    /// Deletes a record.
    Delete(RecordKey),
}

/// One stored record.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the record of that name")]
pub enum Record {
    Profile(Profile),
    Service(Service),
    Invitation(Invitation),
    Grant(Grant),
    Received(Received),
    Inlet(Inlet),
    Contact(Contact),
}

impl Record {
    /// The key that the record is stored under.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Profile(_) => RecordKey::Profile,
            Self::Service(it) => RecordKey::Service(it.id),
            Self::Invitation(it) => RecordKey::Invitation(it.id),
            Self::Grant(it) => RecordKey::Grant(it.id),
            Self::Received(it) => RecordKey::Received(it.id),
            Self::Inlet(it) => RecordKey::Inlet(it.id),
            Self::Contact(it) => RecordKey::Contact(it.identifier),
        }
    }

    /// The part of the record that must be sealed before it is written.
    pub fn secret(&self) -> Option<&TicketSecret> {
        match self {
            Self::Invitation(it) => it.secret.as_ref(),
            Self::Received(it) => it.secret.as_ref(),
            Self::Profile(_) | Self::Service(_) | Self::Grant(_) | Self::Inlet(_) | Self::Contact(_) => None,
        }
    }
}

/// The key of a stored record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the key of the record of that name")]
pub enum RecordKey {
    Profile,
    Service(ServiceId),
    Invitation(InvitationId),
    Grant(GrantId),
    Received(InvitationId),
    Inlet(InletId),
    Contact(Identifier),
}
