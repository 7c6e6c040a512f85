//! Inviting, sending again and revoking.

use crate::api::{Answer, Code, Fault, InvitationId, InviteTo, SentState, ServiceId, Terms, UnixMillis};
use crate::core::derive::{contact_info, tickets};
use crate::core::fault_messages::no_way_in;
use crate::core::limits::{MAX_VALID_FOR, MIN_VALID_FOR, VALID_FOR};
use crate::core::records::{Records, invitation};
use crate::core::schema::{Contact, Grant, Invitation, TicketSecret};
use crate::core::transaction::Transaction;
use crate::core::validation;
use postern_node::identity::Identifier;

/// The conditions of an invitation.
pub(super) struct Offering {
    pub(super) ask_first: bool,
    /// How long it can be accepted, in seconds.
    pub(super) valid_for: Option<u64>,
    pub(super) terms: Terms,
}

pub(super) fn invite(
    records: &mut Records,
    tx: &mut Transaction,
    service: ServiceId,
    to: InviteTo,
    offering: Offering,
) -> Result<Answer, Fault> {
    let service_name = records.service(service)?.name.clone();
    records.check_identity()?;
    validation::terms(&offering.terms, tx.now.wall)?;
    let expires = expiry(tx, offering.valid_for)?;
    if contact_info::addresses(records).is_empty() {
        return Err(no_way_in());
    }
    let clean = |note: Option<String>| note.map(|it| validation::name(&it)).transpose();
    let (person, note, web) = match to {
        InviteTo::Link { note } => (None, clean(note)?, None),
        InviteTo::WebLink { note, base } => (None, clean(note)?, Some(web_page(records, base)?)),
        InviteTo::Contact { person } => {
            check_guest(records, service, &service_name, person)?;
            (Some(person), None, None)
        }
    };
    if !invitation::make_room(records, tx) {
        return Err(Fault::new(Code::TooMany, "Too many invitations are open: take some back first."));
    }
    let invitation = Invitation {
        id: InvitationId(tx.random()),
        service,
        secret: Some(TicketSecret::new(tx.random())),
        person,
        note,
        knocker: None,
        // Whoever serves the page could read the link.
        ask_first: offering.ask_first || web.is_some(),
        allowed: false,
        terms: offering.terms,
        state: SentState::Created,
        created: tx.now.wall,
        expires,
        web,
    };
    let id = invitation.id;
    let link = if person.is_none() { Some(tickets::link(records, &invitation)?) } else { None };
    invitation::add(records, tx, invitation);
    Ok(Answer::Invitation { invitation: id, link })
}

/// The page that a web link leads to.
fn web_page(records: &Records, base: Option<String>) -> Result<String, Fault> {
    match base {
        Some(base) => validation::web_page(&base),
        None => records.profile.as_ref().and_then(|it| it.web_links.clone()).ok_or_else(|| {
            Fault::new(Code::Invalid, "Say which page web links lead to: the address where somebody serves join.html.")
        }),
    }
}

/// Fails if a person cannot be invited without a link.
fn check_guest(records: &Records, service: ServiceId, service_name: &str, person: Identifier) -> Result<(), Fault> {
    if Some(person) == records.me() {
        return Err(Fault::new(Code::OwnInvitation, "This is you: there is no need to invite yourself."));
    }
    let Some(contact) = records.contacts.get(person) else {
        return Err(Fault::new(Code::NotFound, "You do not know this person: send them a link instead."));
    };
    let name = contact.display_name();
    if contact.blocked {
        return Err(Fault::new(Code::Blocked, format!("You have blocked {name}: unblock them first.")));
    }
    let has_access = |it: &Grant| it.service == service && it.person == person && it.is_live();
    if records.grants.all().any(has_access) {
        return Err(Fault::new(Code::AlreadyIn, format!("{name} can use {service_name} already.")));
    }
    let is_invited = |it: &Invitation| it.service == service && it.person == Some(person) && it.is_open();
    if records.invitations.all().any(is_invited) {
        return Err(Fault::new(Code::AlreadyIn, format!("{name} is invited to {service_name} already.")));
    }
    if !Contact::can_be_mailed(contact) {
        return Err(Fault::new(Code::CannotMail, format!("{name} has no mailbox: send them a link instead.")));
    }
    Ok(())
}

fn expiry(tx: &Transaction, valid_for: Option<u64>) -> Result<UnixMillis, Fault> {
    let valid_for = valid_for.map_or(VALID_FOR, |seconds| seconds.saturating_mul(1000));
    if !(MIN_VALID_FOR..=MAX_VALID_FOR).contains(&valid_for) {
        return Err(Fault::new(Code::Invalid, "An invitation is good for a minute at least and a year at most."));
    }
    Ok(tx.now.wall.plus(valid_for))
}

/// The link of an invitation, once more.
pub(super) fn link(records: &Records, id: InvitationId) -> Result<Answer, Fault> {
    let link = tickets::link(records, records.open_invitation(id)?)?;
    Ok(Answer::Invitation { invitation: id, link: Some(link) })
}

/// Makes an invitation valid again, and mails it again. One that expired or was declined can be sent again too.
pub(super) fn resend(records: &mut Records, tx: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
    match records.open_invitation(id) {
        Err(fault) if !matches!(fault.code, Code::Expired | Code::Denied) => return Err(fault),
        _ if contact_info::addresses(records).is_empty() => return Err(no_way_in()),
        _ => {}
    }
    let person = records.invitations.get(id).and_then(|it| it.person);
    if let Some(person) = person.filter(|it| records.is_blocked(*it)) {
        let name = records.name(person);
        return Err(Fault::new(Code::Blocked, format!("You have blocked {name}: unblock them first.")));
    }
    let expires = expiry(tx, None)?;
    invitation::renew(records, tx, id, expires);
    Ok(())
}

/// Revokes an invitation. One that has ended without being accepted needs nothing more.
pub(super) fn revoke(records: &mut Records, tx: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
    match records.open_invitation(id) {
        Err(fault) if matches!(fault.code, Code::Revoked | Code::Denied | Code::Expired) => Ok(()),
        Err(fault) if fault.code == Code::AlreadyIn => {
            Err(Fault::new(Code::AlreadyIn, "This invitation was accepted already: revoke the access instead."))
        }
        Err(fault) => Err(fault),
        Ok(_) => {
            invitation::end(records, tx, id, SentState::Revoked);
            Ok(())
        }
    }
}
