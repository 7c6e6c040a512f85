//! A grant: the permission that an accepted invitation became.

use crate::api::{GrantId, GrantState, InvitationId, ServiceId, Terms, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// A person's permission to use a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id, the same on both sides.
    pub id: GrantId,
    /// The service.
    pub service: ServiceId,
    /// The person.
    pub person: Identifier,
    /// The invitation that it was made from.
    pub invitation: InvitationId,
    /// Its limits: expiry and connections at once.
    pub terms: Terms,
    /// Its state.
    pub state: GrantState,
    /// When it was made.
    pub created: UnixMillis,
    /// When one of its streams last began or ended, as last saved.
    pub last_used: Option<UnixMillis>,
    /// Bytes towards the service, as last saved.
    #[serde(default)]
    pub up_bytes: u64,
    /// Bytes from the service, as last saved.
    #[serde(default)]
    pub down_bytes: u64,
}

impl Grant {
    /// Whether it is active or paused, its expiry aside.
    pub(crate) fn is_live(&self) -> bool {
        match self.state {
            GrantState::Active | GrantState::Paused => true,
            GrantState::Expired | GrantState::Revoked | GrantState::GivenBack => false,
        }
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self, wall: UnixMillis) -> bool {
        self.terms.until.is_some_and(|until| until <= wall)
    }
}
