//! [`DesktopIntegration`] with the real desktop: Tauri's window, the system's tray and notifications.

use std::path::PathBuf;

use postern_engine::api::Fault;
use tauri::{AppHandle, Emitter};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::controller::Input;
use crate::desktop_integration::{DesktopIntegration, Event, WindowSize};
use crate::engine_proxy::EngineProxy;
use crate::notification::{self, Notification, Topic};
use crate::platform::{autostart, clipboard, file_dialog};
use crate::tray::{self, Tray};
use crate::window;

/// The desktop of a running Tauri program.
pub(crate) struct NativeDesktop {
    app: AppHandle,
    tray: tray::Backend,
    notifications: notification::Backend,
    engine_proxy: EngineProxy,
    logs: PathBuf,
}

impl NativeDesktop {
    /// Connects tray and notifications to `inputs`. Must be called in the context of a Tokio runtime.
    #[must_use]
    pub(crate) fn new(app: AppHandle, inputs: &mpsc::Sender<Input>, engine_proxy: EngineProxy, logs: PathBuf) -> Self {
        #[cfg(target_os = "linux")]
        let tray = tray::Backend::new(inputs.clone());
        #[cfg(not(target_os = "linux"))]
        let tray = tray::Backend::new(app.clone(), inputs.clone());
        Self { app, tray, notifications: notification::Backend::new(inputs.clone()), engine_proxy, logs }
    }

    fn open(&self, what: impl AsRef<std::ffi::OsStr>) {
        if let Err(error) = open::that_detached(what) {
            warn!("failed to open with the system's default program: {error}");
        }
    }
}

impl DesktopIntegration for NativeDesktop {
    fn set_tray(&mut self, tray: &Tray) {
        self.tray.show(tray);
    }

    fn show_window(&mut self, size: Option<WindowSize>) {
        window::show(&self.app, size);
    }

    fn hide_window(&mut self) {
        window::hide(&self.app);
    }

    fn destroy_window(&mut self) {
        window::destroy(&self.app);
    }

    fn pin_window(&mut self, on: bool) {
        window::pin(&self.app, on);
    }

    fn emit(&mut self, event: &Event) {
        self.engine_proxy.publish(event);
        let sent = match event {
            Event::Snapshot(snapshot) => self.app.emit_to(window::LABEL, "snapshot", snapshot.as_ref()),
            Event::Traffic(traffic) => self.app.emit_to(window::LABEL, "traffic", traffic.as_ref()),
            Event::Notice(notice) => self.app.emit_to(window::LABEL, "notice", notice),
            Event::Navigate(target) => self.app.emit_to(window::LABEL, "navigate", target),
            Event::Shell => self.app.emit_to(window::LABEL, "shell", ()),
        };
        if let Err(error) = sent {
            warn!("failed to send an event to the window: {error}");
        }
    }

    fn notify(&mut self, notification: Notification) {
        self.notifications.show(notification);
    }

    fn withdraw(&mut self, topic: Topic) {
        self.notifications.withdraw(topic);
    }

    fn open_url(&mut self, url: &str) {
        self.open(url);
    }

    fn show_logs(&mut self) {
        self.open(&self.logs);
    }

    fn copy(&mut self, text: &str) {
        clipboard::copy(&self.app, text.into());
    }

    fn autostart(&mut self) -> bool {
        autostart::is_on(&self.app)
    }

    fn set_autostart(&mut self, on: bool) -> Result<(), Fault> {
        autostart::set(&self.app, on)
    }

    fn save_as(&mut self, name: &str, answer: oneshot::Sender<Option<PathBuf>>) {
        file_dialog::save_as(&self.app, name.into(), answer);
    }

    fn open_file(&mut self, answer: oneshot::Sender<Option<PathBuf>>) {
        file_dialog::open_file(&self.app, answer);
    }

    fn quit(&mut self) {
        self.app.exit(0);
    }
}
