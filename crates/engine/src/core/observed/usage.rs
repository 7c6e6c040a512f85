//! How much is used: streams of grants, and byte counts over all runs.
//!
//! ```text
//! meters of this run ─ TrafficCarried, now and then ─► baseline + what they say ─► the record
//! ```
//!
//! A meter that says less than before was started again: what it said before is added to the baseline.

use crate::api::{Code, GrantId, InletId, UnixMillis};
use crate::core::event::ByteCounts;
use crate::core::limits::HOUR;
use std::collections::BTreeMap;

/// How a grant is used in this run.
#[derive(Default)]
pub(crate) struct GrantUsage {
    /// Streams that are open.
    pub(crate) live: u32,
    /// When one last began or ended.
    pub(crate) last: Option<UnixMillis>,
    /// Audit entries of its connections in this hour.
    pub(crate) entries: HourlyEntries,
    /// The connections of this hour that have no entry of their own, added up.
    pub(crate) added_up: AddedUp,
}

/// Connections that are written to the audit log as one entry.
#[derive(Clone, Copy, Default)]
pub(crate) struct AddedUp {
    pub(crate) count: u32,
    pub(crate) bytes: ByteCounts,
    pub(crate) lasted_ms: u64,
}

/// Audit entries of one kind within an hour: the limit that keeps others from filling the disk.
#[derive(Clone, Copy, Default)]
pub(crate) struct HourlyEntries {
    /// When the hour began, in ticks.
    since: u64,
    written: u32,
}

impl HourlyEntries {
    /// When the hour is over, in ticks.
    pub(crate) fn ends(&self) -> u64 {
        self.since.saturating_add(HOUR)
    }

    /// Takes one entry of at most `most` an hour; whether there is one left.
    pub(crate) fn take(&mut self, ticks: u64, most: u32) -> bool {
        if ticks >= self.ends() {
            *self = Self { since: ticks, written: 0 };
        }
        let is_left = self.written < most;
        self.written += u32::from(is_left);
        is_left
    }
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

/// Refusals in the current hour.
#[derive(Default)]
pub(crate) struct RefusalCount {
    pub(crate) entries: HourlyEntries,
    /// Those without an entry of their own: how many, and why the last.
    pub(crate) further: Option<(u32, Code)>,
}
