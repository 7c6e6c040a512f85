//! Registers this program as the handler of `postern://` links: a desktop entry with the scheme, and its icon.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tracing::{debug, warn};

use super::desktop_entry;

/// The links as a MIME type.
const SCHEME: &str = "x-scheme-handler/postern";
/// Chosen: many times what it takes.
const XDG_MIME_TIMEOUT_SECONDS: &str = "5";
const ICON: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/icons/128x128.png"));

/// Registers this program, unless a package did so that links arrive, and makes it the default if there is none. Blocks on the disk, on
/// `update-desktop-database` and `xdg-mime`.
pub(crate) fn register() {
    if let Err(error) = write() {
        warn!("failed to register for postern:// links, they will not open Postern: {error}");
    }
    // Some desktops open nothing without a default, even if only one program can.
    if default_handler().is_some_and(|handler| handler.is_empty()) {
        let set =
            xdg_mime().args(["default", &format!("{}.desktop", crate::APP_ID), SCHEME]).stderr(Stdio::null()).status();
        debug!("xdg-mime default: {set:?}");
    }
}

/// The entry that opens the links, if it is not this program's.
pub(crate) fn other_handler() -> Option<String> {
    default_handler().filter(|handler| !handler.is_empty() && *handler != format!("{}.desktop", crate::APP_ID))
}

/// The entry that opens the links, empty if there is none; nothing if `xdg-mime` does not say.
fn default_handler() -> Option<String> {
    let asked = xdg_mime().args(["query", "default", SCHEME]).stderr(Stdio::null()).output().ok()?;
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).trim().to_owned())
}

/// `xdg-mime` asks programs of the desktop, which may not answer: `timeout` of coreutils ends it.
fn xdg_mime() -> Command {
    let mut command = Command::new("timeout");
    command.args([XDG_MIME_TIMEOUT_SECONDS, "xdg-mime"]).stdin(Stdio::null());
    command
}

/// Where packages put their entries (XDG base directory specification).
fn packaged_directories() -> impl Iterator<Item = PathBuf> {
    let set = std::env::var("XDG_DATA_DIRS").ok().filter(|it| !it.is_empty());
    let all = set.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    all.split(':').map(PathBuf::from).filter(|it| it.is_absolute()).collect::<Vec<_>>().into_iter()
}

/// Whether an entry is given the links that it is opened with, and says so, and its program is there.
fn opens_links(text: &str) -> bool {
    let exec = desktop_entry::value(text, "Exec").unwrap_or_default();
    let types = desktop_entry::value(text, "MimeType").unwrap_or_default();
    let is_there = desktop_entry::program(exec).is_some_and(|it| !it.is_absolute() || it.exists());
    is_there && exec.split_whitespace().any(|it| matches!(it, "%u" | "%U")) && types.split(';').any(|it| it == SCHEME)
}

fn write() -> io::Result<()> {
    let name = format!("{}.desktop", crate::APP_ID);
    let packaged = packaged_directories().map(|it| it.join("applications").join(&name));
    let is_packaged = packaged.filter_map(|it| std::fs::read_to_string(it).ok()).any(|text| opens_links(&text));
    let data = desktop_entry::directory("XDG_DATA_HOME", ".local/share");
    let data = data.ok_or_else(|| io::Error::other("there is no home directory"))?;
    if is_packaged {
        return remove_stale(&data.join("applications").join(&name));
    }
    let icon = data.join(format!("icons/hicolor/128x128/apps/{}.png", crate::APP_ID));
    desktop_entry::write_if_changed(&icon, ICON)?;

    let applications = data.join("applications");
    let more = "Categories=Network;Development;\nStartupNotify=true\nMimeType=x-scheme-handler/postern;\n";
    let text = desktop_entry::text(&desktop_entry::current_program()?, "%u", more);
    if desktop_entry::write_if_changed(&applications.join(name), text.as_bytes())? {
        let mut update = Command::new("update-desktop-database");
        let updated = update.arg(&applications).stdout(Stdio::null()).stderr(Stdio::null()).status();
        debug!("update-desktop-database: {updated:?}");
    }
    Ok(())
}

/// Removes an entry of ours that opens no links, such as one of a program that is gone: it would go before the package's.
fn remove_stale(own: &Path) -> io::Result<()> {
    match std::fs::read_to_string(own) {
        Ok(text) if !opens_links(&text) => std::fs::remove_file(own),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packaged_entry_counts_only_if_links_arrive() {
        let program = std::env::current_exe().unwrap();
        let entry = |arguments, more| desktop_entry::text(&program, arguments, more);
        let types = "MimeType=text/x;x-scheme-handler/postern;\n";
        assert!(opens_links(&entry("%u", types)) && opens_links(&entry("--x %U", types)));
        assert!(!opens_links(&entry("", types)), "it is not given the link");
        assert!(!opens_links(&entry("%u", "MimeType=text/x;\n")), "it does not say that it opens them");
        let gone = desktop_entry::text(Path::new("/nonexistent/postern-app"), "%u", types);
        assert!(!opens_links(&gone), "its program is gone");
        assert!(!opens_links(""));

        let home = tempfile::tempdir().unwrap();
        let own = home.path().join("own.desktop");
        remove_stale(&own).unwrap();
        for (text, stays) in [(entry("%u", types), true), (gone, false)] {
            std::fs::write(&own, text).unwrap();
            remove_stale(&own).unwrap();
            assert_eq!(own.exists(), stays);
        }
    }
}
