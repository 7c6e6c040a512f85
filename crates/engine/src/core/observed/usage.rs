//! How much is used: streams of grants, and byte counts over all runs.
//!
//! ```text
//! meters of this run ─ TrafficCarried, now and then ─► baseline + what they say ─► the record
//! ```
//!
//! A meter that says less than before was started again: what it said before is added to the baseline.

use crate::api::{GrantId, InletId, UnixMillis};
use crate::core::event::ByteCounts;
use std::collections::BTreeMap;

/// How a grant is used in this run.
#[derive(Default)]
pub(crate) struct GrantUsage {
    /// Streams that are open.
    pub(crate) live: u32,
    /// When one last began or ended.
    pub(crate) last: Option<UnixMillis>,
}

/// The byte counts from before a meter started, and what the meter said last.
#[derive(Clone, Copy, Default)]
pub(crate) struct UsageBaseline {
    before: ByteCounts,
    last: ByteCounts,
}

impl UsageBaseline {
    /// A baseline of saved byte counts, for a meter that starts at zero.
    pub(crate) fn new(before: ByteCounts) -> Self {
        Self { before, last: (0, 0) }
    }

    /// The byte counts from before the meter started, given what it says now.
    pub(crate) fn before(&self, now: ByteCounts) -> ByteCounts {
        if now.0 < self.last.0 || now.1 < self.last.1 { sum(self.before, self.last) } else { self.before }
    }

    /// Takes a new reading; the total over all runs.
    pub(crate) fn update(&mut self, now: ByteCounts) -> ByteCounts {
        *self = Self { before: self.before(now), last: now };
        sum(self.before, self.last)
    }
}

fn sum(one: ByteCounts, other: ByteCounts) -> ByteCounts {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}

/// The baselines of this run's meters.
#[derive(Default)]
pub(crate) struct UsageBaselines {
    pub(crate) grants: BTreeMap<GrantId, UsageBaseline>,
    pub(crate) inlets: BTreeMap<InletId, UsageBaseline>,
}

/// Refusals written to the audit log in the current minute: the rate limit that keeps strangers from filling the disk.
#[derive(Default)]
pub(crate) struct RefusalCount {
    /// When the minute began, in ticks.
    pub(crate) since: u64,
    pub(crate) count: u32,
}
