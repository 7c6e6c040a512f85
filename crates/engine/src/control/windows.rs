//! A named pipe whose name is chosen anew by each engine and written into the data directory.
//!
//! Pipes have no directory that keeps others out, but a name that others cannot read cannot be taken before us, and
//! a pipe says nothing to whoever opens it without having written a line first, which only this user may.

use std::io;
use std::path::{Path, PathBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

const NAME: &str = "control.pipe";
/// What Windows answers while every instance of a pipe is taken.
const ERROR_PIPE_BUSY: i32 = 231;
const RETRY: std::time::Duration = std::time::Duration::from_millis(20);

/// A client, as the engine sees it.
pub(super) type Accepted = NamedPipeServer;
/// An engine, as its client sees it.
pub(super) type Connected = NamedPipeClient;

/// The pipe of an engine; the file with its name is removed when dropped.
pub(super) struct Listener {
    name: String,
    next: NamedPipeServer,
    place: PathBuf,
}

impl Listener {
    /// Opens a pipe and writes its name down, over what was left behind: who calls this holds the data directory's lock.
    pub(super) fn bind(data_dir: &Path) -> io::Result<Self> {
        let name = format!(r"\\.\pipe\postern-{}", hex::encode(rand::random::<[u8; 16]>()));
        let next = ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name)?;
        let place = data_dir.join(NAME);
        std::fs::write(&place, &name)?;
        Ok(Self { name, next, place })
    }

    /// The next client.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted> {
        self.next.connect().await?;
        let following = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok(std::mem::replace(&mut self.next, following))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if std::fs::read_to_string(&self.place).is_ok_and(|found| found == self.name) {
            let _ = std::fs::remove_file(&self.place);
        }
    }
}

/// Connects to the engine of a data directory: `NotFound` when none runs.
pub(super) async fn connect(data_dir: &Path) -> io::Result<Connected> {
    let name = std::fs::read_to_string(data_dir.join(NAME))?;
    let begun = tokio::time::Instant::now();
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) && begun.elapsed() < super::PATIENCE => {
                tokio::time::sleep(RETRY).await;
            }
            opened => return opened,
        }
    }
}
