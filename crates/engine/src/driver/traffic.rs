//! Sampling traffic: reads the meters of portals and services, and passes on what changed.
//!
//! In: the meters of outlets and inlets. Out: [`Traffic`](crate::api::Traffic) for frontends at most twice a second, totals
//! for the core every few seconds, and for each portal its streams and round-trip time when they changed. The bytes
//! themselves never pass through here.

use super::Driver;
use super::traffic_sampler::{self, TrafficTotals};
use crate::api::{Fault, GrantId, InletId};
use crate::core::{ByteCounts, Event, Now};
use postern_env::time::{self, Duration, Instant};
use std::sync::Arc;

/// How often totals are saved while streams are open, and while none is. Chosen: a power cut loses at most that much.
const SAVE_BUSY: Duration = Duration::from_secs(30);
const SAVE_IDLE: Duration = Duration::from_secs(5);

impl Driver {
    /// When the meters are read next.
    pub(super) fn next_traffic_sample(&self) -> Instant {
        self.traffic.next_sample(self.is_moving())
    }

    /// Whether numbers may change without an event.
    pub(super) fn has_traffic(&self) -> bool {
        self.traffic.is_unread() || self.inlets.has_any() || self.outlets.are_live() || self.is_moving()
    }

    /// Whether the last sample showed bytes that move.
    fn is_moving(&self) -> bool {
        let traffic = self.frontends.traffic.borrow();
        let grants = traffic.grants.iter().map(|it| it.up_rate + it.down_rate);
        grants.chain(traffic.inlets.iter().map(|it| it.up_rate + it.down_rate)).any(|rate| rate > 0.0)
    }

    /// Reads all meters.
    pub(super) async fn sample_traffic(&mut self, now: Now) -> Result<(), Fault> {
        let elapsed = self.traffic.begin_sample();
        let totals = self.traffic_totals();
        let sum = |before: ByteCounts, now: ByteCounts| (before.0 + now.0, before.1 + now.1);
        let overall = |(id, now): &(GrantId, ByteCounts)| (*id, sum(self.state.carried_by_grant(*id, *now), *now));
        let grants = totals.grants.iter().map(overall).map(|(id, (up, down))| (id, up, down)).collect();
        let overall = |(id, now): &(InletId, ByteCounts)| (*id, sum(self.state.carried_by_inlet(*id, *now), *now));
        let inlets = totals.inlets.iter().map(overall).map(|(id, (up, down))| (id, up, down)).collect();
        let traffic = self.traffic.rates(grants, inlets, elapsed, now.wall);
        self.save_totals(totals, now).await?;
        self.frontends.traffic.send_if_modified(|last| {
            let changed = !traffic_sampler::is_same(last, &traffic);
            if changed {
                *last = Arc::new(traffic);
            }
            changed
        });
        self.report_portals(now).await
    }

    /// Tells the core how many streams each portal has, and its round-trip time, when they changed.
    async fn report_portals(&mut self, now: Now) -> Result<(), Fault> {
        let portals = self.inlets.metrics();
        self.traffic.retain_portals(|id| portals.iter().any(|(inlet, _)| *inlet == id));
        for (id, metrics) in portals {
            let changes = self.traffic.portal_changes(id, metrics.read().2, metrics.round_trip());
            if let Some(live) = changes.live {
                self.handle(Event::InletLive(id, live), now).await?;
            }
            if let Some(round_trip) = changes.round_trip {
                self.handle(Event::InletRoundTrip(id, round_trip), now).await?;
            }
        }
        Ok(())
    }

    /// What the meters have counted since the engine started.
    fn traffic_totals(&self) -> TrafficTotals {
        let grants = self.outlets.meters().into_iter().map(|(id, it)| (id, (it.received(), it.sent())));
        let inlets = self.inlets.metrics().into_iter().map(|(id, metrics)| {
            let (up, down, _) = metrics.read();
            (id, (up, down))
        });
        TrafficTotals::new(grants.collect(), inlets.collect())
    }

    /// What has moved since totals were saved last.
    pub(super) fn unsaved_traffic(&self) -> Event {
        self.traffic_totals().since(self.traffic.saved_totals())
    }

    /// Lets the core save the totals, if they changed and the last time is long enough ago.
    async fn save_totals(&mut self, totals: TrafficTotals, now: Now) -> Result<(), Fault> {
        if *self.traffic.saved_totals() == totals {
            return Ok(());
        }
        let interval = if self.outlets.are_live() { SAVE_BUSY } else { SAVE_IDLE };
        if time::since(self.traffic.saved_at()) < interval {
            self.traffic.mark_unread();
            return Ok(());
        }
        let event = totals.since(self.traffic.saved_totals());
        self.traffic.set_saved(totals);
        self.handle(event, now).await
    }
}
