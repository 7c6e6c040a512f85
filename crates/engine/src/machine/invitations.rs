//! Invitations that this person sends: made, delivered, seen, knocked with, and turned into grants.
//!
//! ```text
//! created ─► delivered ─► seen ─► knocking ─► accepted        whoever redeems first with the right secret is bound:
//!    └───────────┴──────────┴────────┴──────► declined        the same person again gets the same grant, anybody
//!                                             expired         else is refused
//!                                             revoked
//! ```

use super::limits::{MAX_INVITATIONS, MAX_VALID_FOR, MIN_VALID_FOR, VALID_FOR};
use super::record::{Grant, Invitation};
use super::turn::Turn;
use super::{State, contacts, gate, grants, mail, receipts, texts};
use crate::desk::{Card, FromOwner, News};
use crate::model::{
    Answer, Code, Fault, GrantState, InvitationId, InviteTo, KnockAnswer, Notice, SentState, ServiceId, Terms,
    UnixMillis,
};
use crate::ticket::Ticket;
use postern_node::identity::Identifier;
use sha2::{Digest, Sha256};

/// What an invitation is about.
pub(super) struct Offering {
    pub(super) ask_first: bool,
    pub(super) valid_for: Option<u64>,
    pub(super) terms: Terms,
}

/// Somebody who knocks in this run.
pub(super) struct Knock {
    pub(super) at: UnixMillis,
    card: Card,
}

/// Whether an invitation can still be accepted, its time aside.
pub(super) fn is_open(state: SentState) -> bool {
    matches!(state, SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking)
}

pub(super) fn no_way_in() -> Fault {
    Fault::new(Code::NoWayIn, "Nobody can reach you yet: add a hub, or let others reach this computer.")
}

pub(super) fn invite(
    state: &mut State,
    turn: &mut Turn,
    service: ServiceId,
    to: InviteTo,
    offering: Offering,
) -> Result<Answer, Fault> {
    let service_name = state.service(service)?.name.clone();
    grants::check_terms(&offering.terms, turn.now.wall)?;
    let expires = expiry(turn, offering.valid_for)?;
    if state.reach().is_empty() {
        return Err(no_way_in());
    }
    let (person, note) = match to {
        InviteTo::Link { note } => (None, note.map(|it| texts::name(&it)).transpose()?),
        InviteTo::Contact { person } => {
            check_guest(state, service, &service_name, person)?;
            (Some(person), None)
        }
    };
    if !has_room(state, turn) {
        return Err(Fault::new(Code::TooMany, "Too many invitations are open: take some back first."));
    }
    let secret: [u8; 32] = turn.random();
    let invitation = Invitation {
        id: InvitationId(turn.random()),
        service,
        secret: hex::encode(secret),
        person,
        note,
        knocker: None,
        ask_first: offering.ask_first,
        allowed: false,
        terms: offering.terms,
        state: SentState::Created,
        created: turn.now.wall,
        expires,
    };
    receipts::invitation(state, turn, &invitation, "made");
    let id = invitation.id;
    let link = if person.is_none() { Some(ticket(state, &invitation)?.encode()) } else { None };
    state.invitations.put(turn, invitation);
    Ok(Answer::Invitation { invitation: id, link })
}

/// Whether a contact can be invited, with a sentence that says why not.
fn check_guest(state: &State, service: ServiceId, service_name: &str, person: Identifier) -> Result<(), Fault> {
    if Some(person) == state.me() {
        return Err(Fault::new(Code::OwnInvitation, "This is you: there is no need to invite yourself."));
    }
    let Some(contact) = state.contacts.get(person) else {
        return Err(Fault::new(Code::NotFound, "You do not know this person: send them a link instead."));
    };
    let name = contacts::name_of(contact);
    if contact.blocked {
        return Err(Fault::new(Code::Blocked, format!("You have blocked {name}: unblock them first.")));
    }
    let is_in = |it: &Grant| it.service == service && it.person == person && grants::is_live(it.state);
    if state.grants.all().any(is_in) {
        return Err(Fault::new(Code::AlreadyIn, format!("{name} can use {service_name} already.")));
    }
    let is_invited = |it: &Invitation| it.service == service && it.person == Some(person) && is_open(it.state);
    if state.invitations.all().any(is_invited) {
        return Err(Fault::new(Code::AlreadyIn, format!("{name} is invited to {service_name} already.")));
    }
    if !mail::can_be_mailed(contact) {
        return Err(Fault::new(Code::CannotMail, format!("{name} has no mailbox: send them a link instead.")));
    }
    Ok(())
}

