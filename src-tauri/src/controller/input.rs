//! What the controller receives from outside: from tray, notifications, system, window and control socket.

use std::sync::Arc;

use postern_engine::api::{Answer, Fault, Request, Secret, Snapshot, Traffic};
use tokio::sync::oneshot;

use crate::desktop_integration::WindowSize;
use crate::notification::NotificationResponse;
use crate::shell::{ShellAction, ShellState};
use crate::tray::TrayAction;

/// One input of the controller.
#[derive(Debug)]
pub enum Input {
    /// The user clicked the tray icon or an item of its menu.
    Tray(TrayAction),
    /// The user responded to a notification.
    Notification(NotificationResponse),
    /// Show the window: the program was started a second time.
    ShowWindow,
    /// The machine resumed from sleep, or a network became available.
    ConnectivityRestored,
    /// Whether the desktop shows the tray icon now. Until the first report it is taken to.
    TrayHost(bool),
    /// Open an invitation link.
    OpenLink(Secret),
    /// The window's state changed.
    Window(WindowEvent),
    /// A call of the window's page or of a control client.
    Command(Command),
}

/// A change of the window's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowEvent {
    /// It gained or lost the keyboard focus.
    Focused(bool),
    /// It has this size now.
    Resized(WindowSize),
    /// The user closed it.
    CloseRequested,
    /// It no longer exists.
    Destroyed,
}

/// A call that expects one reply. A dropped receiver cancels nothing.
#[derive(Debug)]
pub enum Command {
    /// A request to the engine.
    Request(Box<Request>, oneshot::Sender<Result<Answer, Fault>>),
    /// The current state. The page sends it once it listens to events. Answered when the engine has started or failed
    /// to start.
    InitialState(oneshot::Sender<Result<InitialState, Fault>>),
    /// The shell's own state.
    ShellState(oneshot::Sender<ShellState>),
    /// An action of the shell. A retried start is answered when it has ended.
    ShellAction(ShellAction, oneshot::Sender<Result<ShellState, Fault>>),
    /// A file dialog that proposes this name. Answered when the user closed it: with the path, or nothing if cancelled.
    SaveAs(String, oneshot::Sender<Result<Option<String>, Fault>>),
    /// A file dialog for a file that exists. Answered as [`Command::SaveAs`].
    OpenFile(oneshot::Sender<Result<Option<String>, Fault>>),
}

/// The engine's state at the time a page starts to listen.
#[derive(Debug, Clone, serde::Serialize)]
pub struct InitialState {
    /// Everything a frontend shows.
    pub snapshot: Arc<Snapshot>,
    /// Current traffic.
    pub traffic: Arc<Traffic>,
}
