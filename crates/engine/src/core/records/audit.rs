//! What is written to the audit log, and how often: refused strangers cannot fill the disk with it.

use super::Records;
use crate::api::{AuditEvent, Code, ServiceId};
use crate::core::limits::MAX_REFUSALS;
use crate::core::schema::{Contact, Grant, Inlet, Invitation};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

/// Somebody was refused once.
pub(crate) fn refused(
    records: &mut Records,
    tx: &mut Transaction,
    service: Option<ServiceId>,
    person: Option<Identifier>,
    code: Code,
) {
    refused_times(records, tx, service, person, code, 1);
}

/// Somebody was refused. Has an entry of its own unless there were many in this hour; the further ones are counted in one.
pub(crate) fn refused_times(
    records: &mut Records,
    tx: &mut Transaction,
    service: Option<ServiceId>,
    person: Option<Identifier>,
    code: Code,
    count: u32,
) {
    write_further_refusals(records, tx, false);
    if records.refusals.entries.take(tx.now.ticks, MAX_REFUSALS) {
        let service = service.and_then(|it| records.services.get(it)).map(|it| it.name.clone());
        let name = person.and_then(|it| records.contacts.get(it)).map(Contact::display_name);
        tx.audit(AuditEvent::Refused { service, person, name, code, count });
    } else {
        let before = records.refusals.further.map_or(0, |(count, _)| count);
        records.refusals.further = Some((before.saturating_add(count), code));
    }
}

/// Writes the refusals without an entry of their own as one, when their hour is over or the engine stops.
pub(crate) fn write_further_refusals(records: &mut Records, tx: &mut Transaction, stops: bool) {
    if (stops || tx.now.ticks >= records.refusals.entries.ends())
        && let Some((count, code)) = records.refusals.further.take()
    {
        tx.audit(AuditEvent::Refused { service: None, person: None, name: None, code, count });
    }
}

pub(crate) fn service(tx: &mut Transaction, name: &str, what: &str) {
    tx.audit(AuditEvent::Service { service: name.to_owned(), what: what.to_owned() });
}

pub(crate) fn invitation(records: &Records, tx: &mut Transaction, invitation: &Invitation, what: &str) {
    tx.audit(AuditEvent::Invitation {
        service: records.service_name(invitation.service),
        person: invitation.person,
        name: records.invited_name(invitation),
        what: what.to_owned(),
    });
}

pub(crate) fn grant(records: &Records, tx: &mut Transaction, grant: &Grant, what: &str) {
    tx.audit(AuditEvent::Grant {
        service: records.service_name(grant.service),
        person: grant.person,
        name: records.name(grant.person),
        what: what.to_owned(),
    });
}

pub(crate) fn portal(records: &Records, tx: &mut Transaction, inlet: &Inlet, what: &str) {
    let (portal, owner) = (inlet.name.clone(), records.name(inlet.owner));
    tx.audit(AuditEvent::Portal { portal, owner, what: what.to_owned() });
}

pub(crate) fn contact(records: &Records, tx: &mut Transaction, person: Identifier, what: &str) {
    tx.audit(AuditEvent::Contact { person, name: records.name(person), what: what.to_owned() });
}
