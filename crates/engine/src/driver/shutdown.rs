//! The end of an engine: everything closes, and what has happened until then is written.
//!
//! Order matters: requests are answered first, then the network closes, and last the store, because streams that the
//! network closes still report how they ended.

use super::{Driver, seed};
use crate::api::{Code, Fault};
use crate::core::{self, Change, Effect, Event};
use crate::store::AnchorState;
use tokio::sync::mpsc;

impl Driver {
    /// Closes everything. Requests that wait are answered with the reason.
    pub(super) async fn shut_down(mut self, reason: &Fault) {
        self.frontends.commands.close();
        let pending = self.pending_requests.drain().map(|(_, response)| response);
        for response in pending.chain(self.deferred_requests.drain(..).map(|(_, response)| response)) {
            let _ = response.send(Err(reason.clone()));
        }
        self.direct_listener = None;
        if let Some(network) = self.network.take() {
            // What admission control reports meanwhile is written; events of tasks have nobody to handle them any more, and
            // a closed channel keeps the tasks from waiting.
            let (_, closed) = mpsc::channel(1);
            drop(std::mem::replace(&mut self.events, closed));
            network.close().await;
        }
        let changes = self.last_changes();
        if reason.code != Code::Stopped {
            tracing::warn!("the engine stops because of a fault; the newest audit entries are not anchored");
        } else if self.try_save(&changes).await.is_err() {
            tracing::error!("the last audit entries cannot be written; they are lost");
        } else if let Err(error) = self.store.anchor_log(AnchorState::Stopped, self.clock.now().wall).await {
            tracing::warn!(%error, "the audit log cannot be anchored; its newest entries are not protected");
        }
        self.store.close().await;
    }

    /// The changes that follow from the last traffic totals and reports. Effects other than saving have nothing to act on.
    fn last_changes(&mut self) -> Vec<Change> {
        let now = self.clock.now();
        let mut events = vec![self.unsaved_traffic()];
        events.extend(std::iter::from_fn(|| self.admission_reports.try_next()));
        events.push(Event::Stopping);
        let mut changes = Vec::new();
        for event in events {
            let Ok(seed) = seed() else { break };
            for effect in core::handle(&mut self.state, event, now, seed) {
                match effect {
                    Effect::Audit(event) => self.unwritten_audit.push((now.wall, event)),
                    Effect::Save(more) => changes.extend(more),
                    _ => {}
                }
            }
        }
        changes
    }
}