fn expiry(turn: &Turn, valid_for: Option<u64>) -> Result<UnixMillis, Fault> {
    let valid_for = valid_for.map_or(VALID_FOR, |seconds| seconds.saturating_mul(1000));
    if !(MIN_VALID_FOR..=MAX_VALID_FOR).contains(&valid_for) {
        return Err(Fault::new(Code::Invalid, "An invitation is good for a minute at least and a year at most."));
    }
    Ok(turn.now.wall.plus(valid_for))
}

/// Makes room for one more invitation, if finished ones can go.
fn has_room(state: &mut State, turn: &mut Turn) -> bool {
    if state.invitations.len() >= MAX_INVITATIONS {
        let finished = state.invitations.all().filter(|it| !is_open(it.state) && !is_bound_to_a_grant(state, it));
        let Some(oldest) = finished.min_by_key(|it| (it.created, it.id)).map(|it| it.id) else { return false };
        state.invitations.remove(turn, oldest);
    }
    true
}

/// Whether redeeming again must still find the grant that was made.
fn is_bound_to_a_grant(state: &State, invitation: &Invitation) -> bool {
    state.grants.all().any(|it| it.invitation == invitation.id && grants::is_live(it.state))
}

fn secret_of(invitation: &Invitation) -> [u8; 32] {
    let mut secret = [0; 32];
    // What is not 32 bytes was not written by this program, and matches nothing but itself.
    if hex::decode_to_slice(&invitation.secret, &mut secret).is_err() {
        secret = Sha256::digest(&invitation.secret).into();
    }
    secret
}

/// Whether two secrets are the same, without telling by the time it takes where they differ.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |rest, (one, other)| rest | (one ^ other))) == 0
}

fn ticket(state: &State, invitation: &Invitation) -> Result<Ticket, Fault> {
    let service = state.service(invitation.service)?;
    let (Some(owner), Some(profile)) = (state.me(), &state.profile) else { return Err(no_way_in()) };
    let reach = state.reach();
    if reach.is_empty() {
        return Err(no_way_in());
    }
    Ok(Ticket {
        id: invitation.id,
        secret: secret_of(invitation),
        owner,
        owner_name: profile.name.clone(),
        reach,
        service_name: service.name.clone(),
        service_kind: service.kind,
        port: texts::port_of(&service.target),
        expires: invitation.expires,
    })
}

/// An invitation as it is mailed; nothing if it cannot be.
pub(super) fn news(state: &State, invitation: &Invitation) -> Option<News> {
    let ticket = ticket(state, invitation).ok()?;
    Some(News::Invitation {
        ticket: ticket.id,
        secret: ticket.secret,
        owner_name: ticket.owner_name,
        reach: ticket.reach,
        service_name: ticket.service_name,
        service_kind: ticket.service_kind,
        description: state.services.get(invitation.service)?.description.clone(),
        port: ticket.port,
        expires: ticket.expires,
    })
}

fn open(state: &State, id: InvitationId) -> Result<&Invitation, Fault> {
    let missing = || Fault::new(Code::NotFound, "There is no such invitation.");
    let invitation = state.invitations.get(id).ok_or_else(missing)?;
    match invitation.state {
        SentState::Accepted => Err(Fault::new(Code::AlreadyIn, "This invitation was accepted already.")),
        SentState::Revoked => Err(Fault::new(Code::Revoked, "You took this invitation back: make a new one.")),
        SentState::Declined => Err(Fault::new(Code::Denied, "This invitation was declined.")),
        SentState::Expired => Err(Fault::new(Code::Expired, "This invitation has expired: send it again.")),
        _ => Ok(invitation),
    }
}

