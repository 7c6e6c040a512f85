//! The shell's own settings: `shell.json` in the data directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::desktop_integration::WindowSize;
use crate::shell::Theme;

/// What the user chose for the shell. Unknown or missing fields have their default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShellSettings {
    /// Whether desktop notifications are shown.
    pub notifications: bool,
    /// Whether the user was told that closing the window leaves the program in the tray.
    pub closing_explained: bool,
    /// The size that the user gave the window.
    pub window_size: Option<WindowSize>,
    /// Whether the window is light or dark.
    pub theme: Theme,
}

impl Default for ShellSettings {
    fn default() -> Self {
        Self { notifications: true, closing_explained: false, window_size: None, theme: Theme::System }
    }
}

impl ShellSettings {
    /// Reads the file. The defaults replace a file that is missing or damaged: nothing in it is worth a failed start.
    #[must_use]
    pub fn read(data_dir: &Path) -> Self {
        let text = std::fs::read(path(data_dir)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Replaces the file atomically.
    ///
    /// # Errors
    /// When writing to the disk fails.
    pub fn write(&self, data_dir: &Path) -> std::io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(data_dir)?;
        serde_json::to_writer_pretty(&mut new, self)?;
        new.as_file().sync_all()?;
        new.persist(path(data_dir))?;
        Ok(())
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("shell.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_restart_and_a_damaged_file() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings::default());
        let changed = ShellSettings {
            notifications: false,
            closing_explained: true,
            window_size: Some(WindowSize { width: 700, height: 600 }),
            theme: Theme::Dark,
        };
        changed.write(directory.path()).unwrap();
        assert_eq!(ShellSettings::read(directory.path()), changed);
        // Of an older version.
        std::fs::write(directory.path().join("shell.json"), r#"{"notifications": false}"#).unwrap();
        let older = ShellSettings { notifications: false, ..ShellSettings::default() };
        assert_eq!(ShellSettings::read(directory.path()), older);
        std::fs::write(directory.path().join("shell.json"), "{").unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings::default());
    }
}
