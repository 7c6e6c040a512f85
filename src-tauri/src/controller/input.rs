//! What the controller hears.

use postern_engine::model::{Answer, Fault, Request, Secret, Snapshot, Traffic};
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::notification::NotificationResponse;
use crate::shell::{ShellAction, ShellState};
use crate::tray::TrayAction;

/// One thing that happened outside.
#[derive(Debug)]
pub enum Input {
    /// A person clicked in the tray.
    Tray(TrayAction),
    /// A person answered a notification.
    Notification(NotificationResponse),
    /// The program was started a second time.
    ShowWindow,
    /// The machine has slept, or found a network.
    ConnectivityRestored,
    /// A link was opened.
    OpenLink(Secret),
    /// Something happened to the window.
    Window(WindowEvent),
    /// The window asks.
    Command(Command),
}

/// What happens to the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowEvent {
    /// It has the keyboard now, or no longer.
    Focused(bool),
    /// A person wants it closed.
    CloseRequested,
    /// It is gone.
    Destroyed,
}

/// What the window asks, and where the answer goes. An answer that nobody waits for is dropped.
#[derive(Debug)]
pub enum Command {
    /// Something of the engine.
    Request(Box<Request>, oneshot::Sender<Result<Answer, Fault>>),
    /// Everything visible; asked first, once the window listens. Answered when the engine has started, or could not.
    InitialState(oneshot::Sender<Result<InitialState, Fault>>),
    /// What the shell shows.
    ShellState(oneshot::Sender<ShellState>),
    /// Something of the shell.
    ShellAction(ShellAction, oneshot::Sender<Result<ShellState, Fault>>),
    /// Where the person wants a file that is called so at first. Answered when they have said it, or will not.
    SaveAs(String, oneshot::Sender<Result<Option<String>, Fault>>),
}

/// What the engine shows.
#[derive(Debug, Clone, serde::Serialize)]
pub struct InitialState {
    /// Everything visible.
    pub snapshot: Arc<Snapshot>,
    /// Numbers that move.
    pub traffic: Arc<Traffic>,
}
