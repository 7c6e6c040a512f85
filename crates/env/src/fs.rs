//! Files and directories, blocking. Long work belongs into [`task::spawn_blocking`](crate::task::spawn_blocking).

use std::io;
use std::path::{Path, PathBuf};

pub use std::fs::{File, Metadata, Permissions, ReadDir, TryLockError};
pub use tempfile::{NamedTempFile, TempDir};

/// How a file is opened, see [`open_with`].
pub type OpenOptions = std::fs::OpenOptions;

/// Options that open nothing yet.
pub fn options() -> OpenOptions {
    std::fs::OpenOptions::new()
}

/// Opens a file as the options say.
///
/// # Errors
/// As the operating system says.
pub fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> io::Result<File> {
    options.open(path)
}

/// Opens a file, or a directory in order to sync it, for reading.
///
/// # Errors
/// As the operating system says.
pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
    File::open(path)
}

/// Everything in a file.
///
/// # Errors
/// As the operating system says.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Everything in a file, as text.
///
/// # Errors
/// As the operating system says; [`io::ErrorKind::InvalidData`] when it is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// Replaces a file's content. Not atomic: write a [`temporary_file_in`] and persist it where a crash must not lose the old one.
///
/// # Errors
/// As the operating system says.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    std::fs::write(path, content)
}

/// Renames a file or directory within its file system.
///
/// # Errors
/// As the operating system says.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a file.
///
/// # Errors
/// As the operating system says.
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// Makes a directory; on Unix only its owner can look into it (mode 0700). With `recursive`, parents that are missing are
/// made too, and a directory that is there already is no error.
///
/// # Errors
/// As the operating system says.
pub fn create_private_directory(path: impl AsRef<Path>, recursive: bool) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(recursive);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The entries of a directory.
///
/// # Errors
/// As the operating system says.
pub fn read_directory(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    std::fs::read_dir(path)
}

/// What is at a path, behind symbolic links.
///
/// # Errors
/// As the operating system says.
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    std::fs::metadata(path)
}

/// What is at a path itself, which may be a symbolic link.
///
/// # Errors
/// As the operating system says.
pub fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    std::fs::symlink_metadata(path)
}

/// The target of a symbolic link.
///
/// # Errors
/// As the operating system says.
pub fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    std::fs::read_link(path)
}

/// Makes a symbolic link to a target, which need not exist.
///
/// # Errors
/// As the operating system says; [`io::ErrorKind::AlreadyExists`] when anything is at the link's path.
#[cfg(unix)]
pub fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// The absolute path without symbolic links.
///
/// # Errors
/// As the operating system says.
pub fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// Sets a file's permissions.
///
/// # Errors
/// As the operating system says.
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    std::fs::set_permissions(path, permissions)
}

/// A temporary file in a directory, with a name that begins and ends so. Only its owner can read it; it is removed when
/// dropped, unless it was persisted.
///
/// # Errors
/// As the operating system says.
pub fn temporary_file_in(directory: impl AsRef<Path>, prefix: &str, suffix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(prefix).suffix(suffix).tempfile_in(directory)
}

/// A temporary directory in a directory, with a name that begins so; removed with all in it when dropped.
///
/// # Errors
/// As the operating system says.
pub fn temporary_directory_in(directory: impl AsRef<Path>, prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_temporary_file_takes_a_files_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write(&path, "old").unwrap();
        let mut file = temporary_file_in(directory.path(), ".new-", ".tmp").unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "old");
        file.persist(&path).unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "new");
        assert_eq!(read_directory(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_directory_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        assert!(create_private_directory(&path, false).is_err());
        create_private_directory(&path, true).unwrap();
        create_private_directory(&path, true).unwrap();
        assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
