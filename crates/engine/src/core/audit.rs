//! What is written down, and how often: whoever is refused cannot fill the disk with it.

use crate::api::{AuditEvent, Code, ServiceId};
use crate::core::State;
use crate::core::limits::{MAX_REFUSALS, MINUTE};
use crate::core::records::{Grant, Inlet, Invitation};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

/// How many refusals were written in this minute.
#[derive(Default)]
pub(crate) struct Refusals {
    since: u64,
    count: u32,
}

/// Somebody was refused.
pub(crate) fn refused(
    state: &mut State,
    turn: &mut Transaction,
    service: Option<ServiceId>,
    person: Option<Identifier>,
    code: Code,
) {
    let refusals = &mut state.refusals;
    if turn.now.ticks >= refusals.since.saturating_add(MINUTE) {
        *refusals = Refusals { since: turn.now.ticks, count: 0 };
    }
    refusals.count = refusals.count.saturating_add(1);
    if refusals.count <= MAX_REFUSALS {
        let service = service.and_then(|it| state.services.get(it)).map(|it| it.name.clone());
        let name = person.and_then(|it| state.contacts.get(it)).map(crate::core::commands::contacts::name_of);
        turn.write(AuditEvent::Refused { service, person, name, code });
    }
}

pub(crate) fn service(turn: &mut Transaction, name: &str, what: &str) {
    turn.write(AuditEvent::Service { service: name.to_owned(), what: what.to_owned() });
}

pub(crate) fn invitation(state: &State, turn: &mut Transaction, invitation: &Invitation, what: &str) {
    turn.write(AuditEvent::Invitation {
        service: state.service_name(invitation.service),
        person: invitation.person,
        name: state.invited_name(invitation),
        what: what.to_owned(),
    });
}

pub(crate) fn grant(state: &State, turn: &mut Transaction, grant: &Grant, what: &str) {
    turn.write(AuditEvent::Grant {
        service: state.service_name(grant.service),
        person: grant.person,
        name: state.name(grant.person),
        what: what.to_owned(),
    });
}

pub(crate) fn portal(state: &State, turn: &mut Transaction, inlet: &Inlet, what: &str) {
    let (portal, owner) = (inlet.name.clone(), state.name(inlet.owner));
    turn.write(AuditEvent::Portal { portal, owner, what: what.to_owned() });
}
