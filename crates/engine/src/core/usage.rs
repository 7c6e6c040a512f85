//! How much grants and portals have carried, over all runs.
//!
//! ```text
//! meters of this run ─ Carried, now and then ─► what was noted before + what they say ─► the record
//! ```
//!
//! A meter that says less than it did has begun anew: what it said before is kept.

use crate::api::{GrantId, InletId};
use crate::core::State;
use crate::core::transaction::Turn;
use std::collections::BTreeMap;

/// Bytes towards the service, and from it.
pub type Bytes = (u64, u64);

/// What one thing has carried.
#[derive(Clone, Copy, Default)]
struct Tally {
    before: Bytes,
    /// What its meter said last.
    last: Bytes,
}

impl Tally {
    /// What was carried before its meter began, now that it says this.
    fn before(&self, now: Bytes) -> Bytes {
        if now.0 < self.last.0 || now.1 < self.last.1 { sum(self.before, self.last) } else { self.before }
    }

    fn take(&mut self, now: Bytes) -> Bytes {
        *self = Self { before: self.before(now), last: now };
        sum(self.before, self.last)
    }
}

fn sum(one: Bytes, other: Bytes) -> Bytes {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

/// The tallies of this run.
#[derive(Default)]
pub(crate) struct Tallies {
    grants: BTreeMap<GrantId, Tally>,
    inlets: BTreeMap<InletId, Tally>,
}

impl State {
    /// What a grant has carried before its meter began, which says this now.
    pub(crate) fn carried_by_grant(&self, id: GrantId, now: Bytes) -> Bytes {
        let noted = || self.grants.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.tallies.grants.get(&id).map_or_else(noted, |it| it.before(now))
    }

    /// The same of a portal.
    pub(crate) fn carried_by_inlet(&self, id: InletId, now: Bytes) -> Bytes {
        let noted = || self.inlets.get(id).map_or((0, 0), |it| (it.up_bytes, it.down_bytes));
        self.tallies.inlets.get(&id).map_or_else(noted, |it| it.before(now))
    }
}

/// The meters of this run say what they have carried.
pub(crate) fn carried(
    state: &mut State,
    turn: &mut Turn,
    grants: Vec<(GrantId, Bytes)>,
    inlets: Vec<(InletId, Bytes)>,
) {
    turn.settle = false;
    for (id, now) in grants {
        state.grants.change(turn, id, |it| {
            let noted = Tally { before: (it.up_bytes, it.down_bytes), last: (0, 0) };
            (it.up_bytes, it.down_bytes) = state.tallies.grants.entry(id).or_insert(noted).take(now);
        });
    }
    for (id, now) in inlets {
        state.inlets.change(turn, id, |it| {
            let noted = Tally { before: (it.up_bytes, it.down_bytes), last: (0, 0) };
            (it.up_bytes, it.down_bytes) = state.tallies.inlets.entry(id).or_insert(noted).take(now);
        });
    }
    let State { tallies, grants, inlets, .. } = state;
    tallies.grants.retain(|id, _| grants.contains(*id));
    tallies.inlets.retain(|id, _| inlets.contains(*id));
}
