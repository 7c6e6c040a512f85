//! The lock of a data directory: one engine for each (single instance).
//!
//! The lock belongs to an open file, so the system releases it when the process ends, however that happens. The file itself
//! stays; that it exists means nothing.

use crate::api::{Code, Fault};
use crate::data_dir_owner;
use postern_env::fs::{self, File, TryLockError};
use std::path::Path;

const FILE: &str = "lock";

/// The lock; released when dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of a data directory, which is created, for its owner only, if it does not exist. One that others could
    /// enter is closed to them.
    ///
    /// # Errors
    /// [`Code::InUse`] when another engine holds it, [`Code::Storage`] when the directory or the file cannot be used.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Fault> {
        let unusable = |sentence: String| unusable(data_dir, data_dir_owner::other_owner(data_dir), sentence);
        let path = data_dir.display();
        fs::create_private_directory(data_dir, true)
            .map_err(|error| unusable(format!("{path} cannot be created: {error}. Choose another directory.")))?;
        make_private(data_dir).map_err(|error| {
            unusable(format!(
                "{path} is open to other users and cannot be closed to them: {error}. Run `chmod 700` on it, or choose another directory."
            ))
        })?;
        let path = data_dir.join(FILE);
        let failed = |error: std::io::Error| {
            unusable(format!("{} cannot be used: {error}. Check its permissions.", path.display()))
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

/// The fault of a data directory that cannot be used: that it is another user's, if it is.
fn unusable(data_dir: &Path, owner: Option<String>, sentence: String) -> Fault {
    let of_another = |owner| {
        let path = data_dir.display();
        format!("{path} belongs to {owner}. Choose a directory of yours with --data-dir, or run Postern as {owner}.")
    };
    Fault::new(Code::Storage, owner.map_or(sentence, of_another))
}

/// Takes away what group and others may do with a data directory. A directory that is shared on purpose, as `/tmp` is, has the
/// sticky bit and stays as it is, and so does one that holds files and none of Postern's.
#[cfg(unix)]
fn make_private(data_dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const STICKY: u32 = 0o1000;
    const OTHERS: u32 = 0o077;
    let permissions = fs::metadata(data_dir)?.permissions();
    let mode = permissions.mode();
    let is_ours = || -> std::io::Result<bool> {
        let mut names = fs::read_directory(data_dir)?.map(|entry| entry.map(|it| it.file_name()));
        Ok(names.next().transpose()?.is_none() || fs::symlink_metadata(data_dir.join(FILE)).is_ok())
    };
    if mode & OTHERS == 0 || mode & STICKY != 0 || !is_ours()? {
        return Ok(());
    }
    fs::set_permissions(data_dir, fs::Permissions::from_mode(mode & 0o700))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> std::io::Result<()> {
    Ok(())
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

    #[test]
    fn a_directory_of_another_user_is_said_to_be_theirs() {
        let message =
            |owner: Option<&str>| unusable(Path::new("/d"), owner.map(str::to_owned), "Denied.".into()).message;
        assert_eq!(message(None), "Denied.");
        assert!(message(Some("ann")).starts_with("/d belongs to ann. "));
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
    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_could_enter_is_closed_to_them() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let place = tempfile::tempdir().unwrap();
        set(place.path(), 0o755);
        drop(DirectoryLock::take(place.path()).unwrap());
        assert_eq!(mode(place.path()), 0o700);
        set(place.path(), 0o775);
        drop(DirectoryLock::take(place.path()).unwrap());
        assert_eq!(mode(place.path()), 0o700);
        // Not one that others share, nor one that is somebody's for something else.
        let shared = tempfile::tempdir().unwrap();
        set(shared.path(), 0o1777);
        drop(DirectoryLock::take(shared.path()).unwrap());
        assert_eq!(mode(shared.path()), 0o1777);
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("thesis.tex"), "").unwrap();
        set(other.path(), 0o755);
        drop(DirectoryLock::take(other.path()).unwrap());
        assert_eq!(mode(other.path()), 0o755);
    }
}
