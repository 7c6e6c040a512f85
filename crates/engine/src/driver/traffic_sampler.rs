//! Turning meter readings into rates, totals and changes.
//!
//! Owns what was read last: smoothed rates of grants and portals, the totals that were saved, and what the core knows of
//! each portal. It reads no meter and emits no event by itself.

use crate::api::{GrantId, InletId, Traffic, TrafficFlow, UnixMillis};
use crate::core::{ByteCounts, Event};
use postern_env::time::{self, Duration, Instant};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// How often the meters are read while something moves, and while nothing does. Chosen: two updates a second look smooth,
/// and an idle engine should wake up rarely.
const BUSY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(1);
/// Weight of the newest sample in the moving average of a rate. Chosen: a burst is visible at once and gone within seconds.
const NEWEST_WEIGHT: f64 = 0.4;
/// A rate below this many bytes per second counts as zero, so that a moving average comes to an end.
const MIN_RATE: f64 = 1.0;

/// What one grant or portal has carried in total: its id, bytes up, bytes down.
pub(super) type Reading<Id> = (Id, u64, u64);

/// Everything that was read last.
pub(super) struct TrafficSampler {
    grants: Flows<GrantId>,
    inlets: Flows<InletId>,
    sampled: Instant,
    /// The totals that the core saved last, and when.
    saved: (TrafficTotals, Instant),
    /// A stream has opened or ended since the meters were read.
    unread: bool,
    /// What the core knows of each portal: streams, and the round-trip time in milliseconds.
    portals: BTreeMap<InletId, (u32, Option<u32>)>,
}

/// What changed about a portal since the core was told.
pub(super) struct PortalChanges {
    pub(super) live: Option<u32>,
    pub(super) round_trip: Option<u32>,
}

impl TrafficSampler {
    pub(super) fn new() -> Self {
        let now = time::now();
        Self {
            grants: Flows::default(),
            inlets: Flows::default(),
            sampled: now,
            saved: (TrafficTotals::default(), now),
            unread: false,
            portals: BTreeMap::new(),
        }
    }

    /// When the meters are to be read next.
    pub(super) fn next_sample(&self, is_moving: bool) -> Instant {
        self.sampled + if is_moving { BUSY } else { IDLE }
    }

    /// Something happened that the meters will show.
    pub(super) fn mark_unread(&mut self) {
        self.unread = true;
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    /// The meters are read now; how long the last time is ago.
    pub(super) fn begin_sample(&mut self) -> Duration {
        self.unread = false;
        time::since(std::mem::replace(&mut self.sampled, time::now()))
    }

    /// Rates since the last sample, smoothed.
    pub(super) fn rates(
        &mut self,
        grants: Vec<Reading<GrantId>>,
        inlets: Vec<Reading<InletId>>,
        elapsed: Duration,
        at: UnixMillis,
    ) -> Traffic {
        Traffic { at, grants: self.grants.read(grants, elapsed), inlets: self.inlets.read(inlets, elapsed) }
    }

    /// The totals that were saved last.
    pub(super) fn saved_totals(&self) -> &TrafficTotals {
        &self.saved.0
    }

    /// When totals were saved last.
    pub(super) fn saved_at(&self) -> Instant {
        self.saved.1
    }

    /// These totals are being saved.
    pub(super) fn set_saved(&mut self, totals: TrafficTotals) {
        self.saved = (totals, time::now());
    }

    /// Forgets portals that are gone.
    pub(super) fn retain_portals(&mut self, exists: impl Fn(InletId) -> bool) {
        self.portals.retain(|id, _| exists(*id));
    }

    /// What changed about a portal, which from now on counts as known.
    pub(super) fn portal_changes(&mut self, id: InletId, live: u32, round_trip: Option<u32>) -> PortalChanges {
        let known = self.portals.entry(id).or_default();
        let changed = round_trip.filter(|it| known.1.is_none_or(|last| differs(last, *it)));
        let changes = PortalChanges { live: (live != known.0).then_some(live), round_trip: changed };
        *known = (live, changed.or(known.1));
        changes
    }
}

/// Whether a round-trip time is worth an event: it changed by more than a fifth, and by more than a millisecond.
fn differs(last: u32, now: u32) -> bool {
    last.abs_diff(now) > 1 && last.abs_diff(now) > last / 5
}

/// What meters have counted since the engine started, by id.
#[derive(Default, PartialEq)]
pub(super) struct TrafficTotals {
    pub(super) grants: Vec<(GrantId, ByteCounts)>,
    pub(super) inlets: Vec<(InletId, ByteCounts)>,
}

impl TrafficTotals {
    pub(super) fn new(mut grants: Vec<(GrantId, ByteCounts)>, mut inlets: Vec<(InletId, ByteCounts)>) -> Self {
        grants.sort_unstable();
        inlets.sort_unstable();
        Self { grants, inlets }
    }

