//! Publishing the snapshot to frontends.
//!
//! In: the core's snapshot, and troubles that only the driver knows. Out: a change of the watch channel, and only if the
//! snapshot differs from the last one, so that a frontend is never woken for nothing.

use super::Driver;
use crate::api::{Fault, Snapshot, Status};
use crate::core::Now;
use std::sync::Arc;

impl Driver {
    /// Publishes the current state, if it looks different from what was published last.
    pub(super) fn publish_snapshot(&self, now: Now) {
        let mut snapshot = self.state.snapshot(now);
        add_trouble(&mut snapshot, self.damage.as_ref());
        add_trouble(&mut snapshot, self.unwritable.as_ref().map(|it| &it.fault));
        self.frontends.snapshot.send_if_modified(|last| {
            let changed = **last != snapshot;
            if changed {
                *last = Arc::new(snapshot);
            }
            changed
        });
    }

    /// Publishes that nothing can be written, with the last state that is on disk.
    pub(super) fn publish_unwritable(&self, fault: &Fault) {
        self.frontends.snapshot.send_modify(|last| {
            if !last.troubles.contains(fault) {
                let mut snapshot = Snapshot::clone(last);
                add_trouble(&mut snapshot, Some(fault));
                *last = Arc::new(snapshot);
            }
        });
    }

    /// Publishes why the engine stops. No snapshot follows.
    pub(super) fn publish_failure(&self, fault: &Fault) {
        let mut snapshot = self.state.snapshot(self.clock.now());
        add_trouble(&mut snapshot, Some(fault));
        self.frontends.snapshot.send_replace(Arc::new(snapshot));
    }
}

fn add_trouble(snapshot: &mut Snapshot, trouble: Option<&Fault>) {
    if let Some(trouble) = trouble {
        snapshot.troubles.insert(0, trouble.clone());
        snapshot.status = Status::Attention;
    }
}
