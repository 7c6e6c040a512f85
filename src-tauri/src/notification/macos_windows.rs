//! Notifications on macOS and Windows: shown without buttons; users respond in the tray or the window.

use notify_rust::Notification as Native;
use tokio::sync::mpsc;
use tracing::warn;

use super::{Notification, Topic};
use crate::controller::Input;

/// Shows notifications with the system's API.
pub struct Backend;

impl Backend {
    /// Responses are not reported on these systems.
    #[must_use]
    pub fn new(_inputs: mpsc::Sender<Input>) -> Self {
        Self
    }

    /// Shows a notification from a thread of its own, since the call can block.
    pub fn show(&mut self, notification: Notification) {
        std::thread::spawn(move || {
            let mut native = Native::new();
            native.appname("Postern").summary(&notification.title).body(&notification.body);
            if let Err(error) = native.show() {
                warn!("failed to show a notification: {error}");
            }
        });
    }

    /// Does nothing: the API cannot close a notification.
    pub fn withdraw(&mut self, _topic: Topic) {}
}
