//! One engine for each data directory: whoever holds the lock on its `lock` file.
//!
//! The lock belongs to the open file, so it ends with the process however that ends.

use crate::api::{Code, Fault};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

const FILE: &str = "lock";

/// The lock, until it is dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of a data directory that exists.
    ///
    /// # Errors
    /// [`Code::InUse`] when another engine holds it.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Fault> {
        let path = data_dir.join(FILE);
        let failed = |error: std::io::Error| {
            Fault::new(Code::Storage, format!("{} cannot be used: {error}. Check its permissions.", path.display()))
        };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Fault::new(
                Code::InUse,
                format!(
                    "Another Postern is running with {}. Use that one, or choose another place with --data-dir.",
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
}
