//! What differs between operating systems; callers never see a `cfg`.
//!
//! * [`autostart`]: start at login.
//! * [`clipboard`]: copying a text.
//! * [`file_dialog`]: the dialogs for saving and opening a file.
//! * [`findings`]: what is wrong with the desktop's settings, for `postern doctor`.
//! * [`message_dialog`]: a modal error dialog.
//! * [`url_scheme`]: handler of `postern://` links.
//! * [`webkit`]: how the window's engine is started.
//! * [`connectivity`]: resume from sleep, network changes.
//! * [`display`]: whether there is a display.
//! * `appearance` (Linux): whether panel and windows are dark.

#[cfg(target_os = "linux")]
#[path = "linux/appearance.rs"]
pub(crate) mod appearance;

#[cfg_attr(target_os = "linux", path = "linux/autostart.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/autostart.rs")]
pub(crate) mod autostart;
#[cfg_attr(target_os = "linux", path = "linux/clipboard.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/clipboard.rs")]
pub(crate) mod clipboard;
#[cfg_attr(target_os = "linux", path = "linux/connectivity.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/connectivity.rs")]
pub(crate) mod connectivity;
#[cfg(target_os = "linux")]
#[path = "linux/desktop_entry.rs"]
mod desktop_entry;
#[cfg_attr(target_os = "linux", path = "linux/display.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/display.rs")]
pub(crate) mod display;
#[cfg_attr(target_os = "linux", path = "linux/file_dialog.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/file_dialog.rs")]
pub(crate) mod file_dialog;
#[cfg_attr(target_os = "linux", path = "linux/findings.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/findings.rs")]
pub(crate) mod findings;
#[cfg_attr(target_os = "linux", path = "linux/message_dialog.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/message_dialog.rs")]
pub(crate) mod message_dialog;
#[cfg_attr(target_os = "linux", path = "linux/url_scheme.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/url_scheme.rs")]
pub(crate) mod url_scheme;
#[cfg_attr(target_os = "linux", path = "linux/webkit.rs")]
#[cfg_attr(not(target_os = "linux"), path = "macos_windows/webkit.rs")]
pub(crate) mod webkit;
