//! What is over by the wall clock.
//!
//! What was marked as over stays over, however the clock jumps back. Waits do not come here: they are measured in ticks.

use crate::api::{Code, GrantState, SentState, UnixMillis};
use crate::core::commands::{grants, incoming_invitations, invitations};
use crate::core::limits::DAY;
use crate::core::records::Received;
use crate::core::transaction::Transaction;
use crate::core::{State, fault_messages};

/// Marks what is over.
pub(crate) fn mark(state: &mut State, turn: &mut Transaction) {
    let wall = turn.now.wall;
    for id in state.invitations.keys_of(|it| invitations::is_open(it.state) && it.expires <= wall) {
        invitations::end(state, turn, id, SentState::Expired);
    }
    let is_over = |until: Option<UnixMillis>| until.is_some_and(|it| it <= wall);
    for id in state.grants.keys_of(|it| grants::is_live(it.state) && is_over(it.terms.until)) {
        grants::end(state, turn, id, GrantState::Expired);
    }
    for id in state.received.keys_of(|it| ends(it).is_some_and(|at| at <= wall)) {
        let Some(it) = state.received.get(id) else { continue };
        if incoming_invitations::is_answered(it) {
            state.received.remove(turn, id);
        } else {
            let over = fault_messages::invitation(Code::Expired, &it.owner_name);
            state.received.change(turn, id, |it| it.over = Some(over));
        }
    }
}

/// When something received is to be looked at: what is new ends with its time; what its owner is still to decide or to
/// hear is left to the owner's clock a day longer; what was answered is noted as long.
fn ends(received: &Received) -> Option<UnixMillis> {
    if incoming_invitations::is_new(received) {
        Some(received.expires)
    } else if incoming_invitations::is_answered(received) || received.over.is_none() {
        Some(received.expires.plus(DAY))
    } else {
        None
    }
}

/// When the next thing is over.
pub(crate) fn next(state: &State, wall: UnixMillis) -> Option<UnixMillis> {
    let invitations = state.invitations.all().filter(|it| invitations::is_open(it.state)).map(|it| it.expires);
    let grants = state.grants.all().filter(|it| grants::is_live(it.state)).filter_map(|it| it.terms.until);
    let received = state.received.all().filter_map(ends);
    let inlets = state.inlets.all().filter_map(|it| it.until).filter(|it| *it > wall);
    invitations.chain(grants).chain(received).chain(inlets).min()
}
