//! Notifications on macOS and Windows: shown by the system, answered in the tray or the window.

use notify_rust::Notification as Native;
use tokio::sync::mpsc;
use tracing::warn;

use super::{Notification, Topic};
use crate::controller::Input;

/// Where notifications are asked for.
pub struct Backend;

impl Backend {
    /// Nothing is heard back on these systems.
    #[must_use]
    pub fn new(_inputs: mpsc::Sender<Input>) -> Self {
        Self
    }

    /// Shows a notification, off this thread.
    pub fn show(&mut self, notification: Notification) {
        std::thread::spawn(move || {
            let mut native = Native::new();
            native.appname("Postern").summary(&notification.title).body(&notification.body);
            if let Err(error) = native.show() {
                warn!("notifications are not shown: {error}");
            }
        });
    }

    /// The system keeps what it showed.
    pub fn withdraw(&mut self, _topic: Topic) {}
}