pub(super) fn link(state: &State, _turn: &Turn, id: InvitationId) -> Result<Answer, Fault> {
    let link = ticket(state, open(state, id)?)?.encode();
    Ok(Answer::Invitation { invitation: id, link: Some(link) })
}

pub(super) fn resend(state: &mut State, turn: &mut Turn, id: InvitationId) -> Result<(), Fault> {
    match open(state, id) {
        Err(fault) if !matches!(fault.code, Code::Expired | Code::Denied) => return Err(fault),
        _ if state.reach().is_empty() => return Err(no_way_in()),
        _ => {}
    }
    let expires = expiry(turn, None)?;
    state.invitations.change(turn, id, |it| {
        it.expires = it.expires.max(expires);
        if it.state != SentState::Knocking {
            it.state = SentState::Created;
        }
    });
    state.mail.forget(mail::Subject::Ticket(id));
    Ok(())
}

pub(super) fn revoke(state: &mut State, turn: &mut Turn, id: InvitationId) -> Result<(), Fault> {
    match open(state, id) {
        Err(fault) if matches!(fault.code, Code::Revoked | Code::Denied | Code::Expired) => Ok(()),
        Err(fault) if fault.code == Code::AlreadyIn => {
            Err(Fault::new(Code::AlreadyIn, "This invitation was accepted already: revoke the access instead."))
        }
        Err(fault) => Err(fault),
        Ok(_) => {
            end(state, turn, id, SentState::Revoked);
            Ok(())
        }
    }
}

/// Ends an invitation, and tells whoever holds it.
pub(super) fn end(state: &mut State, turn: &mut Turn, id: InvitationId, how: SentState) {
    if !state.invitations.change(turn, id, |it| it.state = how) {
        return;
    }
    state.knocks.remove(&id);
    state.mail.forget(mail::Subject::Ticket(id));
    let Some(invitation) = state.invitations.get(id) else { return };
    let (what, news) = match how {
        SentState::Revoked => ("revoked", Some(News::Withdrawn { ticket: id })),
        SentState::Declined => ("declined", None),
        _ => ("expired", None),
    };
    receipts::invitation(state, turn, invitation, what);
    if let (Some(person), Some(news)) = (invitation.person, news) {
        mail::tell(state, turn, person, mail::Subject::Ticket(id), news);
    }
}

