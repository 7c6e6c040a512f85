//! The client of the control socket: how the command line and a second start reach a running engine.

use super::line::{self, Lines};
use super::platform::{self, Connected};
use super::{Call, Hello, MAX_MESSAGE, PATIENCE, ServerMessage, VERSION, Welcome};
use crate::api::{Answer, Fault, Notice, Request, Secret, Snapshot, Traffic};
use crate::data_dir_owner;
use postern_env::time::timeout;
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::{ReadHalf, WriteHalf};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No engine runs on the data directory.
    #[error("No Postern is running for {}. Start one with `postern up`, or open the app.", .data_dir.display())]
    NotRunning {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The socket belongs to a program of another user.
    #[error("The control socket for {} belongs to somebody else. Remove it and start Postern again.", .data_dir.display())]
    NotOurs {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The data directory belongs to another user.
    #[error("{} belongs to {owner}. Name a directory of yours with --data-dir, or run the command as {owner}.", .data_dir.display())]
    OtherUser {
        /// The data directory.
        data_dir: PathBuf,
        /// The user's name.
        owner: String,
    },
    /// The engine uses another version of the protocol.
    #[error("The Postern that is running is version {theirs}, this is {}. Restart it.", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The running program's version.
        theirs: String,
    },
    /// The engine answered with a fault.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The engine ended, or does not answer.
    #[error("The Postern that is running does not answer ({0}). Look whether it still runs.")]
    Lost(#[from] io::Error),
}

/// A connection to a running engine. Calls are made one after the other.
pub struct Client {
    lines: Lines<ReadHalf<Connected>>,
    out: WriteHalf<Connected>,
    process: u32,
}

/// What a watched engine sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// The visible state: once at the beginning, then whenever it changed.
    Snapshot(Box<Snapshot>),
    /// A notice for the user.
    Notice(Notice),
    /// Byte counts and rates changed.
    Traffic(Traffic),
}

impl std::fmt::Debug for Client {
    /// Without the buffered line, which may contain a link.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the engine of a data directory.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] when none runs; `OtherUser`, `NotOurs`, `Version`, `Lost`.
    pub async fn connect(data_dir: &Path) -> Result<Self, ControlError> {
        let connected = platform::connect(data_dir).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ControlError::NotRunning { data_dir: data_dir.to_owned() }
            }
            io::ErrorKind::PermissionDenied => denied(data_dir, data_dir_owner::other_owner(data_dir)),
            _ => ControlError::Lost(error),
        })?;
        let (read, out) = tokio::io::split(connected);
        let mut client = Self { lines: Lines::new(read, MAX_MESSAGE), out, process: 0 };
        client.write(&Hello { postern: VERSION }).await?;
        let welcome = timeout(PATIENCE, client.lines.next::<Welcome>()).await.map_err(io::Error::from)??;
        let welcome = welcome.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        if welcome.postern != VERSION {
            return Err(ControlError::Version { theirs: welcome.version });
        }
        client.process = welcome.process;
        Ok(client)
    }

    /// The process id of the engine.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Makes a request and waits for the answer, without a timeout.
    ///
    /// Dropping the future does not undo the request; the connection cannot be used afterwards.
    ///
    /// # Errors
    /// [`ControlError::Fault`] when the engine refuses, `Lost` when no answer came.
    pub async fn request(&mut self, request: Request) -> Result<Answer, ControlError> {
        self.write(&Call::Request { request }).await?;
        match self.receive().await? {
            ServerMessage::Answer { answer } => Ok(answer),
            ServerMessage::Fault { fault } => Err(fault.into()),
            _ => Err(unexpected().into()),
        }
    }

    /// Lets the running program show its window, or open a link.
    ///
    /// # Errors
    /// [`ControlError::Lost`].
    pub async fn raise(&mut self, link: Option<Secret>) -> Result<(), ControlError> {
        self.write(&Call::Raise { link }).await?;
        match self.receive().await? {
            ServerMessage::Raised => Ok(()),
            ServerMessage::Fault { fault } => Err(fault.into()),
            _ => Err(unexpected().into()),
        }
    }

    /// Begins to watch: from now on only [`next`](Self::next) may be called.
    ///
    /// # Errors
    /// [`ControlError::Lost`].
    pub async fn watch(&mut self) -> Result<(), ControlError> {
        Ok(self.write(&Call::Watch).await?)
    }

    /// The next line of a watched engine; nothing when it has ended. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ControlError::Lost`].
    pub async fn next(&mut self) -> Result<Option<Watch>, ControlError> {
        Ok(match self.lines.next::<ServerMessage>().await? {
            None => None,
            Some(ServerMessage::Snapshot { snapshot }) => Some(Watch::Snapshot(snapshot)),
            Some(ServerMessage::Notice { notice }) => Some(Watch::Notice(notice)),
            Some(ServerMessage::Traffic { traffic }) => Some(Watch::Traffic(traffic)),
            Some(ServerMessage::Fault { fault }) => return Err(fault.into()),
            Some(ServerMessage::Answer { .. } | ServerMessage::Raised) => return Err(unexpected().into()),
        })
    }

    async fn write(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        timeout(PATIENCE, line::write(&mut self.out, line)).await?
    }

    async fn receive(&mut self) -> io::Result<ServerMessage> {
        self.lines.next().await?.ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Why the socket of a data directory cannot be used.
fn denied(data_dir: &Path, owner: Option<String>) -> ControlError {
    let data_dir = data_dir.to_owned();
    match owner {
        Some(owner) => ControlError::OtherUser { data_dir, owner },
        None => ControlError::NotOurs { data_dir },
    }
}

fn unexpected() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_of_another_user_is_said_to_be_theirs() {
        let text = |owner: Option<&str>| denied(Path::new("/d"), owner.map(str::to_owned)).to_string();
        assert!(text(Some("ann")).starts_with("/d belongs to ann. "));
        assert!(!text(Some("ann")).contains("Remove"), "nobody is told to remove somebody else's files");
        assert!(text(None).contains("belongs to somebody else"));
    }
}
