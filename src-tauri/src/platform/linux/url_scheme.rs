//! Registers this program as the handler of `postern://` links: a desktop entry with the scheme, and its icon.

use std::io;
use std::process::{Command, Stdio};

use tracing::{debug, warn};

use super::desktop_entry;

const ICON: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/icons/128x128.png"));

/// Registers this program, unless a package did. Blocks on the disk and on `update-desktop-database`.
pub(crate) fn register() {
    if let Err(error) = write() {
        warn!("failed to register for postern:// links, they will not open Postern: {error}");
    }
}

fn write() -> io::Result<()> {
    let name = format!("{}.desktop", crate::APP_ID);
    let packaged = std::path::Path::new("/usr/share/applications").join(&name);
    if packaged.is_file() {
        return Ok(());
    }
    let data = desktop_entry::directory("XDG_DATA_HOME", ".local/share");
    let data = data.ok_or_else(|| io::Error::other("there is no home directory"))?;
    let icon = data.join(format!("icons/hicolor/128x128/apps/{}.png", crate::APP_ID));
    desktop_entry::write_if_changed(&icon, ICON)?;

    let applications = data.join("applications");
    let more = "Categories=Network;Development;\nStartupNotify=true\nMimeType=x-scheme-handler/postern;\n";
    let text = desktop_entry::text(&std::env::current_exe()?, "%u", more);
    if desktop_entry::write_if_changed(&applications.join(name), text.as_bytes())? {
        let mut update = Command::new("update-desktop-database");
        let updated = update.arg(&applications).stdout(Stdio::null()).stderr(Stdio::null()).status();
        debug!("update-desktop-database: {updated:?}");
    }
    Ok(())
}
