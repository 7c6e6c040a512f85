//! Access control: the one place that decides who may use a service, for the outlet, for the friend and for the user.
//!
//! ```text
//!            ┌─► AdmissionRule   to the admission control in front of the outlet
//! why_not ───┼─► GrantStatus     to the friend
//!            └─► Snapshot        to the user
//! ```

use crate::api::{Code, GrantState, ServiceId, UnixMillis};
use crate::core::effect::AdmissionRule;
use crate::core::event::Refusal;
use crate::core::records::Records;
use crate::core::schema::{Grant, Service, outlet_address};
use crate::core::validation;
use crate::peer::{GrantStatus, Offer};

/// Why a grant does not admit its person; nothing while it does.
pub(crate) fn why_not(records: &Records, grant: &Grant, wall: UnixMillis) -> Option<Code> {
    let Some(service) = records.services.get(grant.service) else { return Some(Code::ServiceClosed) };
    match grant.state {
        GrantState::Revoked | GrantState::GivenBack => Some(Code::Revoked),
        GrantState::Expired => Some(Code::Expired),
        GrantState::Active | GrantState::Paused if grant.is_over(wall) => Some(Code::Expired),
        _ if records.is_blocked(grant.person) => Some(Code::Blocked),
        _ if records.answers_with_old_key(grant.person) => Some(Code::NotTrusted),
        GrantState::Active if records.is_shared(service) => None,
        GrantState::Active | GrantState::Paused => Some(Code::PausedByOwner),
    }
}

/// A grant's status as its person is told.
pub(crate) fn status(records: &Records, grant: &Grant, wall: UnixMillis) -> GrantStatus {
    match (why_not(records, grant, wall), records.services.get(grant.service)) {
        (None, Some(service)) if records.is_down(service.id) => GrantStatus::Inactive(Code::ServiceDown),
        (None, Some(service)) => GrantStatus::Active(offer(grant, service)),
        (why, _) => GrantStatus::Inactive(why.unwrap_or(Code::ServiceClosed)),
    }
}

/// The rules for the admission control in front of a service's outlet.
pub(crate) fn rules(records: &Records, service: ServiceId, wall: UnixMillis) -> Vec<AdmissionRule> {
    let grants = records.grants.all().filter(|it| it.service == service);
    let rules = grants.map(|it| AdmissionRule {
        grant: it.id,
        person: it.person,
        refusal: why_not(records, it, wall).map(refusal),
        until: it.terms.until,
        connections: it.terms.connections,
    });
    rules.collect()
}

/// What a grant offers, whether or not it can be used now.
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

/// The refusal that an outlet gives for a reason.
fn refusal(why: Code) -> Refusal {
    match why {
        Code::PausedByOwner => Refusal::Paused,
        Code::Expired => Refusal::Expired,
        Code::Revoked => Refusal::Revoked,
        _ => Refusal::NotAllowed,
    }
}

/// The reason that an outlet's refusal gives.
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
