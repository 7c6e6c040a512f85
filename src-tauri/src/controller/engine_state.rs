//! The engine, as the controller has it: not yet, not at all, or running and heard.

use std::sync::Arc;

use postern_engine::model::{Fault, Notice, Snapshot, Traffic};
use tokio::sync::{broadcast, watch};

use super::engine_factory::Engine;

/// What has become of the engine.
pub(super) enum EngineState<E> {
    Starting,
    Failed(Fault),
    Running(RunningEngine<E>),
}

/// An engine, and what it says.
pub(super) struct RunningEngine<E> {
    pub(super) engine: E,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Receiver<Notice>,
    /// The snapshot that everything on the screen shows.
    pub(super) displayed: Arc<Snapshot>,
}

/// What the engine said.
pub(super) enum EngineEvent {
    Snapshot,
    Traffic,
    Notice(Notice),
    NoticesLagged,
    Ended,
}

impl<E> EngineState<E> {
    /// What the engine says next; nothing while there is none.
    pub(super) async fn next_event(&mut self) -> EngineEvent {
        let Self::Running(running) = self else {
            return std::future::pending().await;
        };
        tokio::select! {
            biased;
            changed = running.snapshots.changed() => changed.map_or(EngineEvent::Ended, |()| EngineEvent::Snapshot),
            notice = running.notices.recv() => match notice {
                Ok(notice) => EngineEvent::Notice(notice),
                Err(broadcast::error::RecvError::Lagged(_)) => EngineEvent::NoticesLagged,
                Err(broadcast::error::RecvError::Closed) => EngineEvent::Ended,
            },
            changed = running.traffic.changed() => changed.map_or(EngineEvent::Ended, |()| EngineEvent::Traffic),
        }
    }
}

impl<E: Engine> RunningEngine<E> {
    pub(super) fn new(engine: E) -> Self {
        let (snapshots, traffic, notices) = (engine.snapshot(), engine.traffic(), engine.notices());
        let displayed = snapshots.borrow().clone();
        Self { engine, snapshots, traffic, notices, displayed }
    }

    /// Takes the newest snapshot to be shown; gives the one before, and it.
    pub(super) fn advance(&mut self) -> (Arc<Snapshot>, Arc<Snapshot>) {
        let new = self.snapshots.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.displayed, Arc::clone(&new));
        (old, new)
    }
}
