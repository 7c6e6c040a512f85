//! The interface between the controller and the desktop: every effect the controller can have on tray, window,
//! notifications, clipboard and files.
//!
//! `native_desktop` implements it with Tauri; the controller's tests implement it with a recorder.

use std::path::PathBuf;
use std::sync::Arc;

use postern_engine::api::{Fault, InvitationId, Notice, ServiceId, Snapshot, Traffic};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use ts_rs::TS;

use crate::notification::{Notification, Topic};
use crate::tray::Tray;

/// Effects on the desktop. No call blocks on the user or the network.
pub trait DesktopIntegration: Send + 'static {
    /// Replaces icon, tooltip and menu of the tray.
    fn set_tray(&mut self, tray: &Tray);
    /// Creates the window if necessary, in this size or its usual one, shows it and gives it the focus.
    fn show_window(&mut self, size: Option<WindowSize>);
    /// Hides the window but keeps it.
    fn hide_window(&mut self);
    /// Destroys the window and its browser processes.
    fn destroy_window(&mut self);
    /// Keeps the window above other windows, or not.
    fn pin_window(&mut self, on: bool);
    /// Sends an event to the window and to clients of the control socket. Without a window that part is lost.
    fn emit(&mut self, event: &Event);
    /// Shows a notification; replaces one on the same topic. A failure is only logged.
    fn notify(&mut self, notification: Notification);
    /// Closes the notification on a topic, if it is still shown.
    fn withdraw(&mut self, topic: Topic);
    /// Opens a page in the default browser.
    fn open_url(&mut self, url: &str);
    /// Opens the directory of the log in the file manager.
    fn show_logs(&mut self);
    /// Copies a text to the clipboard.
    fn copy(&mut self, text: &str);
    /// Whether the program starts when the user logs in.
    fn autostart(&mut self) -> bool;
    /// Enables or disables the start at login.
    ///
    /// # Errors
    /// When the desktop's settings cannot be written.
    fn set_autostart(&mut self, on: bool) -> Result<(), Fault>;
    /// Opens a file dialog that proposes `name`. The answer is sent when the user closes it; it is nothing, or the
    /// sender is dropped, if they cancelled.
    fn save_as(&mut self, name: &str, answer: oneshot::Sender<Option<PathBuf>>);
    /// Opens a file dialog for a file that exists. The answer is as that of [`Self::save_as`].
    fn open_file(&mut self, answer: oneshot::Sender<Option<PathBuf>>);
    /// Ends the program. No other method is called afterwards.
    fn quit(&mut self);
}

/// The size of the window without its frame, in logical pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// A view of the window, as a tray item or notification leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Services and portals.
    Home,
    /// The form that shares a service.
    Share,
    /// All invitations and knocks.
    Invitations,
    /// One invitation.
    Invitation(InvitationId),
    /// The contacts.
    Contacts,
    /// The settings.
    Settings,
}

/// An event for the window's page and for clients of the control socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The engine's state changed.
    Snapshot(Arc<Snapshot>),
    /// Traffic changed.
    Traffic(Arc<Traffic>),
    /// The engine reported something that the user should know.
    Notice(Notice),
    /// The window should show another view.
    Navigate(Navigate),
    /// The shell's own state changed; the page fetches it.
    Shell,
}

/// Which view the window should show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Navigate {
    /// The view.
    pub view: ViewName,
    /// The invitation to scroll to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub invitation: Option<InvitationId>,
    /// The service to open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub service: Option<ServiceId>,
    /// Why the requested content cannot be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fault: Option<Fault>,
}

/// The names of the window's views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum ViewName {
    /// Services and portals.
    Home,
    /// The form that shares a service.
    Share,
    /// Invitations and knocks.
    Invitations,
    /// Contacts.
    Contacts,
    /// Audit log and traffic charts.
    Activity,
    /// The settings.
    Settings,
}

impl From<View> for Navigate {
    fn from(view: View) -> Self {
        let (view, invitation) = match view {
            View::Home => (ViewName::Home, None),
            View::Share => (ViewName::Share, None),
            View::Invitations => (ViewName::Invitations, None),
            View::Invitation(id) => (ViewName::Invitations, Some(id)),
            View::Contacts => (ViewName::Contacts, None),
            View::Settings => (ViewName::Settings, None),
        };
        Self { view, invitation, service: None, fault: None }
    }
}
