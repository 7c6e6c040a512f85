//! The invitations that the user received.
//!
//! ```text
//! new ─► accepted ─► (owner grants) portal          new ─► declined: over
//!             └────► (owner refuses) over            └───► expired, withdrawn: over
//! ```
//!
//! Before an invitation is accepted nothing is sent because of it: its owner and the addresses in it were chosen by whoever
//! wrote the link.

use super::{Records, audit, contact, inlet};
use crate::api::{AuditEvent, Code, Fault, InvitationId, UnixMillis};
use crate::core::limits::MAX_RECEIVED;
use crate::core::schema::Received;
use crate::core::task_request::{OutboundCall, TaskRequest};
use crate::core::transaction::Transaction;
use crate::core::{fault_messages, validation};
use crate::peer::{ContactInfo, Offer};
use postern_node::identity::Identifier;

impl Records {
    /// A received invitation that was not declined.
    pub(crate) fn received_invitation(&self, id: InvitationId) -> Result<&Received, Fault> {
        let missing = || Fault::new(Code::NotFound, "There is no such invitation.");
        self.received.get(id).filter(|it| !it.declined).ok_or_else(missing)
    }

    /// Why an invitation cannot be accepted, if it cannot.
    pub(crate) fn obstacle(&self, received: &Received, wall: UnixMillis) -> Option<Fault> {
        let known = self.received.get(received.id);
        if Some(received.owner) == self.me() {
            return Some(fault_messages::invitation(Code::OwnInvitation, ""));
        }
        if self.is_blocked(received.owner) {
            let sentence = format!("You have blocked {}: unblock them first.", self.name(received.owner));
            return Some(Fault::new(Code::Blocked, sentence));
        }
        if let Some(known) = known.filter(|it| it.owner == received.owner) {
            let is_renewed = received.claimed_expiry() > known.claimed_expiry() && !known.has_become_portal();
            match &known.over {
                _ if is_renewed => {}
                Some(fault) if fault.code != Code::Expired => return Some(fault.clone()),
                _ if known.declined => return Some(declined_by_user()),
                _ => {}
            }
        }
        (received.expires <= wall).then(|| fault_messages::invitation(Code::Expired, &received.owner_name))
    }
}

fn declined_by_user() -> Fault {
    Fault::new(Code::Denied, "You have declined this invitation: ask for a new one.")
}

/// Adds an invitation that can be accepted, unless it is here already. Returns whether it is new to the user.
pub(crate) fn add(records: &mut Records, tx: &mut Transaction, received: Received) -> Result<bool, Fault> {
    records.check_identity()?;
    let id = received.id;
    if let Some(known) = records.received.get(id) {
        if known.owner != received.owner {
            return Err(Fault::new(Code::NotTrusted, "Somebody else has sent an invitation with this number."));
        }
        if !known.is_answered() && known.over.is_none() {
            let description = received.description.or_else(|| known.description.clone());
            let (accepted, chosen_port) = (known.accepted, known.chosen_port);
            records.received.change(tx, id, |it| *it = Received { description, accepted, chosen_port, ..received });
            return Ok(false);
        }
    } else if !make_room(records, tx) {
        return Err(Fault::new(Code::TooMany, "Too many invitations wait: answer some first."));
    }
    records.received.put(tx, received);
    Ok(true)
}

fn make_room(records: &mut Records, tx: &mut Transaction) -> bool {
    if records.received.len() >= MAX_RECEIVED {
        let dispensable = records.received.all().filter(|it| it.over.is_some() || records.is_blocked(it.owner));
        let Some(oldest) = dispensable.min_by_key(|it| (it.expires, it.id)).map(|it| it.id) else { return false };
        records.received.remove(tx, oldest);
    }
    true
}

/// The user accepts; the owner is asked until it answers.
pub(crate) fn accept(records: &mut Records, tx: &mut Transaction, id: InvitationId, port: Option<u16>) {
    records.received.change(tx, id, |it| (it.accepted, it.chosen_port) = (true, port));
}

/// The user declines, or dismisses one that is over. The owner is told at most once, and only through a hub of the user.
pub(crate) fn decline(records: &mut Records, tx: &mut Transaction, id: InvitationId) {
    if let Some(received) = records.received.get(id).filter(|it| it.over.is_none()) {
        tx.audit(AuditEvent::Invitation {
            service: received.service_name.clone(),
            person: Some(received.owner),
            name: Some(received.owner_name.clone()),
            what: "declined".to_owned(),
        });
        tx.request(TaskRequest::Call(OutboundCall::Decline(id)));
    }
    records.received.change(tx, id, |it| {
        (it.accepted, it.declined) = (false, true);
        it.over.get_or_insert_with(declined_by_user);
    });
}

/// The owner refuses, has withdrawn it, or its time is over.
pub(crate) fn refused(records: &mut Records, tx: &mut Transaction, id: InvitationId, code: Code) {
    let Some(received) = records.received.get(id) else { return };
    let over = fault_messages::invitation(code, &received.owner_name);
    records.received.change(tx, id, |it| it.over = Some(over));
}

/// The owner grants: the portal is made. Fails when the answer cannot be used now; it is then asked for again.
pub(crate) fn granted(
    records: &mut Records,
    tx: &mut Transaction,
    id: InvitationId,
    offer: Offer,
    info: ContactInfo,
) -> Result<(), Fault> {
    let Some(received) = records.received.get(id).cloned() else { return Ok(()) };
    let Some(offer) = validation::clean_offer(offer) else {
        return Err(Fault::new(Code::Failed, "The owner's answer makes no sense."));
    };
    let info = validation::clean_contact_info(info);
    if records.has_no_room_for(received.owner) {
        return Err(Fault::new(Code::TooMany, "You know as many people as can be known: forget somebody first."));
    }
    contact::add_or_update(records, tx, received.owner, info.clone());
    match inlet::make(records, tx, &received, offer, info.reach) {
        Ok(()) => refused(records, tx, id, Code::AlreadyIn),
        Err(fault) => {
            records.received.change(tx, id, |it| it.over = Some(fault));
        }
    }
    Ok(())
}

/// Whether a received invitation is from this owner. Somebody else's mention of it goes to the audit log.
pub(crate) fn check_owner(records: &mut Records, tx: &mut Transaction, id: InvitationId, owner: Identifier) -> bool {
    match records.received.get(id).map(|it| it.owner == owner) {
        Some(true) => true,
        Some(false) => {
            audit::refused(records, tx, None, Some(owner), Code::NotTrusted);
            false
        }
        None => false,
    }
}

/// Applies expiry to a received invitation: an answered one is forgotten, any other is over.
pub(crate) fn expire(records: &mut Records, tx: &mut Transaction, id: InvitationId) {
    if records.received.get(id).is_some_and(Received::is_answered) {
        records.received.remove(tx, id);
    } else {
        refused(records, tx, id, Code::Expired);
    }
}
