//! What is written down, and how often: whoever is refused cannot fill the disk with it.

use crate::api::{Code, Deed, ServiceId};
use crate::core::State;
use crate::core::limits::{MAX_REFUSALS, MINUTE};
use crate::core::records::{Grant, Inlet, Invitation};
use crate::core::transaction::Turn;
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
    turn: &mut Turn,
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
        turn.write(Deed::Refused { service, person, name, code });
    }
}

pub(crate) fn service(turn: &mut Turn, name: &str, what: &str) {
    turn.write(Deed::Service { service: name.to_owned(), what: what.to_owned() });
}

pub(crate) fn invitation(state: &State, turn: &mut Turn, invitation: &Invitation, what: &str) {
    turn.write(Deed::Invitation {
        service: state.service_name(invitation.service),
        person: invitation.person,
        name: state.invited_name(invitation),
        what: what.to_owned(),
    });
}

pub(crate) fn grant(state: &State, turn: &mut Turn, grant: &Grant, what: &str) {
    turn.write(Deed::Grant {
        service: state.service_name(grant.service),
        person: grant.person,
        name: state.name(grant.person),
        what: what.to_owned(),
    });
}

pub(crate) fn portal(state: &State, turn: &mut Turn, inlet: &Inlet, what: &str) {
    let (portal, owner) = (inlet.name.clone(), state.name(inlet.owner));
    turn.write(Deed::Portal { portal, owner, what: what.to_owned() });
}
