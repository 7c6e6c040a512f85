//! The shell's own settings: `shell.json` in the data directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What the user chose for the shell. Unknown or missing fields have their default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShellSettings {
    /// Whether desktop notifications are shown.
    pub notifications: bool,
}

impl Default for ShellSettings {
    fn default() -> Self {
        Self { notifications: true }
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
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: true });
        ShellSettings { notifications: false }.write(directory.path()).unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: false });
        std::fs::write(directory.path().join("shell.json"), "{").unwrap();
        assert_eq!(ShellSettings::read(directory.path()), ShellSettings { notifications: true });
    }
}
