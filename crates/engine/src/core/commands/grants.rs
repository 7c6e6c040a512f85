//! Who may use what: grants, their terms, their ends, and how much they are used.

use crate::api::{AuditEvent, Code, Fault, GrantId, GrantState, Notice, Terms, UnixMillis};
use crate::core::commands::{contacts, services};
use crate::core::event::Refusal;
use crate::core::limits::{MAX_GRANTS, MAX_SYNC, NOTE_USE_EVERY};
use crate::core::records::{Grant, Invitation};
use crate::core::transaction::Transaction;
use crate::core::{State, audit, validation};
use crate::peer::{ContactInfo, PeerResponse};
use postern_node::identity::Identifier;

/// How a grant is used in this run.
#[derive(Default)]
pub(crate) struct GrantUsage {
    pub(crate) live: u32,
    pub(crate) last: Option<UnixMillis>,
}

/// A stream that ended.
pub(crate) struct StreamEnd {
    pub(crate) grant: GrantId,
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    pub(crate) lasted_ms: u64,
    pub(crate) reason: Option<Refusal>,
}

/// Whether a grant is not over, though it may be paused.
pub(crate) fn is_live(state: GrantState) -> bool {
    matches!(state, GrantState::Active | GrantState::Paused)
}

/// Checks terms that a person typed.
pub(crate) fn check_terms(terms: &Terms, wall: UnixMillis) -> Result<(), Fault> {
    if terms.until.is_some_and(|until| until <= wall) {
        return Err(Fault::new(Code::Invalid, "This time is over already."));
    }
    if terms.connections == Some(0) {
        return Err(Fault::new(Code::Invalid, "At least one connection is needed: pause instead."));
    }
    Ok(())
}

/// Makes a grant of an invitation. There must be room: see [`has_room`].
pub(crate) fn make(state: &mut State, turn: &mut Transaction, invitation: &Invitation, person: Identifier) -> Grant {
    // What an older, ended grant said about this person and service no longer holds.
    let same = |it: &Grant| it.service == invitation.service && it.person == person;
    for old in state.grants.keys_of(same) {
        state.grants.remove(turn, old);
    }
    let grant = Grant {
        id: GrantId(turn.random()),
        service: invitation.service,
        person,
        invitation: invitation.id,
        terms: invitation.terms.clone(),
        state: GrantState::Active,
        created: turn.now.wall,
        last_used: None,
        up_bytes: 0,
        down_bytes: 0,
    };
    state.grants.put(turn, grant.clone());
    // The answer to the redeemer says how it is, but for the service's health; news follow only of what changes.
    if !services::is_down(state, grant.service) {
        crate::core::derive::reconcile::remember(state, &grant, turn.now.wall);
    }
    grant
}

/// Makes room for one more grant, if ended ones can go.
pub(crate) fn has_room(state: &mut State, turn: &mut Transaction) -> bool {
    if state.grants.len() >= MAX_GRANTS {
        let ended = state.grants.all().filter(|it| !is_live(it.state)).min_by_key(|it| (it.created, it.id));
        let Some(oldest) = ended.map(|it| it.id) else { return false };
        state.grants.remove(turn, oldest);
    }
    true
}

fn live(state: &State, id: GrantId) -> Result<&Grant, Fault> {
    let grant = state.grants.get(id).ok_or_else(|| Fault::new(Code::NotFound, "There is no such access."))?;
    match grant.state {
        GrantState::Active | GrantState::Paused => Ok(grant),
        GrantState::Expired => Err(Fault::new(Code::Expired, "This access is over: change its time to give it again.")),
        GrantState::Revoked => Err(Fault::new(Code::Revoked, "This access was revoked: invite the person again.")),
        GrantState::GivenBack => Err(Fault::new(Code::Revoked, "This access was given back: invite the person again.")),
    }
}

pub(crate) fn change(state: &mut State, turn: &mut Transaction, id: GrantId, terms: Terms) -> Result<(), Fault> {
    match live(state, id) {
        Err(fault) if fault.code != Code::Expired => return Err(fault),
        _ => check_terms(&terms, turn.now.wall)?,
    }
    let changed = state.grants.change(turn, id, |it| {
        it.terms = terms;
        if it.state == GrantState::Expired {
            it.state = GrantState::Active;
        }
    });
    note(state, turn, id, "changed", changed);
    Ok(())
}

