//! Who somebody is to the user: the column of the authorization matrix that holds for them.

use super::Records;
use crate::api::{InvitationId, ServiceId};
use crate::core::authorization::Party;
use crate::core::schema::Invitation;
use crate::peer::PeerRequest;
use postern_node::identity::Identifier;

impl Records {
    /// The invitation that a secret opens.
    pub(crate) fn opened_by(&self, ticket: InvitationId, secret: &[u8; 32]) -> Option<&Invitation> {
        let is_its = |it: &&Invitation| it.secret.as_ref().is_some_and(|its| its.matches(secret));
        self.invitations.get(ticket).filter(is_its)
    }

    /// The service of the invitation that a request opens.
    pub(crate) fn service_of_ticket(&self, request: &PeerRequest) -> Option<ServiceId> {
        match request {
            PeerRequest::Redeem { ticket, secret, .. }
            | PeerRequest::Seen { ticket, secret }
            | PeerRequest::Decline { ticket, secret } => self.opened_by(*ticket, secret).map(|it| it.service),
            PeerRequest::Sync { .. } | PeerRequest::GiveBack { .. } => None,
        }
    }

    /// The sender of a request.
    pub(crate) fn party_of_request(&self, person: Identifier, request: &PeerRequest) -> Party {
        if Some(person) == self.me() {
            return Party::Owner;
        }
        if self.is_blocked(person) {
            return Party::Blocked;
        }
        match request {
            PeerRequest::Redeem { ticket, secret, .. }
            | PeerRequest::Seen { ticket, secret }
            | PeerRequest::Decline { ticket, secret } => match self.opened_by(*ticket, secret) {
                Some(_) => Party::Invited,
                // An open invitation is none for the holder of a wrong ticket.
                None => self.standing(person).max(Party::Friend),
            },
            PeerRequest::Sync { .. } | PeerRequest::GiveBack { .. } => self.standing(person),
        }
    }

    /// The sender of a notification.
    pub(crate) fn party_of_notification(&self, person: Identifier) -> Party {
        let shares = || self.inlets.all().any(|it| it.owner == person);
        let invites = || self.received.all().any(|it| it.owner == person);
        match self.is_blocked(person) {
            true => Party::Blocked,
            false if shares() || invites() => Party::Owner,
            false => self.standing(person),
        }
    }

    fn standing(&self, person: Identifier) -> Party {
        let uses = || self.grants.all().any(|it| it.person == person && it.is_live());
        let is_invited = || self.invitations.all().any(|it| it.person == Some(person) && it.is_open());
        match self.contacts.contains(person) {
            false => Party::Stranger,
            true if uses() => Party::Friend,
            true if is_invited() => Party::Invited,
            true => Party::FormerFriend,
        }
    }
}
