//! The desktop, as the controller sees it: everything it can make appear, and nothing it could ask.
//!
//! The real one is `desktop.rs`; the tests have one that records.

use std::path::PathBuf;
use std::sync::Arc;

use postern_engine::model::{Fault, InvitationId, Notice, ServiceId, Snapshot, Traffic};
use serde::Serialize;
use tokio::sync::oneshot;
use ts_rs::TS;

use crate::notification::{Notification, Topic};
use crate::tray::Tray;

/// What the controller makes appear. No call waits for a person or for the network.
pub trait DesktopIntegration: Send + 'static {
    /// Replaces what is in the tray.
    fn set_tray(&mut self, tray: &Tray);
    /// Makes the window if there is none, shows it and brings it to the front.
    fn show_window(&mut self);
    /// Hides the window, and keeps it for a while.
    fn hide_window(&mut self);
    /// Takes the window away, and with it what it costs.
    fn destroy_window(&mut self);
    /// Whether the window stays in front of others.
    fn pin_window(&mut self, on: bool);
    /// Tells the window, and whoever watches from outside. Lost on a window that is not there.
    fn emit(&mut self, event: &Event);
    /// Shows a notification in the place of one on the same topic. That it could not be shown is only logged.
    fn notify(&mut self, notification: Notification);
    /// Takes a notification away that no longer holds.
    fn withdraw(&mut self, topic: Topic);
    /// Opens a page in the person's browser.
    fn open_url(&mut self, url: &str);
    /// Shows the program's log where the person's files are shown.
    fn show_logs(&mut self);
    /// Puts a text into the clipboard.
    fn copy(&mut self, text: &str);
    /// Whether the program starts with the desktop.
    fn autostart(&mut self) -> bool;
    /// Lets the program start with the desktop, or not.
    ///
    /// # Errors
    /// When the desktop's settings cannot be written.
    fn set_autostart(&mut self, on: bool) -> Result<(), Fault>;
    /// Asks the person where to write a file that is called `name` at first. The answer comes when they have given it:
    /// nothing, or a dropped sender, if they changed their mind.
    fn save_as(&mut self, name: &str, answer: oneshot::Sender<Option<PathBuf>>);
    /// Ends the program; nothing is asked of this face afterwards.
    fn quit(&mut self);
}

/// A part of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// What is shared, both ways.
    Home,
    /// Sharing a service.
    Share,
    /// All invitations and knocks.
    Invitations,
    /// One invitation.
    Invitation(InvitationId),
    /// The settings.
    Settings,
}

/// What the window is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The state changed.
    Snapshot(Arc<Snapshot>),
    /// Numbers moved.
    Traffic(Arc<Traffic>),
    /// Something happened that a person should hear of.
    Notice(Notice),
    /// Show another part.
    Navigate(Navigate),
    /// What the shell itself has to say changed: fetch it.
    Shell,
}

/// Which part of the window to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Navigate {
    /// Which.
    pub view: ViewName,
    /// Which invitation in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub invitation: Option<InvitationId>,
    /// Which service in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub service: Option<ServiceId>,
    /// Why what was asked for cannot be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fault: Option<Fault>,
}

/// The names of the window's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum ViewName {
    /// What is shared, both ways.
    Home,
    /// Sharing a service.
    Share,
    /// Invitations and knocks.
    Invitations,
    /// People.
    Contacts,
    /// Receipts and charts.
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
            View::Settings => (ViewName::Settings, None),
        };
        Self { view, invitation, service: None, fault: None }
    }
}
