//! Start at login: an entry in the XDG autostart directory.
//!
//! An entry with `Hidden=true` counts as none: desktops write that when the user switches a program off in their own settings.

use std::io;
use std::path::{Path, PathBuf};

use postern_engine::api::{Code, Fault};
use tauri::AppHandle;
use tracing::{info, warn};

use super::desktop_entry;

/// Whether the program starts at login.
#[must_use]
pub(crate) fn is_on(_app: &AppHandle) -> bool {
    entry().is_some_and(|path| is_on_at(&path))
}

/// Enables or disables the start at login, without a window.
///
/// # Errors
/// When the entry cannot be written or removed.
pub(crate) fn set(_app: &AppHandle, on: bool) -> Result<(), Fault> {
    write(on).map_err(|error| Fault::new(Code::Storage, format!("The start at login could not be changed: {error}.")))
}

/// Makes the entry start this program if the one that it names is not there any more: it was moved, or an AppImage was replaced. An
/// entry that the user has switched off stays so.
pub(crate) fn repair() {
    let Some(path) = entry() else { return };
    match desktop_entry::current_program().and_then(|program| repair_at(&path, &program)) {
        Ok(true) => info!("the start at login named a program that is gone, and starts this one now"),
        Ok(false) => {}
        Err(error) => warn!("the start at login could not be repaired: {error}"),
    }
}

/// The program that is to be started at login and is not there.
pub(crate) fn missing_program() -> Option<PathBuf> {
    missing_at(&entry()?)
}

fn is_on_at(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| !is_switched_off(&text))
}

fn is_switched_off(text: &str) -> bool {
    desktop_entry::value(text, "Hidden") == Some("true")
        || desktop_entry::value(text, "X-GNOME-Autostart-enabled") == Some("false")
}

fn missing_at(path: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(path).ok().filter(|text| !is_switched_off(text))?;
    let program = desktop_entry::program(desktop_entry::value(&text, "Exec")?)?;
    // A name without a directory is looked up by the desktop.
    (program.is_absolute() && !program.exists()).then_some(program)
}

fn repair_at(path: &Path, program: &Path) -> io::Result<bool> {
    match missing_at(path) {
        Some(_) => desktop_entry::write_if_changed(path, text(program).as_bytes()),
        None => Ok(false),
    }
}

fn write(on: bool) -> io::Result<()> {
    let path = entry().ok_or_else(|| io::Error::other("there is no home directory"))?;
    if !on {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    desktop_entry::write_if_changed(&path, text(&desktop_entry::current_program()?).as_bytes())?;
    Ok(())
}

fn text(program: &Path) -> String {
    desktop_entry::text(program, "--hidden", "X-GNOME-Autostart-enabled=true\n")
}

fn entry() -> Option<PathBuf> {
    let directory = desktop_entry::directory("XDG_CONFIG_HOME", ".config")?;
    Some(directory.join(format!("autostart/{}.desktop", crate::APP_ID)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_of_a_moved_program_is_repaired() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old place/postern-app"), directory.path().join("postern-app"));
        let path = directory.path().join("autostart/x.desktop");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::create_dir_all(old.parent().unwrap()).unwrap();
        std::fs::write(&old, "").unwrap();
        assert!(!repair_at(&path, &new).unwrap(), "there is no entry, and none is made");
        std::fs::write(&path, text(&old)).unwrap();
        assert!(!repair_at(&path, &new).unwrap(), "another program that is there is left alone");
        std::fs::remove_file(&old).unwrap();
        assert_eq!(missing_at(&path), Some(old));
        assert!(repair_at(&path, &new).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text(&new));
    }

    #[test]
    fn an_entry_that_the_desktop_switched_off_is_off_and_stays_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.desktop");
        let there = text(Path::new("/nonexistent/postern-app"));
        std::fs::write(&path, &there).unwrap();
        assert!(is_on_at(&path));
        for off in [format!("{there}Hidden=true\n"), there.replace("enabled=true", "enabled=false")] {
            std::fs::write(&path, &off).unwrap();
            assert!(!is_on_at(&path), "{off}");
            assert!(!repair_at(&path, Path::new("/usr/bin/postern-app")).unwrap());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), off);
        }
    }
}