pub(crate) fn pause(state: &mut State, turn: &mut Transaction, id: GrantId, on: bool) -> Result<(), Fault> {
    live(state, id)?;
    let next = if on { GrantState::Paused } else { GrantState::Active };
    let changed = state.grants.change(turn, id, |it| it.state = next);
    note(state, turn, id, if on { "paused" } else { "resumed" }, changed);
    Ok(())
}

pub(crate) fn revoke(state: &mut State, turn: &mut Transaction, id: GrantId) -> Result<(), Fault> {
    match state.grants.get(id) {
        None => Err(Fault::new(Code::NotFound, "There is no such access.")),
        Some(grant) => {
            if grant.state != GrantState::GivenBack {
                end(state, turn, id, GrantState::Revoked);
            }
            Ok(())
        }
    }
}

fn note(state: &State, turn: &mut Transaction, id: GrantId, what: &str, changed: bool) {
    if let Some(grant) = state.grants.get(id).filter(|_| changed) {
        audit::grant(state, turn, grant, what);
    }
}

/// Ends a grant for good.
pub(crate) fn end(state: &mut State, turn: &mut Transaction, id: GrantId, how: GrantState) {
    let changed = state.grants.change(turn, id, |it| it.state = how);
    let what = match how {
        GrantState::Expired => "expired",
        GrantState::GivenBack => "given-back",
        _ => "revoked",
    };
    note(state, turn, id, what, changed);
}

/// Ends what was granted until the owner's Postern is quit: it was.
pub(crate) fn end_those_until_quit(state: &mut State, turn: &mut Transaction) {
    for id in state.grants.keys_of(|it| it.terms.until_quit && is_live(it.state)) {
        end(state, turn, id, GrantState::Expired);
    }
}

/// A friend asks how their grants are.
pub(crate) fn sync(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    grants: Vec<GrantId>,
    card: ContactInfo,
) -> PeerResponse {
    if state.is_blocked(person) {
        return PeerResponse::Refused(Code::Blocked);
    }
    contacts::refresh(state, turn, person, validation::clean_card(card));
    let own = grants.into_iter().take(MAX_SYNC).filter_map(|id| state.grants.get(id)).filter(|it| it.person == person);
    let standings = own.map(|it| (it.id, state.standing(it, turn.now.wall))).collect();
    PeerResponse::Grants(standings, state.card())
}

/// A friend gives a grant back.
pub(crate) fn give_back(state: &mut State, turn: &mut Transaction, person: Identifier, id: GrantId) -> PeerResponse {
    let Some(grant) = state.grants.get(id) else { return PeerResponse::Done };
    if grant.person != person {
        let service = grant.service;
        audit::refused(state, turn, Some(service), Some(person), Code::NotTrusted);
        return PeerResponse::Refused(Code::NotFound);
    }
    if is_live(grant.state) {
        let name = state.service_name(grant.service);
        end(state, turn, id, GrantState::GivenBack);
        turn.notify(Notice::GaveBack { from: state.name(person), name });
    }
    PeerResponse::Done
}

pub(crate) fn stream_opened(state: &mut State, turn: &mut Transaction, id: GrantId) {
    turn.settle = false;
    if !state.grants.contains(id) {
        return;
    }
    let used = state.uses.entry(id).or_default();
    used.live = used.live.saturating_add(1);
    touch(state, turn, id);
}

pub(crate) fn stream_ended(state: &mut State, turn: &mut Transaction, ended: StreamEnd) {
    turn.settle = false;
    let Some(grant) = state.grants.get(ended.grant).cloned() else {
        state.uses.remove(&ended.grant);
        return;
    };
    if let Some(used) = state.uses.get_mut(&grant.id) {
        used.live = used.live.saturating_sub(1);
    }
    touch(state, turn, grant.id);
    turn.write(AuditEvent::Connection {
        service: state.service_name(grant.service),
        person: grant.person,
        name: state.name(grant.person),
        up_bytes: ended.up_bytes,
        down_bytes: ended.down_bytes,
        lasted_ms: ended.lasted_ms,
        ended: ended.reason.map(|it| it.to_string()),
    });
    if ended.reason.is_some_and(Refusal::is_services_fault) {
        services::doubt(state, turn, grant.service);
    }
}

/// Notes that a grant is used: in memory at once, on disk now and then.
fn touch(state: &mut State, turn: &mut Transaction, id: GrantId) {
    let wall = turn.now.wall;
    state.uses.entry(id).or_default().last = Some(wall);
    state.grants.change(turn, id, |it| {
        if it.last_used.is_none_or(|noted| wall.0.abs_diff(noted.0) >= NOTE_USE_EVERY) {
            it.last_used = Some(wall);
        }
    });
}
