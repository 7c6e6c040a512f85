//! How grants and portals are used: open streams, and bytes over all runs.

use super::Records;
use crate::api::{AuditEvent, GrantId, InletId};
use crate::core::event::ByteCounts;
use crate::core::limits::NOTE_USE_EVERY;
use crate::core::observed::UsageBaseline;
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
    tx.audit(AuditEvent::Connection {
        service: records.service_name(grant.service),
        person: grant.person,
        name: records.name(grant.person),
        up_bytes: end.up_bytes,
        down_bytes: end.down_bytes,
        lasted_ms: end.lasted_ms,
        ended: end.ended,
    });
    Some(grant)
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
