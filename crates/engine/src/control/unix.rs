//! The control socket on Unix: a socket file of mode 0600 in the data directory, or in a directory with a shorter path.
//!
//! Access control: the file's mode, and the peer credentials of every connection, on both sides.

use super::authorization::LocalUser;
use crate::keys::Profile;
use postern_env::fs::{self, Permissions};
use postern_env::net::{self, UnixListener, UnixStream};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const NAME: &str = "control.sock";
/// Longest path of a socket in bytes, on the system that allows least (macOS: `sun_path` has 104, with a zero at the end).
const MAX_PATH: usize = 103;

/// A connection, as the server sees it.
pub(super) type Accepted = UnixStream;
/// A connection, as the client sees it.
pub(super) type Connected = UnixStream;

/// The listening socket. Its file is removed when dropped, unless another engine has replaced it.
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
    /// The symbolic link in the data directory, if the socket is elsewhere.
    link: Option<PathBuf>,
    inode: (u64, u64),
}

impl Listener {
    /// Opens the socket. A file that exists was left behind: the caller holds the lock of the data directory.
    pub(super) fn bind(data_dir: &Path) -> io::Result<Self> {
        let place = data_dir.join(NAME);
        let (path, link) = match fits(&place) {
            true => (place, None),
            false => (elsewhere(data_dir)?, Some(place)),
        };
        remove(&path)?;
        let listener = net::listen_unix(&path)?;
        // Others may connect between these two calls; the server closes their connections.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        if let Some(link) = &link {
            remove(link)?;
            fs::symlink(&path, link)?;
        }
        let inode = inode(&path)?;
        Ok(Self { listener, path, link, inode })
    }

    /// The next connection, and whose it is.
    pub(super) async fn accept(&mut self) -> io::Result<(Accepted, LocalUser)> {
        let (client, _) = self.listener.accept().await?;
        let user = if is_ours(&client)? { LocalUser::Own } else { LocalUser::Other };
        Ok((client, user))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|found| found == self.inode) {
            let _ = fs::remove_file(&self.path);
            if let Some(link) = &self.link {
                let _ = fs::remove_file(link);
            }
        }
    }
}

/// Connects to the engine of a data directory: `NotFound` or `ConnectionRefused` when none runs, `PermissionDenied`
/// when it is another user's.
pub(super) async fn connect(data_dir: &Path) -> io::Result<Connected> {
    let place = data_dir.join(NAME);
    let path = if fits(&place) { place } else { fs::read_link(place)? };
    let engine = net::connect_unix(path).await?;
    match is_ours(&engine)? {
        true => Ok(engine),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Whether the process at the other end belongs to this user, or to root.
fn is_ours(stream: &UnixStream) -> io::Result<bool> {
    let (peer, own) = (stream.peer_cred()?.uid(), own_uid());
    Ok(peer == own || peer == 0)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn fits(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= MAX_PATH
}

/// A short path for the socket of a data directory with a long one, in a directory that only this user can enter.
fn elsewhere(data_dir: &Path) -> io::Result<PathBuf> {
    let name = format!("{}.sock", Profile::of(data_dir)?.as_str());
    if let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR") {
        let directory = PathBuf::from(runtime).join("postern");
        let path = directory.join(&name);
        if path.is_absolute() && fits(&path) && make_private(&directory).is_ok() {
            return Ok(path);
        }
    }
    let directory = PathBuf::from(format!("/tmp/postern-{}", own_uid()));
    make_private(&directory)?;
    Ok(directory.join(name))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates a directory that only this user can enter, or checks that an existing one is.
fn make_private(directory: &Path) -> io::Result<()> {
    match fs::create_private_directory(directory, false) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not through a symbolic link, which another user may have put there.
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() || found.uid() != own_uid() || found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not this user's alone", directory.display()),
        ));
    }
    Ok(())
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_path_has_a_socket_in_a_short_place() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("d".repeat(100));
        std::fs::create_dir(&deep).unwrap();
        assert_eq!(connect(&deep).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = Listener::bind(&deep).unwrap();
        let again = Listener::bind(&deep).unwrap();
        assert!(fits(&again.path) && !again.path.starts_with(home.path()), "{:?}", again.path);
        drop(listener);
        assert!(connect(&deep.join("..").join("d".repeat(100))).await.is_ok());
        drop(again);
        assert_eq!(connect(&deep).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not_removed() {
        let home = tempfile::tempdir().unwrap();
        let first = Listener::bind(home.path()).unwrap();
        assert_eq!(std::fs::metadata(home.path().join(NAME)).unwrap().mode() & 0o777, 0o600);
        let second = Listener::bind(home.path()).unwrap();
        drop(first);
        assert!(connect(home.path()).await.is_ok());
        drop(second);
        assert_eq!(connect(home.path()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_that_others_can_enter_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let shared = home.path().join("shared");
        make_private(&shared).unwrap();
        make_private(&shared).unwrap();
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(make_private(&shared).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path(), &link).unwrap();
        assert_eq!(make_private(&link).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
