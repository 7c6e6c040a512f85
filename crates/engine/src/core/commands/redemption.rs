//! What the holder of an invitation asks: to redeem it (perhaps after a knock), or to decline it.
//!
//! ```text
//! Redeem ──► secret and person right? ──► must the owner be asked? ─── no ──► grant, contact ──► Granted
//!                                              └─ yes ──► knock ──► once, always ──────┘
//!                                                          └─► deny ──► Refused
//! ```
//!
//! An invitation is bound to the first person who redeems it with the right secret: the same person gets the same grant
//! again, anybody else is refused. Every refusal goes to the audit log.

use crate::api::{Code, Fault, GrantState, InvitationId, KnockAnswer, Notice, SentState};
use crate::core::derive::{access, contact_info};
use crate::core::records::{Records, audit, contact, grant, invitation};
use crate::core::schema::{Grant, Invitation};
use crate::core::task_request::MailSubject;
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::{ContactInfo, PeerNotification, PeerResponse};
use postern_node::identity::Identifier;

/// The invitation, unless somebody else has used it. The authorization matrix has admitted nobody without its secret.
fn check(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> Result<Invitation, Code> {
    let (service, refusal) = match records.opened_by(id, secret) {
        None => (None, Code::BadTicket),
        Some(it) if it.person.is_some_and(|bound| bound != person) => (Some(it.service), Code::TicketUsed),
        Some(it) => return Ok(it.clone()),
    };
    audit::refused(records, tx, service, Some(person), refusal);
    Err(refusal)
}

/// Turns an invitation into a grant.
pub(super) fn redeem(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
    info: ContactInfo,
) -> PeerResponse {
    let info = validation::clean_contact_info(info);
    let invitation = match check(records, tx, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return PeerResponse::Refused(code),
    };
    let refusal = match invitation.state {
        SentState::Accepted => return redeem_again(records, tx, &invitation, person, info),
        SentState::Revoked if !records.services.contains(invitation.service) => Some(Code::ServiceClosed),
        SentState::Revoked => Some(Code::Revoked),
        SentState::Declined => Some(Code::Denied),
        SentState::Expired => Some(Code::Expired),
        SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking => None,
    };
    if let Some(code) = refusal {
        audit::refused(records, tx, Some(invitation.service), Some(person), code);
        return PeerResponse::Refused(code);
    }
    let has_access = |it: &Grant| it.service == invitation.service && it.person == person && it.is_live();
    if let Some(grant) = records.grants.find(has_access).cloned() {
        // A person with access needs no second grant: the link stays good for somebody else.
        contact::update(records, tx, person, info);
        return granted(records, &grant);
    }
    if invitation.ask_first && !invitation.allowed {
        invitation::knock(records, tx, &invitation, person, info);
        return PeerResponse::Pending;
    }
    match accept(records, tx, &invitation, person, info) {
        Ok(grant) => granted(records, &grant),
        Err(code) => PeerResponse::Refused(code),
    }
}

/// The same person redeems again: they did not get the answer, or ask what became of it.
fn redeem_again(
    records: &mut Records,
    tx: &mut Transaction,
    invitation: &Invitation,
    person: Identifier,
    info: ContactInfo,
) -> PeerResponse {
    contact::update(records, tx, person, info);
    let grant = records.grants.find(|it| it.invitation == invitation.id && it.person == person);
    match grant {
        Some(grant) if grant.is_live() => granted(records, grant),
        _ if !records.services.contains(invitation.service) => PeerResponse::Refused(Code::ServiceClosed),
        Some(grant) if grant.state == GrantState::Revoked => PeerResponse::Refused(Code::Revoked),
        _ => PeerResponse::Refused(Code::Expired),
    }
}

fn granted(records: &Records, grant: &Grant) -> PeerResponse {
    match records.services.get(grant.service) {
        Some(service) => {
            PeerResponse::Granted(access::offer(grant, service), contact_info::for_person(records, grant.person))
        }
        None => PeerResponse::Refused(Code::ServiceClosed),
    }
}

/// Binds the invitation, and makes the contact and the grant.
fn accept(
    records: &mut Records,
    tx: &mut Transaction,
    invitation: &Invitation,
    person: Identifier,
    info: ContactInfo,
) -> Result<Grant, Code> {
    if records.has_no_room_for(person) || !grant::make_room(records, tx) {
        audit::refused(records, tx, Some(invitation.service), Some(person), Code::TooMany);
        return Err(Code::TooMany);
    }
    contact::add_or_update(records, tx, person, info);
    let grant = grant::make(records, tx, invitation, person);
    invitation::accepted(records, tx, invitation.id, person);
    let (from, name) = (records.name(person), records.service_name(grant.service));
    tx.notify(Notice::Joined { service: grant.service, from, name });
    Ok(grant)
}

/// The owner answers a knock.
pub(super) fn answer_knock(
    records: &mut Records,
    tx: &mut Transaction,
    id: InvitationId,
    answer: KnockAnswer,
) -> Result<(), Fault> {
    let mut invitation = records.open_invitation(id)?.clone();
    let Some(person) = invitation.person.filter(|_| invitation.state == SentState::Knocking) else {
        return Err(Fault::new(Code::NotFound, "Nobody asks to be let in with this invitation."));
    };
    if answer == KnockAnswer::Deny {
        invitation::end(records, tx, id, SentState::Declined);
    } else {
        // A knock from before a restart left its name only.
        let info = records.knocks.get(&id).map(|it| it.contact.clone()).unwrap_or_else(|| ContactInfo {
            name: invitation.knocker.clone().unwrap_or_default(),
            postal: Vec::new(),
            hubs: Vec::new(),
            reach: Vec::new(),
        });
        invitation.terms.until_quit |= answer == KnockAnswer::Once;
        invitation::allow(records, tx, id, invitation.terms.clone());
        accept(records, tx, &invitation, person, info)
            .map_err(|code| Fault::new(code, "Too many people have access: forget or revoke some first."))?;
    }
    tx.send(person, MailSubject::Ticket(id), PeerNotification::KnockDecided { ticket: id });
    Ok(())
}

/// The friend's app has shown the invitation.
pub(super) fn seen(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> PeerResponse {
    if let Err(code) = check(records, tx, person, id, secret) {
        return PeerResponse::Refused(code);
    }
    invitation::seen(records, tx, id);
    PeerResponse::Done
}

/// The friend declines.
pub(super) fn decline(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    id: InvitationId,
    secret: &[u8; 32],
) -> PeerResponse {
    let invitation = match check(records, tx, person, id, secret) {
        Ok(invitation) => invitation,
        Err(code) => return PeerResponse::Refused(code),
    };
    if invitation.is_open() {
        invitation::declined(records, tx, &invitation, person);
    } else if let Some(grant) = records.grants.find(|it| it.invitation == id && it.person == person).cloned() {
        // They accepted, changed their mind, and never got the answer with the grant.
        grant::give_back(records, tx, &grant);
    }
    PeerResponse::Done
}
