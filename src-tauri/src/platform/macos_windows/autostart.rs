//! Start at login, by the system's own mechanism.

use postern_engine::api::{Code, Fault};
use tauri::AppHandle;
use tauri_plugin_autostart::ManagerExt;

/// Whether the program starts at login.
#[must_use]
pub(crate) fn is_on(app: &AppHandle) -> bool {
    app.autolaunch().is_enabled().unwrap_or_default()
}

/// Enables or disables the start at login, without a window.
///
/// # Errors
/// When the system refuses.
pub(crate) fn set(app: &AppHandle, on: bool) -> Result<(), Fault> {
    let launch = app.autolaunch();
    let set = if on { launch.enable() } else { launch.disable() };
    set.map_err(|error| Fault::new(Code::Storage, format!("The start at login could not be changed: {error}.")))
}

/// Does nothing: the system keeps track of the program.
pub(crate) fn repair() {}