    /// What differs from earlier totals, as an event for the core.
    pub(super) fn since(&self, earlier: &Self) -> Event {
        let grants = self.grants.iter().filter(|it| it.1 != (0, 0) && !earlier.grants.contains(it)).copied();
        let inlets = self.inlets.iter().filter(|it| it.1 != (0, 0) && !earlier.inlets.contains(it)).copied();
        Event::TrafficCarried { grants: grants.collect(), inlets: inlets.collect() }
    }
}

/// Whether two samples show the same numbers, whenever they were taken.
pub(super) fn is_same(one: &Traffic, other: &Traffic) -> bool {
    one.grants == other.grants && one.inlets == other.inlets
}

/// Turns readings into rates.
struct Flows<Id> {
    last: HashMap<Id, TrafficFlow<Id>>,
}

impl<Id> Default for Flows<Id> {
    fn default() -> Self {
        Self { last: HashMap::new() }
    }
}

impl<Id: Copy + Eq + Hash + Ord> Flows<Id> {
    /// The flows now, ordered by id.
    fn read(&mut self, readings: impl IntoIterator<Item = Reading<Id>>, elapsed: Duration) -> Vec<TrafficFlow<Id>> {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let mut flows: Vec<_> = readings.into_iter().map(|(id, up, down)| self.flow(id, up, down, seconds)).collect();
        flows.sort_by_key(|flow| flow.id);
        self.last = flows.iter().map(|flow| (flow.id, flow.clone())).collect();
        flows
    }

    fn flow(&self, id: Id, up_bytes: u64, down_bytes: u64, seconds: f64) -> TrafficFlow<Id> {
        let Some(last) = self.last.get(&id) else {
            return TrafficFlow { id, up_bytes, down_bytes, up_rate: 0.0, down_rate: 0.0 };
        };
        let smoothed = |before: f64, bytes: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a rate is displayed, not computed with")]
            let rate = before * (1.0 - NEWEST_WEIGHT) + bytes as f64 / seconds * NEWEST_WEIGHT;
            if rate < MIN_RATE { 0.0 } else { rate.round() }
        };
        TrafficFlow {
            id,
            up_bytes,
            down_bytes,
            up_rate: smoothed(last.up_rate, up_bytes.saturating_sub(last.up_bytes)),
            down_rate: smoothed(last.down_rate, down_bytes.saturating_sub(last.down_bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_smoothed_and_return_to_zero() {
        let mut flows = Flows::default();
        let id = GrantId([1; 16]);
        let second = Duration::from_secs(1);
        assert_eq!(flows.read([(id, 1_000, 0)], second)[0].up_rate, 0.0);
        let mut bytes = 1_000;
        let mut rates = Vec::new();
        for _ in 0..20 {
            bytes += 10_000;
            rates.push(flows.read([(id, bytes, 0)], second)[0].up_rate);
        }
        assert!(rates.is_sorted() && rates[0] == 4_000.0 && rates[19] > 9_990.0, "{rates:?}");
        let mut last = flows.read([(id, bytes, 0)], second)[0].clone();
        for _ in 0..40 {
            last = flows.read([(id, bytes, 0)], second)[0].clone();
        }
        assert_eq!((last.up_rate, last.up_bytes), (0.0, bytes));
        assert!(flows.read([], second).is_empty());
    }

    #[test]
    fn only_changes_of_a_portal_are_reported() {
        let mut sampler = TrafficSampler::new();
        let id = InletId([1; 16]);
        let mut changes = |live, round_trip| {
            let changes = sampler.portal_changes(id, live, round_trip);
            (changes.live, changes.round_trip)
        };
        assert_eq!(changes(0, None), (None, None));
        assert_eq!(changes(2, Some(100)), (Some(2), Some(100)));
        assert_eq!(changes(2, Some(120)), (None, None));
        // Compared with what was reported, not with the last reading: a slow drift is noticed.
        assert_eq!(changes(2, Some(121)), (None, Some(121)));
        assert_eq!(changes(1, None), (Some(1), None));
        assert_eq!(changes(1, Some(121)), (None, None));
    }
}
