//! Whoever holds an invitation: they look at it, knock, come in, or say no.
//!
//! ```text
//! Redeem ──► is it theirs? ──► must the owner be asked? ─── no ──► grant, contact ──► Granted
//!                                     └─ yes ──► PendingKnock ──► once, always ──────┘
//!                                                 └─► no ──► Refused
//! ```
//!
//! Whoever redeems first with the right secret is bound: the same person again gets the same grant, anybody else is
//! refused. Every refusal is written down.

use crate::api::{Code, Fault, GrantState, InvitationId, KnockAnswer, Notice, SentState, UnixMillis};
use crate::core::commands::invitations::{end, is_open, open};
use crate::core::commands::{contacts, grants};
use crate::core::derive::access;
use crate::core::records::{Grant, Invitation};
use crate::core::tasks::mail;
use crate::core::transaction::Transaction;
use crate::core::{State, audit, validation};
use crate::peer::{ContactInfo, PeerNotification, PeerResponse};
use postern_node::identity::Identifier;

/// Somebody who knocks in this run.
pub(crate) struct PendingKnock {
    pub(crate) at: UnixMillis,
    card: ContactInfo,
}

/// Whether two secrets are the same, without telling by the time it takes where they differ.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |rest, (one, other)| rest | (one ^ other))) == 0
}

