//! What the outlets report: streams that opened, ended or were refused.

use crate::api::{GrantId, ServiceId};
use crate::core::derive::access;
use crate::core::effect::Effect;
use crate::core::event::Refusal;
use crate::core::records::usage::{self, StreamEnd};
use crate::core::records::{Records, audit};
use crate::core::task_request::TaskRequest;
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

/// A stream of a grant ended. If that was the service's fault, its target is checked.
pub(crate) fn ended(
    records: &mut Records,
    tx: &mut Transaction,
    grant: GrantId,
    end: StreamEnd,
    reason: Option<Refusal>,
) {
    let grant = usage::stream_ended(records, tx, grant, end);
    if let Some(grant) = grant.filter(|_| reason.is_some_and(Refusal::is_services_fault)) {
        tx.request(TaskRequest::CheckService(grant.service));
    }
}

/// Somebody was refused streams, `count` times since the last report. The channels of a blocked person are closed.
pub(crate) fn refused(
    records: &mut Records,
    tx: &mut Transaction,
    service: ServiceId,
    person: Option<Identifier>,
    refusal: Refusal,
    count: u32,
) {
    if refusal.is_services_fault() {
        tx.request(TaskRequest::CheckService(service));
    }
    let known = person.and_then(|person| {
        let grant = records.grants.find(|it| it.service == service && it.person == person)?;
        access::why_not(records, grant, tx.now.wall)
    });
    if let Some(person) = person.filter(|it| records.is_blocked(*it)) {
        tx.effect(Effect::CutOff(person));
    }
    let code = known.unwrap_or_else(|| access::meaning(refusal));
    audit::refused_times(records, tx, Some(service), person, code, count);
}
