//! What differs between systems; callers never see a `cfg`.
//!
//! * [`autostart`]: starting with the desktop.
//! * [`clipboard`]: putting a text there.
//! * [`file_dialog`]: asking where to write a file.
//! * [`message`]: a dialog with something to read.
//! * [`scheme`]: `postern://` links reach this program.
//! * [`wake`]: the machine has slept, or found a network.
//! * `appearance` (Linux): whether the panel is dark.

#[cfg(target_os = "linux")]
pub(crate) mod appearance;

#[cfg_attr(target_os = "linux", path = "linux/autostart.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/autostart.rs")]
pub(crate) mod autostart;
#[cfg_attr(target_os = "linux", path = "linux/clipboard.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/clipboard.rs")]
pub(crate) mod clipboard;
#[cfg(target_os = "linux")]
#[path = "linux/desktop_entry.rs"]
mod desktop_entry;
#[cfg_attr(target_os = "linux", path = "linux/file_dialog.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/file_dialog.rs")]
pub(crate) mod file_dialog;
#[cfg_attr(target_os = "linux", path = "linux/message.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/message.rs")]
pub(crate) mod message;
#[cfg_attr(target_os = "linux", path = "linux/scheme.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/scheme.rs")]
pub(crate) mod scheme;
#[cfg_attr(target_os = "linux", path = "linux/screen.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/screen.rs")]
pub(crate) mod screen;
#[cfg_attr(target_os = "linux", path = "linux/wake.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere/wake.rs")]
pub(crate) mod wake;
