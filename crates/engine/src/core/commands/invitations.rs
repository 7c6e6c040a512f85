//! Invitations that this person sends: made, shown again, sent again, taken back.
//!
//! ```text
//! created ─► delivered ─► seen ─► knocking ─► accepted
//!    └───────────┴──────────┴────────┴──────► declined, expired, revoked
//! ```

use crate::api::{Answer, Code, Fault, InvitationId, InviteTo, SentState, ServiceId, Terms, UnixMillis};
use crate::core::commands::{contacts, grants};
use crate::core::limits::{MAX_INVITATIONS, MAX_VALID_FOR, MIN_VALID_FOR, VALID_FOR};
use crate::core::records::{Grant, Invitation, TicketSecret};
use crate::core::tasks::mail;
use crate::core::transaction::Transaction;
use crate::core::{State, audit, validation};
use crate::peer::PeerNotification;
use crate::peer::ticket::Ticket;
use postern_node::identity::Identifier;

/// What an invitation is about.
pub(crate) struct Offering {
    pub(crate) ask_first: bool,
    pub(crate) valid_for: Option<u64>,
    pub(crate) terms: Terms,
}

/// Whether an invitation can still be accepted, its time aside.
pub(crate) fn is_open(state: SentState) -> bool {
    matches!(state, SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking)
}

pub(crate) fn no_way_in() -> Fault {
    Fault::new(Code::NoWayIn, "Nobody can reach you yet: add a hub, or let others reach this computer.")
}

pub(crate) fn invite(
    state: &mut State,
    turn: &mut Transaction,
    service: ServiceId,
    to: InviteTo,
    offering: Offering,
) -> Result<Answer, Fault> {
    let service_name = state.service(service)?.name.clone();
    state.check_key()?;
    grants::check_terms(&offering.terms, turn.now.wall)?;
    let expires = expiry(turn, offering.valid_for)?;
    if state.reach().is_empty() {
        return Err(no_way_in());
    }
    let (person, note) = match to {
        InviteTo::Link { note } => (None, note.map(|it| validation::name(&it)).transpose()?),
        InviteTo::Contact { person } => {
            check_guest(state, service, &service_name, person)?;
            (Some(person), None)
        }
    };
    if !has_room(state, turn) {
        return Err(Fault::new(Code::TooMany, "Too many invitations are open: take some back first."));
    }
    let invitation = Invitation {
        id: InvitationId(turn.random()),
        service,
        secret: Some(TicketSecret::new(turn.random())),
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
    audit::invitation(state, turn, &invitation, "made");
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

fn expiry(turn: &Transaction, valid_for: Option<u64>) -> Result<UnixMillis, Fault> {
    let valid_for = valid_for.map_or(VALID_FOR, |seconds| seconds.saturating_mul(1000));
    if !(MIN_VALID_FOR..=MAX_VALID_FOR).contains(&valid_for) {
        return Err(Fault::new(Code::Invalid, "An invitation is good for a minute at least and a year at most."));
    }
    Ok(turn.now.wall.plus(valid_for))
}

/// Makes room for one more invitation, if finished ones can go.
fn has_room(state: &mut State, turn: &mut Transaction) -> bool {
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

fn ticket(state: &State, invitation: &Invitation) -> Result<Ticket, Fault> {
    let service = state.service(invitation.service)?;
    let (Some(owner), Some(profile)) = (state.me(), &state.profile) else { return Err(no_way_in()) };
    let reach = state.reach();
    if reach.is_empty() {
        return Err(no_way_in());
    }
    state.check_key()?;
    let missing = "The key that this invitation was sealed with is gone: take it back and make a new one.";
    let secret = invitation.secret.as_ref().ok_or_else(|| Fault::new(Code::NotFound, missing))?;
    Ok(Ticket {
        id: invitation.id,
        secret: *secret.reveal(),
        owner,
        owner_name: profile.name.clone(),
        reach,
        service_name: service.name.clone(),
        service_kind: service.kind,
        port: validation::port_of(&service.target),
        expires: invitation.expires,
    })
}

/// An invitation as it is mailed; nothing if it cannot be.
pub(crate) fn news(state: &State, invitation: &Invitation) -> Option<PeerNotification> {
    let ticket = ticket(state, invitation).ok()?;
    Some(PeerNotification::Invitation {
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

pub(crate) fn open(state: &State, id: InvitationId) -> Result<&Invitation, Fault> {
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

pub(crate) fn link(state: &State, _turn: &Transaction, id: InvitationId) -> Result<Answer, Fault> {
    let link = ticket(state, open(state, id)?)?.encode();
    Ok(Answer::Invitation { invitation: id, link: Some(link) })
}

pub(crate) fn resend(state: &mut State, turn: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
    match open(state, id) {
        Err(fault) if !matches!(fault.code, Code::Expired | Code::Denied) => return Err(fault),
        _ if state.reach().is_empty() => return Err(no_way_in()),
        _ => {}
    }
    let person = state.invitations.get(id).and_then(|it| it.person);
    if let Some(person) = person.filter(|it| state.is_blocked(*it)) {
        let name = state.name(person);
        return Err(Fault::new(Code::Blocked, format!("You have blocked {name}: unblock them first.")));
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

pub(crate) fn revoke(state: &mut State, turn: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
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
pub(crate) fn end(state: &mut State, turn: &mut Transaction, id: InvitationId, how: SentState) {
    if !state.invitations.change(turn, id, |it| it.state = how) {
        return;
    }
    state.knocks.remove(&id);
    state.mail.forget(mail::Subject::Ticket(id));
    let Some(invitation) = state.invitations.get(id) else { return };
    let (what, news) = match how {
        SentState::Revoked => ("revoked", Some(PeerNotification::Withdrawn { ticket: id })),
        SentState::Declined => ("declined", None),
        _ => ("expired", None),
    };
    audit::invitation(state, turn, invitation, what);
    if let (Some(person), Some(news)) = (invitation.person, news) {
        mail::tell(state, turn, person, mail::Subject::Ticket(id), news);
    }
}
