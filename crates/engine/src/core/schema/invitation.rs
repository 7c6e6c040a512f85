//! An invitation that the user sent.

use super::ticket_secret::TicketSecret;
use crate::api::{InvitationId, SentState, ServiceId, Terms, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An invitation that the user sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The service it invites to.
    pub service: ServiceId,
    /// The secret that redeems it; absent until the key that it is sealed with has been loaded.
    #[serde(skip)]
    pub secret: Option<TicketSecret>,
    /// The only person who may redeem it: set when it is mailed to a contact, or by the first who redeems it.
    pub person: Option<Identifier>,
    /// The user's note on whom it is meant for.
    pub note: Option<String>,
    /// The name that the person who knocks gave.
    pub knocker: Option<String>,
    /// Whether redeeming it asks the owner first (a knock).
    pub ask_first: bool,
    /// Whether the owner has allowed the knock.
    pub allowed: bool,
    /// The terms of the grant it becomes.
    pub terms: Terms,
    /// How far it has come.
    pub state: SentState,
    /// When it was made.
    pub created: UnixMillis,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// The page that its link leads to, of a web link. Such an invitation always asks first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web: Option<String>,
}

impl Invitation {
    /// Whether it can still be accepted, its expiry aside.
    pub(crate) fn is_open(&self) -> bool {
        match self.state {
            SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking => true,
            SentState::Accepted | SentState::Declined | SentState::Expired | SentState::Revoked => false,
        }
    }

    /// Whether it is to be mailed to a contact and no hub has taken it yet.
    pub(crate) fn is_to_be_mailed(&self) -> bool {
        self.state == SentState::Created && self.person.is_some()
    }
}

impl fmt::Debug for Invitation {
    /// Without service and person, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}
