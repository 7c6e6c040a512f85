//! This person's portals: which are kept open, and with what.
//!
//! A table of tasks ([`inlet_task`](super::inlet_task)), one for each portal. In: effects of the core. A portal whose
//! description is the same is left alone; one that changed is closed before the new one begins, so that both can use the
//! same port.

use super::dialer::Dialer;
use super::inlet_path::{InletSpec, SharedDescription};
use super::inlet_task::InletTask;
use super::portal_metrics::PortalMetrics;
use crate::api::InletId;
use crate::core::{ByteCounts, InletDescription};
use postern_env::task::JoinHandle;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The portals by id.
#[derive(Default)]
pub(super) struct Inlets(HashMap<InletId, RunningInlet>);

struct RunningInlet {
    spec: InletSpec,
    stop: CancellationToken,
    task: JoinHandle<()>,
    metrics: Arc<PortalMetrics>,
    description: SharedDescription,
}

impl Inlets {
    /// Keeps a portal open as described.
    pub(super) fn keep(&mut self, dialer: &Dialer, spec: InletSpec) {
        let before = match self.0.remove(&spec.inlet) {
            Some(running) if running.spec == spec => {
                self.0.insert(spec.inlet, running);
                return;
            }
            before => before,
        };
        let metrics = before.as_ref().map(|it| it.metrics.clone()).unwrap_or_default();
        let description = before.as_ref().map(|it| it.description.clone()).unwrap_or_default();
        let stop = dialer.context.stop.child_token();
        let inlet = InletTask {
            dialer: dialer.clone(),
            spec: spec.clone(),
            metrics: metrics.clone(),
            description: description.clone(),
        };
        let stopped = stop.clone();
        let task = dialer.context.spawn(async move {
            if let Some(before) = before {
                // It holds the port until it has ended.
                before.stop.cancel();
                let _ = before.task.await;
            }
            stopped.run_until_cancelled(inlet.run()).await;
            inlet.metrics.set_inlet(None);
        });
        self.0.insert(spec.inlet, RunningInlet { spec, stop, task, metrics, description });
    }

    /// Sets what a web portal answers while it cannot be used.
    pub(super) fn describe(&self, inlet: InletId, description: InletDescription) {
        if let Some(running) = self.0.get(&inlet) {
            running.description.set(description);
        }
    }

    /// Closes a portal; what it has carried, if anything.
    pub(super) fn remove(&mut self, inlet: InletId) -> Option<ByteCounts> {
        let running = self.0.remove(&inlet)?;
        running.stop.cancel();
        let (up, down, _) = running.metrics.read();
        Some((up, down)).filter(|it| *it != (0, 0))
    }

    /// Closes a portal's channel; its session opens another one.
    pub(super) fn reopen(&self, inlet: InletId) {
        if let Some(channel) = self.0.get(&inlet).and_then(|running| running.metrics.set_channel(None)) {
            channel.close();
        }
    }

    /// Whether any portal is kept open.
    pub(super) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// What can be measured of each portal.
    pub(super) fn metrics(&self) -> Vec<(InletId, Arc<PortalMetrics>)> {
        self.0.iter().map(|(inlet, running)| (*inlet, running.metrics.clone())).collect()
    }
}
