//! How grants and portals are used: open streams, and bytes over all runs.

use super::Records;
use crate::api::{AuditEvent, GrantId, InletId};
use crate::core::event::ByteCounts;
use crate::core::limits::{MAX_CONNECTION_ENTRIES, NOTE_USE_EVERY};
use crate::core::observed::{AddedUp, UsageBaseline};
use crate::core::schema::Grant;
use crate::core::transaction::Transaction;

/// The end of a stream, as the driver reports it.
pub(crate) struct StreamEnd {
    pub(crate) up_bytes: u64,
    pub(crate) down_bytes: u64,
    pub(crate) lasted_ms: u64,
    /// Why it ended early.
    pub(crate) ended: Option<String>,
}

impl Records {
    /// The bytes of a grant from before its meter started, which says this now.
    pub(crate) fn grant_bytes_before(&self, id: GrantId, now: ByteCounts) -> ByteCounts {
        let saved = || self.grants.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.byte_counts.grants.get(&id).map_or_else(saved, |it| it.before(now))
    }

    /// The bytes of a portal from before its meter started, which says this now.
    pub(crate) fn inlet_bytes_before(&self, id: InletId, now: ByteCounts) -> ByteCounts {
        let saved = || self.inlets.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.byte_counts.inlets.get(&id).map_or_else(saved, |it| it.before(now))
    }
}

/// A stream of a grant opened.
pub(crate) fn stream_opened(records: &mut Records, tx: &mut Transaction, id: GrantId) {
    if !records.grants.contains(id) {
        return;
    }
    let usage = records.usage.entry(id).or_default();
    usage.live = usage.live.saturating_add(1);
    note_use(records, tx, id);
}

/// A stream of a grant ended. Returns the grant.
pub(crate) fn stream_ended(records: &mut Records, tx: &mut Transaction, id: GrantId, end: StreamEnd) -> Option<Grant> {
    let Some(grant) = records.grants.get(id).cloned() else {
        records.usage.remove(&id);
        return None;
    };
    if let Some(usage) = records.usage.get_mut(&id) {
        usage.live = usage.live.saturating_sub(1);
    }
    note_use(records, tx, id);
    write_added_up(records, tx, &grant, false);
    let usage = records.usage.entry(id).or_default();
    if usage.entries.take(tx.now.ticks, MAX_CONNECTION_ENTRIES) {
        audit_connections(records, tx, &grant, end, 1);
    } else {
        let AddedUp { count, bytes, lasted_ms } = &mut usage.added_up;
        *count = count.saturating_add(1);
        *bytes = (bytes.0.saturating_add(end.up_bytes), bytes.1.saturating_add(end.down_bytes));
        *lasted_ms = lasted_ms.saturating_add(end.lasted_ms);
    }
    Some(grant)
}

/// Writes what was added up and not written yet: of all grants when the engine stops, else of those whose hour is over.
pub(crate) fn write_all_added_up(records: &mut Records, tx: &mut Transaction, stops: bool) {
    let waiting = records.usage.iter().filter(|(_, it)| it.added_up.count > 0).map(|(id, _)| *id);
    for id in waiting.collect::<Vec<_>>() {
        if let Some(grant) = records.grants.get(id).cloned() {
            write_added_up(records, tx, &grant, stops);
        }
    }
}

/// When something that was added up is to be written, in ticks.
pub(crate) fn next_added_up(records: &Records) -> Option<u64> {
    let connections = records.usage.values().filter(|it| it.added_up.count > 0).map(|it| it.entries.ends());
    let refusals = records.refusals.further.map(|_| records.refusals.entries.ends());
    connections.chain(refusals).min()
}

fn write_added_up(records: &mut Records, tx: &mut Transaction, grant: &Grant, stops: bool) {
    let Some(usage) = records.usage.get_mut(&grant.id) else { return };
    if usage.added_up.count == 0 || (!stops && tx.now.ticks < usage.entries.ends()) {
        return;
    }
    let AddedUp { count, bytes, lasted_ms } = std::mem::take(&mut usage.added_up);
    let end = StreamEnd { up_bytes: bytes.0, down_bytes: bytes.1, lasted_ms, ended: None };
    audit_connections(records, tx, grant, end, count);
}

fn audit_connections(records: &Records, tx: &mut Transaction, grant: &Grant, end: StreamEnd, count: u32) {
    tx.audit(AuditEvent::Connection {
        service: records.service_name(grant.service),
        person: grant.person,
        name: records.name(grant.person),
        up_bytes: end.up_bytes,
        down_bytes: end.down_bytes,
        lasted_ms: end.lasted_ms,
        ended: end.ended,
        count,
    });
}

/// Notes that a grant is used: in memory at once, on disk at most once in [`NOTE_USE_EVERY`].
fn note_use(records: &mut Records, tx: &mut Transaction, id: GrantId) {
    let wall = tx.now.wall;
    records.usage.entry(id).or_default().last = Some(wall);
    records.grants.change(tx, id, |it| {
        if it.last_used.is_none_or(|noted| wall.0.abs_diff(noted.0) >= NOTE_USE_EVERY) {
            it.last_used = Some(wall);
        }
    });
}

/// The meters of this run report what they have counted.
pub(crate) fn carried(
    records: &mut Records,
    tx: &mut Transaction,
    grants: Vec<(GrantId, ByteCounts)>,
    inlets: Vec<(InletId, ByteCounts)>,
) {
    let counts = &mut records.byte_counts;
    for (id, now) in grants {
        records.grants.change(tx, id, |it| {
            let saved = UsageBaseline::new((it.up_bytes, it.down_bytes));
            (it.up_bytes, it.down_bytes) = counts.grants.entry(id).or_insert(saved).update(now);
        });
    }
    for (id, now) in inlets {
        records.inlets.change(tx, id, |it| {
            let saved = UsageBaseline::new((it.up_bytes, it.down_bytes));
            (it.up_bytes, it.down_bytes) = counts.inlets.entry(id).or_insert(saved).update(now);
        });
    }
    let Records { byte_counts, grants, inlets, .. } = records;
    byte_counts.grants.retain(|id, _| grants.contains(*id));
    byte_counts.inlets.retain(|id, _| inlets.contains(*id));
}
