//! The lifecycle of the engine as the controller sees it: starting, failed, or running with its event channels.

use std::sync::Arc;

use postern_engine::api::{EngineApi, Fault, Notice, Snapshot, Traffic};
use tokio::sync::{broadcast, watch};

/// Where the engine is in its lifecycle.
pub(super) enum EngineState<E> {
    Starting,
    Failed(Fault),
    Running(RunningEngine<E>),
}

/// A running engine and its event channels.
pub(super) struct RunningEngine<E> {
    pub(super) engine: E,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Receiver<Notice>,
    /// The snapshot that tray and window currently show.
    pub(super) displayed: Arc<Snapshot>,
}

/// An event of the running engine.
pub(super) enum EngineEvent {
    Snapshot,
    Traffic,
    Notice(Notice),
    /// The broadcast channel overflowed; notices were dropped.
    NoticesLagged,
    /// The engine closed its channels.
    Ended,
}

impl<E> EngineState<E> {
    /// The next event of the engine; pending while none runs. Cancel-safe.
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

impl<E: EngineApi> RunningEngine<E> {
    pub(super) fn new(engine: E) -> Self {
        let (snapshots, traffic, notices) = (engine.snapshot(), engine.traffic(), engine.notices());
        let displayed = snapshots.borrow().clone();
        Self { engine, snapshots, traffic, notices, displayed }
    }

    /// Makes the newest snapshot the displayed one; returns the previous and the new one.
    pub(super) fn advance(&mut self) -> (Arc<Snapshot>, Arc<Snapshot>) {
        let new = self.snapshots.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.displayed, Arc::clone(&new));
        (old, new)
    }
}
