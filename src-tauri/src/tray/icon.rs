//! The tray's picture.

use postern_engine::model::Status;

use super::EngineViewState;

/// The state in one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// The gate is shut: nothing is shared.
    Idle,
    /// The gate is open.
    Ready,
    /// Somebody goes through it.
    Live,
    /// Something waits for the person.
    Attention,
    /// Nobody can be reached.
    Offline,
    /// Everything is paused.
    Paused,
}

impl Icon {
    /// The picture for what is state.
    #[must_use]
    pub fn of(state: EngineViewState<'_>) -> Self {
        match state {
            EngineViewState::Starting => Self::Idle,
            EngineViewState::Failed(_) => Self::Attention,
            EngineViewState::Running(snapshot) => match snapshot.status {
                Status::Idle => Self::Idle,
                Status::Ready => Self::Ready,
                Status::Live => Self::Live,
                Status::Attention => Self::Attention,
                Status::Offline => Self::Offline,
                Status::Paused => Self::Paused,
            },
        }
    }
}
