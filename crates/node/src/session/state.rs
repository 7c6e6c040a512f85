//! How a session is doing.

use super::error::SessionError;
use std::sync::Arc;
use tokio::sync::watch;

/// How a session is doing.
#[derive(Debug, Clone)]
pub enum State<T> {
    /// It is trying; nothing has failed yet.
    Connecting,
    /// It is up.
    Up(T),
    /// It is trying again, because of this.
    Down(Arc<SessionError>),
}

impl<T> State<T> {
    /// What it holds, if it is up.
    pub fn up(&self) -> Option<&T> {
        match self {
            Self::Up(it) => Some(it),
            _ => None,
        }
    }
}

/// Waits for the first state that is not `Connecting`.
pub(super) async fn first_outcome<T: Clone>(mut state: watch::Receiver<State<T>>) -> Result<T, Arc<SessionError>> {
    match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
        Ok(State::Up(it)) => Ok(it.clone()),
        Ok(State::Down(reason)) => Err(reason.clone()),
        _ => Err(Arc::new(SessionError::Stopped)),
    }
}
