//! What the window can see and ask of the shell itself: everything that is not the engine's.

use std::path::{Path, PathBuf};

use postern_engine::model::Fault;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the shell shows.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ShellState {
    /// Whether the program starts with the desktop.
    pub autostart: bool,
    /// Whether the desktop's notifications are used.
    pub notifications: bool,
    /// The system it runs on.
    pub platform: Platform,
    /// The program's version.
    pub version: String,
    /// Where the log is written.
    pub log_file: String,
    /// Why the engine did not start.
    pub fault: Option<Fault>,
}

/// A system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Linux, and what is like it.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Platform {
    /// The one this program was built for.
    pub const CURRENT: Self = if cfg!(target_os = "macos") {
        Self::Macos
    } else if cfg!(windows) {
        Self::Windows
    } else {
        Self::Linux
    };
}

/// What can be asked of the shell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum ShellAction {
    /// Start with the desktop, or not.
    SetAutostart {
        /// Whether.
        on: bool,
    },
    /// Use the desktop's notifications, or not.
    SetNotifications {
        /// Whether.
        on: bool,
    },
    /// Open a page of this computer in the browser.
    OpenUrl {
        /// `http` or `https`, on this computer.
        url: String,
    },
    /// Put a text into the clipboard.
    Copy {
        /// It.
        text: String,
    },
    /// Show the log among the person's files.
    ShowLogs,
    /// Put into the clipboard what somebody needs to know who helps: no names, no addresses, no secrets.
    CopyDiagnostics,
    /// End the program.
    Quit,
    /// Start the engine again after it could not.
    RetryStart,
    /// Hide the window.
    Hide,
    /// Keep the window in front of others, or not.
    Pin {
        /// Whether.
        on: bool,
    },
}

/// What the shell remembers: `shell.json` in the data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShellSettings {
    /// Whether the desktop's notifications are used.
    pub notifications: bool,
}

impl Default for ShellSettings {
    fn default() -> Self {
        Self { notifications: true }
    }
}

impl ShellSettings {
    /// Reads it; what is missing or damaged is as it is at first.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let text = std::fs::read(settings_path(data_dir)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes it so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// When the disk does.
    pub fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(data_dir)?;
        serde_json::to_writer_pretty(&mut new, self)?;
        new.as_file().sync_all()?;
        new.persist(settings_path(data_dir))?;
        Ok(())
    }
}

fn settings_path(data_dir: &Path) -> PathBuf {
    data_dir.join("shell.json")
}

/// Whether a page may be opened: `http` or `https`, and on this computer.
#[must_use]
pub fn is_loopback_url(url: &str) -> bool {
    let Ok(url) = tauri::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    matches!(url.scheme(), "http" | "https") && is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo xtask types` writes it anew.
    #[test]
    fn the_windows_types_are_the_shells() {
        use crate::desktop_integration::{Navigate, ViewName};
        let config = ts_rs::Config::new();
        let mut text = String::from("// Written from the shell's types by `cargo xtask types`. Do not edit.\n\n");
        text.push_str("import type { Fault, InvitationId, ServiceId } from '../types';\n");
        let types = [
            Platform::decl(&config),
            ShellState::decl(&config),
            ShellAction::decl(&config),
            ViewName::decl(&config),
            Navigate::decl(&config),
        ];
        for declaration in types {
            text.push_str(&format!("\nexport {declaration}\n"));
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/backend/shell.ts");
        if std::env::var_os("POSTERN_WRITE_TYPES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{} is out of date: run `cargo xtask types`", path.display());
    }

    #[test]
    fn only_pages_of_this_computer_are_opened() {
        for good in ["http://127.0.0.1:8888/lab", "https://localhost:8443", "http://[::1]:80/", "http://127.8.8.8/"] {
            assert!(is_loopback_url(good), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "https://example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "127.0.0.1",
            "http://127.0.0.1.example.com/",
            "http://user@example.com:80/#127.0.0.1",
            "postern://join/x",
            "",
        ] {
            assert!(!is_loopback_url(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_remembered_survives_and_damage_does_not_hurt() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: true });
        ShellSettings { notifications: false }.write(directory.path()).unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: false });
        std::fs::write(directory.path().join("shell.json"), "{").unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: true });
    }
}
