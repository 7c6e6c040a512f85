//! Starting with the desktop, by the system's own means.

use postern_engine::model::{Code, Fault};
use tauri::AppHandle;
use tauri_plugin_autostart::ManagerExt;

/// Whether the program starts with the desktop.
#[must_use]
pub(crate) fn is_on(app: &AppHandle) -> bool {
    app.autolaunch().is_enabled().unwrap_or_default()
}

/// Lets the program start with the desktop, hidden, or not.
///
/// # Errors
/// When the system refuses.
pub(crate) fn set(app: &AppHandle, on: bool) -> Result<(), Fault> {
    let launch = app.autolaunch();
    let set = if on { launch.enable() } else { launch.disable() };
    set.map_err(|error| Fault::new(Code::Storage, format!("Autostart could not be set: {error}.")))
}
