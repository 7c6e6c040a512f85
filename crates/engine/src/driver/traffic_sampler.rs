//! Numbers that move: what flows through grants and portals.

use crate::api::{GrantId, InletId, Traffic, TrafficFlow, UnixMillis};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How often the numbers are read while something moves, and while nothing does.
pub(crate) const BUSY: Duration = Duration::from_millis(500);
pub(crate) const IDLE: Duration = Duration::from_secs(1);
/// How much of a rate is the last reading; the rest is the rate before.
const FRESH: f64 = 0.4;
/// A rate below this many bytes per second is none.
const STILL: f64 = 1.0;

/// What one thing has carried, ever as far as this run knows.
pub(crate) type Reading<Id> = (Id, u64, u64);

/// Turns readings into flows.
pub(crate) struct Flows<Id> {
    last: HashMap<Id, TrafficFlow<Id>>,
}

impl<Id> Default for Flows<Id> {
    fn default() -> Self {
        Self { last: HashMap::new() }
    }
}

impl<Id: Copy + Eq + Hash + Ord> Flows<Id> {
    /// The flows now, in a fixed order.
    pub(crate) fn read(
        &mut self,
        readings: impl IntoIterator<Item = Reading<Id>>,
        elapsed: Duration,
    ) -> Vec<TrafficFlow<Id>> {
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
            #[expect(clippy::cast_precision_loss, reason = "a rate is for people")]
            let rate = before * (1.0 - FRESH) + bytes as f64 / seconds * FRESH;
            if rate < STILL { 0.0 } else { rate.round() }
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

/// Whether two readings show the same numbers, whenever they were made.
pub(crate) fn is_same(one: &Traffic, other: &Traffic) -> bool {
    one.grants == other.grants && one.inlets == other.inlets
}

/// One look at everything.
#[derive(Default)]
pub(crate) struct Meters {
    grants: Flows<GrantId>,
    inlets: Flows<InletId>,
}

impl Meters {
    pub(crate) fn read(
        &mut self,
        grants: Vec<Reading<GrantId>>,
        inlets: Vec<Reading<InletId>>,
        elapsed: Duration,
        at: UnixMillis,
    ) -> Traffic {
        Traffic { at, grants: self.grants.read(grants, elapsed), inlets: self.inlets.read(inlets, elapsed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_smoothly_and_come_to_rest() {
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
}
