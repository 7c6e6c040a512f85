//! The control socket on Windows: a named pipe with a random name, which is written to a file in the data directory.
//!
//! Access control: pipes have no directory that keeps other users out, but a name that they cannot read they cannot occupy
//! first, and the server sends nothing before the client has written a line, which the pipe allows only to this user.

use super::authorization::LocalUser;
use postern_env::time::{self, Duration};
use postern_env::{fs, random};
use std::io;
use std::path::{Path, PathBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

const NAME: &str = "control.pipe";
/// `ERROR_PIPE_BUSY` of `winerror.h`: every instance of the pipe is in use.
const ERROR_PIPE_BUSY: i32 = 231;
/// How often connecting is tried again while the pipe is busy. Chosen: the server creates the next instance at once.
const RETRY: Duration = Duration::from_millis(20);

/// A connection, as the server sees it.
pub(super) type Accepted = NamedPipeServer;
/// A connection, as the client sees it.
pub(super) type Connected = NamedPipeClient;

/// The listening pipe. The file with its name is removed when dropped.
pub(super) struct Listener {
    name: String,
    next: NamedPipeServer,
    name_file: PathBuf,
}

impl Listener {
    /// Opens a pipe and writes its name to the file. A file that exists was left behind: the caller holds the lock of the data
    /// directory.
    pub(super) fn bind(data_dir: &Path) -> io::Result<Self> {
        let name = format!(r"\\.\pipe\postern-{}", hex::encode(random::bytes::<16>()?));
        let next = ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name)?;
        let name_file = data_dir.join(NAME);
        fs::write(&name_file, &name)?;
        Ok(Self { name, next, name_file })
    }

    /// The next connection, and whose it is.
    pub(super) async fn accept(&mut self) -> io::Result<(Accepted, LocalUser)> {
        self.next.connect().await?;
        let following = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok((std::mem::replace(&mut self.next, following), LocalUser::Own))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if fs::read_to_string(&self.name_file).is_ok_and(|found| found == self.name) {
            let _ = fs::remove_file(&self.name_file);
        }
    }
}

/// Connects to the engine of a data directory: `NotFound` when none runs.
pub(super) async fn connect(data_dir: &Path) -> io::Result<Connected> {
    let name = fs::read_to_string(data_dir.join(NAME))?;
    let begun = time::now();
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) && time::since(begun) < super::PATIENCE => {
                time::sleep(RETRY).await;
            }
            opened => return opened,
        }
    }
}
