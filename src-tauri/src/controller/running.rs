//! The engine, as the controller has it: not yet, not at all, or running and heard.

use std::sync::Arc;

use postern_engine::api::{Fault, Notice, Snapshot, Traffic};
use tokio::sync::{broadcast, watch};

use super::backend::Engine;

/// What has become of the engine.
pub(super) enum State<E> {
    Starting,
    Failed(Fault),
    Running(Running<E>),
}

/// An engine, and what it says.
pub(super) struct Running<E> {
    pub(super) engine: E,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Receiver<Notice>,
    /// The snapshot that everything on the screen shows.
    pub(super) shown: Arc<Snapshot>,
}

/// What the engine said.
pub(super) enum Said {
    Snapshot,
    Traffic,
    Notice(Notice),
    Missed,
    Ended,
}

impl<E> State<E> {
    /// What the engine says next; nothing while there is none.
    pub(super) async fn said(&mut self) -> Said {
        let Self::Running(running) = self else {
            return std::future::pending().await;
        };
        tokio::select! {
            biased;
            changed = running.snapshots.changed() => changed.map_or(Said::Ended, |()| Said::Snapshot),
            notice = running.notices.recv() => match notice {
                Ok(notice) => Said::Notice(notice),
                Err(broadcast::error::RecvError::Lagged(_)) => Said::Missed,
                Err(broadcast::error::RecvError::Closed) => Said::Ended,
            },
            changed = running.traffic.changed() => changed.map_or(Said::Ended, |()| Said::Traffic),
        }
    }
}

impl<E: Engine> Running<E> {
    pub(super) fn new(engine: E) -> Self {
        let (snapshots, traffic, notices) = (engine.snapshot(), engine.traffic(), engine.notices());
        let shown = snapshots.borrow().clone();
        Self { engine, snapshots, traffic, notices, shown }
    }

    /// Takes the newest snapshot to be shown; gives the one before, and it.
    pub(super) fn look(&mut self) -> (Arc<Snapshot>, Arc<Snapshot>) {
        let new = self.snapshots.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.shown, Arc::clone(&new));
        (old, new)
    }
}
