//! A wall clock that a test sets while programs run.

use std::fs;
use std::path::{Path, PathBuf};

use super::Person;

/// The wall clock of some programs, set while they run (`libfaketime`, from Debian).
///
/// The monotonic clock stays right, so timeouts are not affected: as on a machine whose time was set.
pub struct FakeClock {
    file: PathBuf,
}

impl FakeClock {
    /// A clock that shows the real time, kept in a file of `directory`.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let clock = Self { file: directory.join("clock") };
        clock.set("+0");
        clock
    }

    /// Sets it to an offset from the real time, such as `+8d` or `-1h`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        // Renamed into place: no program reads half of it.
        fs::write(&new, format!("{offset}\n"))
            .and_then(|()| fs::rename(&new, &self.file))
            .expect("Failed to set a clock");
    }

    /// Makes everything that a person starts from now on use it.
    ///
    /// # Panics
    /// When `libfaketime` is not installed.
    pub fn apply_to(&self, person: &mut Person) {
        let library = ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/faketime/libfaketime.so.1"));
        let library = library.into_iter().find(|library| Path::new(library).exists());
        person.set_env("LD_PRELOAD", library.expect("libfaketime is not installed; `cargo xtask test` installs it"));
        person.set_env("FAKETIME_TIMESTAMP_FILE", self.file.to_string_lossy());
        person.set_env("FAKETIME_NO_CACHE", "1");
        person.set_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
