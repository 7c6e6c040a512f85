//! What can be measured of a portal while it is kept open: bytes, streams, round-trip time.
//!
//! A portal may listen several times in a row, each time over another path; its numbers go on.

use postern_node::SecureChannel;
use postern_node::portal::Inlet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The current inlet and channel of a portal, and what earlier inlets have carried.
#[derive(Default)]
pub(super) struct PortalMetrics {
    inlet: Mutex<Option<Inlet>>,
    channel: Mutex<Option<SecureChannel>>,
    earlier_up: AtomicU64,
    earlier_down: AtomicU64,
}

impl PortalMetrics {
    /// Bytes towards the service and from it, and streams that are open.
    pub(super) fn read(&self) -> (u64, u64, u32) {
        let inlet = self.inlet();
        let meter = inlet.as_ref().map(Inlet::meter);
        let (up, down, live) = meter.map_or((0, 0, 0), |it| (it.sent(), it.received(), it.live()));
        let earlier = (self.earlier_up.load(Ordering::Relaxed), self.earlier_down.load(Ordering::Relaxed));
        (earlier.0 + up, earlier.1 + down, u32::try_from(live).unwrap_or(u32::MAX))
    }

    /// The last round-trip time to the owner's node, in milliseconds, at least 1.
    pub(super) fn round_trip(&self) -> Option<u32> {
        let round_trip = self.inlet().as_ref()?.probe().round_trip?;
        Some(u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX).max(1))
    }

    /// The portal uses this channel from now on; the one before.
    pub(super) fn set_channel(&self, channel: Option<SecureChannel>) -> Option<SecureChannel> {
        std::mem::replace(&mut *self.channel.lock().unwrap_or_else(PoisonError::into_inner), channel)
    }

    /// The portal listens with this inlet from now on; the one before is closed.
    pub(super) fn set_inlet(&self, inlet: Option<Inlet>) {
        let mut current = self.inlet();
        if let Some(before) = std::mem::replace(&mut *current, inlet) {
            before.close();
            self.earlier_up.fetch_add(before.meter().sent(), Ordering::Relaxed);
            self.earlier_down.fetch_add(before.meter().received(), Ordering::Relaxed);
        }
    }

    fn inlet(&self) -> MutexGuard<'_, Option<Inlet>> {
        self.inlet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
