//! The tray icon: the overall state in one image.

use postern_engine::api::Status;

use super::EngineViewState;

/// An icon; its images are in `icon_images`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// Nothing is shared (a closed gate).
    Idle,
    /// Something is shared or reachable (an open gate).
    Ready,
    /// There are open connections.
    Live,
    /// Something needs the user's attention.
    Attention,
    /// No hub or peer is reachable.
    Offline,
    /// Everything is paused.
    Paused,
}

impl Icon {
    /// The icon for this state.
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