/// The invitation that a secret opens for this person, or why it opens none.
fn check(
    state: &mut State,
    turn: &mut Turn,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> Result<Invitation, Code> {
    let invitation = state.invitations.get(id).filter(|it| is_same(&secret_of(it), secret));
    let (service, refusal) = match invitation {
        _ if Some(person) == state.me() => (None, Code::OwnInvitation),
        None => (None, Code::BadTicket),
        Some(it) if state.is_blocked(person) => (Some(it.service), Code::Blocked),
        Some(it) if it.person.is_some_and(|bound| bound != person) => (Some(it.service), Code::TicketUsed),
        Some(it) => return Ok(it.clone()),
    };
    receipts::refused(state, turn, service, Some(person), refusal);
    Err(refusal)
}

/// Somebody wants to turn an invitation into a grant.
pub(super) fn redeem(
    state: &mut State,
    turn: &mut Turn,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
    card: Card,
) -> FromOwner {
    let card = texts::clean_card(card);
    let invitation = match check(state, turn, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return FromOwner::Refused(code),
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
        receipts::refused(state, turn, Some(invitation.service), Some(person), code);
        return FromOwner::Refused(code);
    }
    let is_in = |it: &Grant| it.service == invitation.service && it.person == person && grants::is_live(it.state);
    if let Some(grant) = state.grants.find(is_in).cloned() {
        // Whoever is in already needs no second grant, and leaves the link to somebody else.
        contacts::refresh(state, turn, person, card);
        return granted(state, &grant);
    }
    if invitation.ask_first && !invitation.allowed {
        knock(state, turn, &invitation, person, card);
        return FromOwner::Asked;
    }
    match accept(state, turn, &invitation, person, card) {
        Ok(grant) => granted(state, &grant),
        Err(code) => FromOwner::Refused(code),
    }
}

/// The same person redeems again: they did not hear the answer, or ask how it went.
fn redeem_again(
    state: &mut State,
    turn: &mut Turn,
    invitation: &Invitation,
    person: Identifier,
    card: Card,
) -> FromOwner {
    contacts::refresh(state, turn, person, card);
    let grant = state.grants.find(|it| it.invitation == invitation.id && it.person == person).cloned();
    match grant.as_ref().map(|it| it.state) {
        Some(GrantState::Active | GrantState::Paused) => {
            grant.map_or(FromOwner::Refused(Code::Failed), |it| granted(state, &it))
        }
        _ if !state.services.contains(invitation.service) => FromOwner::Refused(Code::ServiceClosed),
        Some(GrantState::Revoked) => FromOwner::Refused(Code::Revoked),
        _ => FromOwner::Refused(Code::Expired),
    }
}

fn granted(state: &State, grant: &Grant) -> FromOwner {
    match state.services.get(grant.service) {
        Some(service) => FromOwner::Granted(gate::offer(grant, service), state.card()),
        None => FromOwner::Refused(Code::ServiceClosed),
    }
}

/// Binds the invitation, makes the contact and the grant.
fn accept(
    state: &mut State,
    turn: &mut Turn,
    invitation: &Invitation,
    person: Identifier,
    card: Card,
) -> Result<Grant, Code> {
    if contacts::is_full(state, person) || !grants::has_room(state, turn) {
        receipts::refused(state, turn, Some(invitation.service), Some(person), Code::TooMany);
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
        receipts::invitation(state, turn, invitation, "accepted");
    }
    let (from, name) = (state.name(person), state.service_name(grant.service));
    turn.notify(Notice::Joined { service: grant.service, from, name });
    Ok(grant)
}

fn knock(state: &mut State, turn: &mut Turn, invitation: &Invitation, person: Identifier, card: Card) {
    let name = card.name.clone();
    let at = state.knocks.get(&invitation.id).map_or(turn.now.wall, |it| it.at);
    state.knocks.insert(invitation.id, Knock { at, card });
    state.invitations.change(turn, invitation.id, |it| {
        it.person = Some(person);
        it.knocker = Some(name);
        it.state = SentState::Knocking;
    });
    if invitation.state != SentState::Knocking
        && let Some(invitation) = state.invitations.get(invitation.id)
    {
        receipts::invitation(state, turn, invitation, "knocked");
        turn.notify(Notice::Knock {
            invitation: invitation.id,
            from: state.invited_name(invitation).unwrap_or_default(),
            service: state.service_name(invitation.service),
        });
    }
}

pub(super) fn answer_knock(
    state: &mut State,
    turn: &mut Turn,
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
        let card = hubs.unwrap_or(Card { name, postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() });
        accept(state, turn, &invitation, person, card)
            .map_err(|code| Fault::new(code, "Too many people have access: forget or revoke some first."))?;
    }
    mail::tell(state, turn, person, mail::Subject::Ticket(id), News::Decided { ticket: id });
    Ok(())
}

/// A friend's app has shown the invitation to its person.
pub(super) fn seen(
    state: &mut State,
    turn: &mut Turn,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> FromOwner {
    if let Err(code) = check(state, turn, person, id, secret) {
        return FromOwner::Refused(code);
    }
    state.invitations.change(turn, id, |it| {
        if matches!(it.state, SentState::Created | SentState::Delivered) {
            it.state = SentState::Seen;
        }
    });
    FromOwner::Done
}

/// A friend says no.
pub(super) fn decline(
    state: &mut State,
    turn: &mut Turn,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> FromOwner {
    let invitation = match check(state, turn, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return FromOwner::Refused(code),
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
    FromOwner::Done
}
