//! What the driver reports about the portals that it keeps.

use super::Records;
use crate::api::{Fault, InletId, InvitationId, PathKind};
use crate::core::event::Refusal;
use crate::core::fault_messages;
use crate::core::observed::PortalRuntime;
use crate::core::task_request::{OutboundCall, TaskRequest};
use crate::core::transaction::Transaction;

fn runtime(records: &mut Records, id: InletId) -> &mut PortalRuntime {
    records.portals.entry(id).or_default()
}

/// A portal was made in this run.
pub(crate) fn added(records: &mut Records, id: InletId) {
    records.portals.insert(id, PortalRuntime { is_new: true, ..PortalRuntime::default() });
}

/// A portal was made of an invitation, or has got a new grant through it.
pub(crate) fn granted_by(records: &mut Records, id: InletId, invitation: InvitationId) {
    runtime(records, id).invitation = Some(invitation);
}

/// Discards what was known of a portal that is kept up with other parameters, or no longer.
pub(crate) fn reset(records: &mut Records, id: InletId, keeps_channel: bool) {
    if let Some(portal) = records.portals.get_mut(&id) {
        portal.reset(keeps_channel);
    }
}

/// The owner says that the grant can be used: what the outlet refused before no longer counts.
pub(crate) fn refusal_lifted(records: &mut Records, id: InletId) {
    if let Some(portal) = records.portals.get_mut(&id) {
        portal.refusal = None;
    }
}

/// The owner says that a stream would be refused now, because the service is down.
pub(crate) fn service_is_down(records: &mut Records, id: InletId) {
    runtime(records, id).refusal = Some(Refusal::Unreachable);
}

/// The local port listens, or cannot.
pub(crate) fn listening(records: &mut Records, id: InletId, result: Result<u16, Fault>) {
    let port = records.inlets.get(id).map(|it| it.port);
    match result {
        // A report from before the port was changed.
        Ok(listens) if Some(listens) != port => drop(runtime(records, id)),
        result => runtime(records, id).listening = Some(result.map(drop)),
    }
}

/// The channel to the owner is up. Whatever else waits for this owner is tried at once.
pub(crate) fn up(records: &mut Records, tx: &mut Transaction, id: InletId, path: PathKind) {
    runtime(records, id).channel = Some(Ok(path));
    let Some(owner) = records.inlets.get(id).map(|it| it.owner) else { return };
    tx.request(TaskRequest::Call(OutboundCall::Sync(owner)));
    for received in records.received.all().filter(|it| it.owner == owner) {
        tx.request(TaskRequest::RetryCall(OutboundCall::Redeem(received.id)));
    }
}

/// The channel is gone, and being opened again.
pub(crate) fn connecting(records: &mut Records, id: InletId) {
    runtime(records, id).channel = None;
}

/// The channel cannot be opened.
pub(crate) fn down(records: &mut Records, id: InletId, fault: Fault) {
    let owner = records.inlets.get(id).map(|it| records.name(it.owner)).unwrap_or_default();
    let fault = fault_messages::with_owner(fault, &owner);
    let portal = runtime(records, id);
    portal.channel = Some(Err(fault));
    portal.round_trip = None;
    portal.live = 0;
}

/// The outlet refused a stream, or (`None`) accepted one again. When that contradicts the owner's last word, or is not
/// about the service, the owner is asked.
pub(crate) fn refused(records: &mut Records, tx: &mut Transaction, id: InletId, refusal: Option<Refusal>) {
    runtime(records, id).refusal = refusal;
    let Some(inlet) = records.inlets.get(id) else { return };
    if refusal.is_some_and(|it| !it.is_services_fault()) || (refusal.is_none() && inlet.refused.is_some()) {
        tx.request(TaskRequest::Call(OutboundCall::Sync(inlet.owner)));
    }
}

/// How many streams are open.
pub(crate) fn live(records: &mut Records, id: InletId, live: u32) {
    runtime(records, id).live = live;
}

/// The round-trip time to the owner, in milliseconds.
pub(crate) fn round_trip(records: &mut Records, id: InletId, milliseconds: u32) {
    runtime(records, id).round_trip = Some(milliseconds);
}