/// The invitation that a secret opens for this person, or why it opens none.
fn check(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> Result<Invitation, Code> {
    let is_its = |it: &&Invitation| it.secret.as_ref().is_some_and(|its| is_same(its.reveal(), secret));
    let invitation = state.invitations.get(id).filter(is_its);
    let (service, refusal) = match invitation {
        _ if Some(person) == state.me() => (None, Code::OwnInvitation),
        None => (None, Code::BadTicket),
        Some(it) if state.is_blocked(person) => (Some(it.service), Code::Blocked),
        Some(it) if it.person.is_some_and(|bound| bound != person) => (Some(it.service), Code::TicketUsed),
        Some(it) => return Ok(it.clone()),
    };
    audit::refused(state, turn, service, Some(person), refusal);
    Err(refusal)
}

/// Somebody wants to turn an invitation into a grant.
pub(crate) fn redeem(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
    card: ContactInfo,
) -> PeerResponse {
    let card = validation::clean_card(card);
    let invitation = match check(state, turn, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return PeerResponse::Refused(code),
    };
    let refusal = match invitation.state {
        SentState::Accepted => return redeem_again(state, turn, &invitation, person, card),
        SentState::Revoked if !state.services.contains(invitation.service) => Some(Code::ServiceClosed),
        SentState::Revoked => Some(Code::Revoked),
        SentState::Declined => Some(Code::Denied),
        SentState::Expired => Some(Code::Expired),
        _ => None,
    };
    if let Some(code) = refusal {
        audit::refused(state, turn, Some(invitation.service), Some(person), code);
        return PeerResponse::Refused(code);
    }
    let is_in = |it: &Grant| it.service == invitation.service && it.person == person && grants::is_live(it.state);
    if let Some(grant) = state.grants.find(is_in).cloned() {
        // Whoever is in already needs no second grant, and leaves the link to somebody else.
        contacts::refresh(state, turn, person, card);
        return granted(state, &grant);
    }
    if invitation.ask_first && !invitation.allowed {
        knock(state, turn, &invitation, person, card);
        return PeerResponse::Pending;
    }
    match accept(state, turn, &invitation, person, card) {
        Ok(grant) => granted(state, &grant),
        Err(code) => PeerResponse::Refused(code),
    }
}

/// The same person redeems again: they did not hear the answer, or ask how it went.
fn redeem_again(
    state: &mut State,
    turn: &mut Transaction,
    invitation: &Invitation,
    person: Identifier,
    card: ContactInfo,
) -> PeerResponse {
    contacts::refresh(state, turn, person, card);
    let grant = state.grants.find(|it| it.invitation == invitation.id && it.person == person).cloned();
    match grant.as_ref().map(|it| it.state) {
        Some(GrantState::Active | GrantState::Paused) => {
            grant.map_or(PeerResponse::Refused(Code::Failed), |it| granted(state, &it))
        }
        _ if !state.services.contains(invitation.service) => PeerResponse::Refused(Code::ServiceClosed),
        Some(GrantState::Revoked) => PeerResponse::Refused(Code::Revoked),
        _ => PeerResponse::Refused(Code::Expired),
    }
}

fn granted(state: &State, grant: &Grant) -> PeerResponse {
    match state.services.get(grant.service) {
        Some(service) => PeerResponse::Granted(access::offer(grant, service), state.card()),
        None => PeerResponse::Refused(Code::ServiceClosed),
    }
}

/// Binds the invitation, makes the contact and the grant.
fn accept(
    state: &mut State,
    turn: &mut Transaction,
    invitation: &Invitation,
    person: Identifier,
    card: ContactInfo,
) -> Result<Grant, Code> {
    if contacts::is_full(state, person) || !grants::has_room(state, turn) {
        audit::refused(state, turn, Some(invitation.service), Some(person), Code::TooMany);
        return Err(Code::TooMany);
    }
    contacts::learn(state, turn, person, card);
    let grant = grants::make(state, turn, invitation, person);
    state.knocks.remove(&invitation.id);
    state.mail.forget(mail::Subject::Ticket(invitation.id));
    state.invitations.change(turn, invitation.id, |it| {
        it.person = Some(person);
        it.state = SentState::Accepted;
    });
    if let Some(invitation) = state.invitations.get(invitation.id) {
        audit::invitation(state, turn, invitation, "accepted");
    }
    let (from, name) = (state.name(person), state.service_name(grant.service));
    turn.notify(Notice::Joined { service: grant.service, from, name });
    Ok(grant)
}

fn knock(state: &mut State, turn: &mut Transaction, invitation: &Invitation, person: Identifier, card: ContactInfo) {
    let name = card.name.clone();
    let at = state.knocks.get(&invitation.id).map_or(turn.now.wall, |it| it.at);
    state.knocks.insert(invitation.id, PendingKnock { at, card });
    state.invitations.change(turn, invitation.id, |it| {
        it.person = Some(person);
        it.knocker = Some(name);
        it.state = SentState::Knocking;
    });
    if invitation.state != SentState::Knocking
        && let Some(invitation) = state.invitations.get(invitation.id)
    {
        audit::invitation(state, turn, invitation, "knocked");
        turn.notify(Notice::Knock {
            invitation: invitation.id,
            from: state.invited_name(invitation).unwrap_or_default(),
            service: state.service_name(invitation.service),
        });
    }
}

pub(crate) fn answer_knock(
    state: &mut State,
    turn: &mut Transaction,
    id: InvitationId,
    answer: KnockAnswer,
) -> Result<(), Fault> {
    let mut invitation = open(state, id)?.clone();
    let Some(person) = invitation.person.filter(|_| invitation.state == SentState::Knocking) else {
        return Err(Fault::new(Code::NotFound, "Nobody asks to be let in with this invitation."));
    };
    let hubs = state.knocks.get(&id).map(|it| it.card.clone());
    if answer == KnockAnswer::Deny {
        end(state, turn, id, SentState::Declined);
    } else {
        invitation.terms.until_quit |= answer == KnockAnswer::Once;
        let terms = invitation.terms.clone();
        state.invitations.change(turn, id, |it| (it.allowed, it.terms) = (true, terms));
        let name = invitation.knocker.clone().unwrap_or_default();
        let card = hubs.unwrap_or(ContactInfo { name, postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() });
        accept(state, turn, &invitation, person, card)
            .map_err(|code| Fault::new(code, "Too many people have access: forget or revoke some first."))?;
    }
    mail::tell(state, turn, person, mail::Subject::Ticket(id), PeerNotification::KnockDecided { ticket: id });
    Ok(())
}

/// A friend's app has shown the invitation to its person.
pub(crate) fn seen(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> PeerResponse {
    if let Err(code) = check(state, turn, person, id, secret) {
        return PeerResponse::Refused(code);
    }
    state.invitations.change(turn, id, |it| {
        if matches!(it.state, SentState::Created | SentState::Delivered) {
            it.state = SentState::Seen;
        }
    });
    PeerResponse::Done
}

/// A friend says no.
pub(crate) fn decline(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> PeerResponse {
    let invitation = match check(state, turn, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return PeerResponse::Refused(code),
    };
    if is_open(invitation.state) {
        state.invitations.change(turn, id, |it| it.person = Some(person));
        end(state, turn, id, SentState::Declined);
        let from = state.invited_name(&invitation).unwrap_or_else(|| state.name(person));
        turn.notify(Notice::Declined { from, name: state.service_name(invitation.service) });
    } else if let Some(grant) = state.grants.find(|it| it.invitation == id && it.person == person).map(|it| it.id) {
        // They accepted, changed their mind, and never heard of the grant.
        return grants::give_back(state, turn, person, grant);
    }
    PeerResponse::Done
}
