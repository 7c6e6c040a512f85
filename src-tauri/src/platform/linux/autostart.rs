//! Start at login: an entry in the XDG autostart directory.

use std::io;
use std::path::PathBuf;

use postern_engine::api::{Code, Fault};
use tauri::AppHandle;

use super::desktop_entry;

/// Whether the program starts at login.
#[must_use]
pub(crate) fn is_on(_app: &AppHandle) -> bool {
    entry().is_some_and(|path| path.is_file())
}

/// Enables or disables the start at login, without a window.
///
/// # Errors
/// When the entry cannot be written or removed.
pub(crate) fn set(_app: &AppHandle, on: bool) -> Result<(), Fault> {
    write(on).map_err(|error| Fault::new(Code::Storage, format!("The start at login could not be changed: {error}.")))
}

fn write(on: bool) -> io::Result<()> {
    let path = entry().ok_or_else(|| io::Error::other("there is no home directory"))?;
    if !on {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let text = desktop_entry::text(&std::env::current_exe()?, "--hidden", "X-GNOME-Autostart-enabled=true\n");
    desktop_entry::write_if_changed(&path, text.as_bytes())?;
    Ok(())
}

fn entry() -> Option<PathBuf> {
    let directory = desktop_entry::directory("XDG_CONFIG_HOME", ".config")?;
    Some(directory.join(format!("autostart/{}.desktop", crate::APP_ID)))
}
