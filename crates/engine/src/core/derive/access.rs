//! Who gets in: the one place that decides, from the records, and says it to outlets and to friends.
//!
//! ```text
//!            ┌─► Permit    to the gate in front of the service
//! why_not ───┼─► GrantStatus  to the friend
//!            └─► Snapshot
//! ```

use crate::api::{Code, GrantState, ServiceId, UnixMillis};
use crate::core::commands::services;
use crate::core::event::Refusal;
use crate::core::records::{Grant, Service, outlet_address};
use crate::core::transaction::Transaction;
use crate::core::{AdmissionRule, State, audit, validation};
use crate::peer::{GrantStatus, Offer};
use postern_node::identity::Identifier;

impl State {
    /// Why a grant does not let its person in; nothing while it does.
    pub(crate) fn why_not(&self, grant: &Grant, wall: UnixMillis) -> Option<Code> {
        let Some(service) = self.services.get(grant.service) else { return Some(Code::ServiceClosed) };
        match grant.state {
            GrantState::Revoked | GrantState::GivenBack => Some(Code::Revoked),
            GrantState::Expired => Some(Code::Expired),
            GrantState::Active | GrantState::Paused if is_over(grant, wall) => Some(Code::Expired),
            _ if self.is_blocked(grant.person) => Some(Code::Blocked),
            GrantState::Active if service.on && !self.is_paused() => None,
            GrantState::Active | GrantState::Paused => Some(Code::PausedByOwner),
        }
    }

    pub(crate) fn standing(&self, grant: &Grant, wall: UnixMillis) -> GrantStatus {
        match (self.why_not(grant, wall), self.services.get(grant.service)) {
            (None, Some(service)) if services::is_down(self, service.id) => GrantStatus::Inactive(Code::ServiceDown),
            (None, Some(service)) => GrantStatus::Active(offer(grant, service)),
            (why, _) => GrantStatus::Inactive(why.unwrap_or(Code::ServiceClosed)),
        }
    }

    /// What the gate in front of a service must know.
    pub(crate) fn permitted(&self, service: ServiceId, wall: UnixMillis) -> Vec<AdmissionRule> {
        let grants = self.grants.all().filter(|it| it.service == service);
        let permitted = grants.map(|it| AdmissionRule {
            grant: it.id,
            person: it.person,
            refusal: self.why_not(it, wall).map(refusal),
            until: it.terms.until,
            connections: it.terms.connections,
        });
        permitted.collect()
    }
}

fn is_over(grant: &Grant, wall: UnixMillis) -> bool {
    grant.terms.until.is_some_and(|until| until <= wall)
}

/// What a grant offers, whether or not it is good at the moment.
pub(crate) fn offer(grant: &Grant, service: &Service) -> Offer {
    Offer {
        grant: grant.id,
        outlet: outlet_address(service.id),
        service_name: service.name.clone(),
        service_kind: service.kind,
        path: service.path.clone(),
        description: service.description.clone(),
        port: validation::port_of(&service.target),
        until: grant.terms.until,
    }
}

/// What the outlet tells whoever it does not let in.
fn refusal(why: Code) -> Refusal {
    match why {
        Code::PausedByOwner => Refusal::Paused,
        Code::Expired => Refusal::Expired,
        Code::Revoked => Refusal::Revoked,
        _ => Refusal::NotAllowed,
    }
}

/// What an outlet's refusal means to whoever was refused.
pub(crate) fn meaning(refusal: Refusal) -> Code {
    match refusal {
        Refusal::Paused => Code::PausedByOwner,
        Refusal::Expired => Code::Expired,
        Refusal::Revoked => Code::Revoked,
        Refusal::NotAllowed => Code::Denied,
        Refusal::TooMany => Code::TooMany,
        Refusal::Refused | Refusal::TimedOut | Refusal::Unreachable => Code::ServiceDown,
        Refusal::Stopping | Refusal::Disconnected => Code::OwnerOffline,
        _ => Code::Failed,
    }
}

/// Somebody was not let in to a service.
pub(crate) fn refused(
    state: &mut State,
    turn: &mut Transaction,
    service: ServiceId,
    person: Option<Identifier>,
    refusal: Refusal,
) {
    if refusal.is_services_fault() {
        services::doubt(state, turn, service);
    }
    let known = person.and_then(|person| {
        let grant = state.grants.find(|it| it.service == service && it.person == person)?;
        state.why_not(grant, turn.now.wall)
    });
    audit::refused(state, turn, Some(service), person, known.unwrap_or_else(|| meaning(refusal)));
}
