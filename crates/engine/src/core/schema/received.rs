//! An invitation that the user received.

use super::ticket_secret::TicketSecret;
use crate::api::{Code, Fault, InvitationId, ServiceKind, UnixMillis};
use crate::core::limits::{DAY, MAX_VALID_FOR};
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An invitation that the user received. Once answered it stays as a note until its time is over, so that mail that
/// arrives again, or is replayed by a hub, does not ask the user twice.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Its id.
    pub id: InvitationId,
    /// The secret that redeems it; absent until the key that it is sealed with has been loaded.
    #[serde(skip)]
    pub secret: Option<TicketSecret>,
    /// Who invites.
    pub owner: Identifier,
    /// The name that the owner gave.
    pub owner_name: String,
    /// Where the owner can be reached.
    pub reach: Vec<PeerAddress>,
    /// The service's name.
    pub service_name: String,
    /// The protocol it speaks.
    pub service_kind: ServiceKind,
    /// The owner's description of it.
    pub description: Option<String>,
    /// The service's own port.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// Until when the owner says that it can be accepted, where that is longer than an invitation may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<UnixMillis>,
    /// Whether the user has accepted it.
    pub accepted: bool,
    /// The local port that the user chose.
    pub chosen_port: Option<u16>,
    /// Whether the user has declined it.
    pub declined: bool,
    /// Why it cannot be accepted any more.
    pub over: Option<Fault>,
}

impl Received {
    /// Whether it was answered here, and is only a note.
    pub(crate) fn is_answered(&self) -> bool {
        self.declined || self.has_become_portal()
    }

    /// Whether it became a portal.
    pub(crate) fn has_become_portal(&self) -> bool {
        self.accepted && self.over.as_ref().is_some_and(|it| it.code == Code::AlreadyIn)
    }

    /// Whether it waits for the user's answer.
    pub(crate) fn is_new(&self) -> bool {
        !self.accepted && !self.declined && self.over.is_none()
    }

    /// Whether it is accepted and the owner has not decided yet.
    pub(crate) fn is_being_redeemed(&self) -> bool {
        self.accepted && !self.declined && self.over.is_none()
    }

    /// Sets until when it can be accepted: as its owner says, but no longer than an invitation may last.
    pub(crate) fn limit_expiry(&mut self, now: UnixMillis) {
        let latest = now.plus(MAX_VALID_FOR);
        if self.expires > latest {
            self.claimed = Some(self.expires);
            self.expires = latest;
        }
    }

    /// Until when its owner says that it can be accepted. A later time than that of a known one makes it a renewed one.
    pub(crate) fn claimed_expiry(&self) -> UnixMillis {
        self.claimed.unwrap_or(self.expires)
    }

    /// When expiry is to be applied to it. A new one ends with its time. One that the owner has not decided gets a day
    /// more for the owner's clock; the note of an answered one is kept as long.
    pub(crate) fn ends(&self) -> Option<UnixMillis> {
        if self.is_new() {
            Some(self.expires)
        } else if self.is_answered() || self.over.is_none() {
            Some(self.expires.plus(DAY))
        } else {
            None
        }
    }
}

impl fmt::Debug for Received {
    /// Without names and addresses, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("id", &self.id).field("owner", &self.owner).finish_non_exhaustive()
    }
}
