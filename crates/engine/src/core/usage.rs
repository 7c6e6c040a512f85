//! How much grants and portals have carried, over all runs.
//!
//! ```text
//! meters of this run ─ Carried, now and then ─► what was noted before + what they say ─► the record
//! ```
//!
//! A meter that says less than it did has begun anew: what it said before is kept.

use crate::api::{GrantId, InletId};
use crate::core::State;
use crate::core::transaction::Transaction;
use std::collections::BTreeMap;

/// ByteCounts towards the service, and from it.
pub type ByteCounts = (u64, u64);

/// What one thing has carried.
#[derive(Clone, Copy, Default)]
struct UsageBaseline {
    before: ByteCounts,
    /// What its meter said last.
    last: ByteCounts,
}

impl UsageBaseline {
    /// What was carried before its meter began, now that it says this.
    fn before(&self, now: ByteCounts) -> ByteCounts {
        if now.0 < self.last.0 || now.1 < self.last.1 { sum(self.before, self.last) } else { self.before }
    }

    fn take(&mut self, now: ByteCounts) -> ByteCounts {
        *self = Self { before: self.before(now), last: now };
        sum(self.before, self.last)
    }
}

fn sum(one: ByteCounts, other: ByteCounts) -> ByteCounts {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

/// The tallies of this run.
#[derive(Default)]
pub(crate) struct UsageBaselines {
    grants: BTreeMap<GrantId, UsageBaseline>,
    inlets: BTreeMap<InletId, UsageBaseline>,
}

impl State {
    /// What a grant has carried before its meter began, which says this now.
    pub(crate) fn carried_by_grant(&self, id: GrantId, now: ByteCounts) -> ByteCounts {
        let noted = || self.grants.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.tallies.grants.get(&id).map_or_else(noted, |it| it.before(now))
    }

    /// The same of a portal.
    pub(crate) fn carried_by_inlet(&self, id: InletId, now: ByteCounts) -> ByteCounts {
        let noted = || self.inlets.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.tallies.inlets.get(&id).map_or_else(noted, |it| it.before(now))
    }
}

/// The meters of this run say what they have carried.
pub(crate) fn carried(
    state: &mut State,
    turn: &mut Transaction,
    grants: Vec<(GrantId, ByteCounts)>,
    inlets: Vec<(InletId, ByteCounts)>,
) {
    turn.settle = false;
    for (id, now) in grants {
        state.grants.change(turn, id, |it| {
            let noted = UsageBaseline { before: (it.up_bytes, it.down_bytes), last: (0, 0) };
            (it.up_bytes, it.down_bytes) = state.tallies.grants.entry(id).or_insert(noted).take(now);
        });
    }
    for (id, now) in inlets {
        state.inlets.change(turn, id, |it| {
            let noted = UsageBaseline { before: (it.up_bytes, it.down_bytes), last: (0, 0) };
            (it.up_bytes, it.down_bytes) = state.tallies.inlets.entry(id).or_insert(noted).take(now);
        });
    }
    let State { tallies, grants, inlets, .. } = state;
    tallies.grants.retain(|id, _| grants.contains(*id));
    tallies.inlets.retain(|id, _| inlets.contains(*id));
}
