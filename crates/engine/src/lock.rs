//! The lock of a data directory: one engine for each (single instance).
//!
//! The lock belongs to an open file, so the system releases it when the process ends, however that happens. The file itself
//! stays; that it exists means nothing.

use crate::api::{Code, Fault};
use postern_env::fs::{self, File, TryLockError};
use std::path::Path;

const FILE: &str = "lock";

/// The lock; released when dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of a data directory, which is created, for its owner only, if it does not exist.
    ///
    /// # Errors
    /// [`Code::InUse`] when another engine holds it, [`Code::Storage`] when the directory or the file cannot be used.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Fault> {
        fs::create_private_directory(data_dir, true).map_err(|error| {
            let path = data_dir.display();
            Fault::new(Code::Storage, format!("{path} cannot be created: {error}. Choose another directory."))
        })?;
        let path = data_dir.join(FILE);
        let failed = |error: std::io::Error| {
            Fault::new(Code::Storage, format!("{} cannot be used: {error}. Check its permissions.", path.display()))
        };
        let mut options = fs::options();
        options.create(true).truncate(false).write(true);
        let file = fs::open_with(&options, &path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Fault::new(
                Code::InUse,
                format!(
                    "Another Postern is running with {}. Use that one, or choose another directory with --data-dir.",
                    data_dir.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_engine() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let held = DirectoryLock::take(one.path()).unwrap();
        let fault = DirectoryLock::take(one.path()).unwrap_err();
        assert_eq!(fault.code, Code::InUse);
        assert!(fault.message.contains("Another Postern is running"), "{fault}");
        DirectoryLock::take(other.path()).unwrap();
        drop(held);
        DirectoryLock::take(one.path()).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_is_created_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let data_dir = place.path().join("a/b");
        let _lock = DirectoryLock::take(&data_dir).unwrap();
        assert_eq!(std::fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
