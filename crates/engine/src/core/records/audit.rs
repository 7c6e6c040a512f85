//! What is written to the audit log, and how often: refused strangers cannot fill the disk with it.

use super::Records;
use crate::api::{AuditEvent, Code, ServiceId};
use crate::core::limits::{MAX_REFUSALS, MINUTE};
use crate::core::observed::RefusalCount;
use crate::core::schema::{Contact, Grant, Inlet, Invitation};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

/// Somebody was refused. Written unless the rate limit of refusals is reached.
pub(crate) fn refused(
    records: &mut Records,
    tx: &mut Transaction,
    service: Option<ServiceId>,
    person: Option<Identifier>,
    code: Code,
) {
    let refusals = &mut records.refusals;
    if tx.now.ticks >= refusals.since.saturating_add(MINUTE) {
        *refusals = RefusalCount { since: tx.now.ticks, count: 0 };
    }
    refusals.count = refusals.count.saturating_add(1);
    if refusals.count <= MAX_REFUSALS {
        let service = service.and_then(|it| records.services.get(it)).map(|it| it.name.clone());
        let name = person.and_then(|it| records.contacts.get(it)).map(Contact::display_name);
        tx.audit(AuditEvent::Refused { service, person, name, code });
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
