//! The shell's part of the window's interface: its state and its actions. Everything else belongs to the engine.

use postern_engine::api::{Fault, Secret};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The shell's state, as the window shows it.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct ShellState {
    /// Whether the program starts when the user logs in.
    pub autostart: bool,
    /// Whether desktop notifications are shown.
    pub notifications: bool,
    /// Whether the window is light or dark.
    pub theme: Theme,
    /// The operating system.
    pub platform: Platform,
    /// The program's version.
    pub version: String,
    /// The path of the log file.
    pub log_file: String,
    /// The name of whoever is logged in, proposed as the user's; empty if the system does not give it.
    pub user_name: String,
    /// Whether the key is in a file that is encrypted with a passphrase, so that a start needs the passphrase.
    pub key_file: bool,
    /// Why the engine failed to start, or stopped.
    pub fault: Option<Fault>,
}

/// Whether the window is light or dark.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the desktop is.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Linux, and other Unix systems with a freedesktop.org desktop.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Platform {
    /// The one this program was compiled for.
    pub const CURRENT: Self = if cfg!(target_os = "macos") {
        Self::Macos
    } else if cfg!(windows) {
        Self::Windows
    } else {
        Self::Linux
    };
}

/// An action of the shell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum ShellAction {
    /// Enable or disable the start at login.
    SetAutostart {
        /// Whether it is enabled.
        on: bool,
    },
    /// Enable or disable desktop notifications.
    SetNotifications {
        /// Whether they are enabled.
        on: bool,
    },
    /// Choose between light and dark.
    SetTheme {
        /// Light, dark, or as the desktop is.
        theme: Theme,
    },
    /// Open a page in the browser.
    OpenUrl {
        /// `http` or `https`, on a loopback address.
        url: String,
    },
    /// Copy a text to the clipboard.
    Copy {
        /// The text.
        text: String,
    },
    /// Open the directory of the log in the file manager.
    ShowLogs,
    /// Copy a diagnostics report to the clipboard: no names, addresses or secrets.
    CopyDiagnostics,
    /// Quit the program.
    Quit,
    /// Start the engine again after it failed.
    RetryStart,
    /// Start the engine again with the key in a file that is encrypted with this passphrase: for a desktop without a keychain, as
    /// long as nobody is set up; and to open the file that is there.
    UseKeyFile {
        /// 1 to 4,096 bytes.
        #[ts(type = "string")]
        passphrase: Secret,
    },
    /// Restore a backup, as long as nobody is set up, and start the engine with it.
    Restore {
        /// The path of the backup.
        file: String,
        /// The backup's passphrase.
        #[ts(type = "string")]
        passphrase: Secret,
    },
    /// Hide the window.
    Hide,
    /// Keep the window above other windows.
    Pin {
        /// Whether it is kept there.
        on: bool,
    },
}

/// Whether a page may be opened in the browser: `http` or `https`, on a loopback address or below `localhost`.
#[must_use]
pub fn is_loopback_url(url: &str) -> bool {
    let Ok(url) = tauri::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    // Names below `localhost` are loopback for browsers (RFC 6761).
    let is_localhost = host == "localhost" || host.ends_with(".localhost");
    let is_loopback = is_localhost || address.is_ok_and(|address| address.is_loopback());
    matches!(url.scheme(), "http" | "https") && is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo xtask types` generates the file.
    #[test]
    fn generated_types_are_up_to_date() {
        use crate::desktop_integration::{Navigate, ViewName};
        let config = ts_rs::Config::new();
        let mut text = String::from("// Generated from the shell's types by `cargo xtask types`. Do not edit.\n\n");
        text.push_str("import type { Fault, InvitationId, ServiceId } from '../types';\n");
        let types = [
            Platform::decl(&config),
            Theme::decl(&config),
            ShellState::decl(&config),
            ShellAction::decl(&config),
            ViewName::decl(&config),
            Navigate::decl(&config),
        ];
        for declaration in types {
            text.push_str(&format!("\nexport {declaration}\n"));
        }
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/backend/shell.ts");
        if std::env::var_os("POSTERN_WRITE_TYPES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{} is out of date: run `cargo xtask types`", path.display());
    }

    #[test]
    fn only_loopback_urls_are_opened() {
        for good in [
            "http://127.0.0.1:8888/lab",
            "https://localhost:8443",
            "http://[::1]:80/",
            "http://127.8.8.8/",
            "http://wiki.ann.localhost:3000/",
        ] {
            assert!(is_loopback_url(good), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "https://example.com",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "127.0.0.1",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://notlocalhost/",
            "http://user@example.com:80/#127.0.0.1",
            "postern://join/x",
            "",
        ] {
            assert!(!is_loopback_url(bad), "{bad}");
        }
    }
}
