//! A client of a running engine.

use super::line::{self, Lines};
use super::platform::{self, Connected};
use super::{Call, Hello, MAX_SAID, PATIENCE, ServerMessage, VERSION, Welcome};
use crate::api::{Answer, Fault, Notice, Request, Secret, Snapshot, Traffic};
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::time::timeout;

/// Why a running engine could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nobody holds the data directory.
    #[error("No Postern is running for {}. Start one with `postern up`, or open the app.", .data_dir.display())]
    NotRunning {
        /// Where it was looked for.
        data_dir: PathBuf,
    },
    /// Another user's program is where this user's engine should be.
    #[error("The control socket for {} belongs to somebody else. Remove it and start Postern again.", .data_dir.display())]
    NotOurs {
        /// Whose engine was looked for.
        data_dir: PathBuf,
    },
    /// The engine speaks another version.
    #[error("The Postern that is running is version {theirs}, this is {}. Restart it.", env!("CARGO_PKG_VERSION"))]
    Version {
        /// The running program's version.
        theirs: String,
    },
    /// The engine answered, and the answer is no.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The engine ended meanwhile, or does not answer.
    #[error("The Postern that is running does not answer ({0}). Look whether it still runs.")]
    Lost(#[from] io::Error),
}

/// A connection to a running engine. Calls are made one after the other.
pub struct Client {
    lines: Lines<ReadHalf<Connected>>,
    out: WriteHalf<Connected>,
    process: u32,
}

/// What a watched engine says.
#[derive(Debug, Clone, PartialEq)]
pub enum Watch {
    /// Everything visible: once at the beginning, then whenever it changed.
    Snapshot(Box<Snapshot>),
    /// Something happened.
    Notice(Notice),
    /// Numbers moved.
    Traffic(Traffic),
}

impl std::fmt::Debug for Client {
    /// Without what was read, which may be a link.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the engine of a data directory.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] when none runs, `NotOurs`, `Version`, `Lost`.
    pub async fn connect(data_dir: &Path) -> Result<Self, ControlError> {
        let connected = platform::connect(data_dir).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ControlError::NotRunning { data_dir: data_dir.to_owned() }
            }
            io::ErrorKind::PermissionDenied => ControlError::NotOurs { data_dir: data_dir.to_owned() },
            _ => ControlError::Lost(error),
        })?;
        let (read, out) = tokio::io::split(connected);
        let mut client = Self { lines: Lines::new(read, MAX_SAID), out, process: 0 };
        client.write(&Hello { postern: VERSION }).await?;
        let welcome = timeout(PATIENCE, client.lines.next::<Welcome>()).await.map_err(io::Error::from)??;
        let welcome = welcome.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        if welcome.postern != VERSION {
            return Err(ControlError::Version { theirs: welcome.version });
        }
        client.process = welcome.process;
        Ok(client)
    }

    /// The engine's process.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Asks for something and waits for the answer, however long the engine takes.
    ///
    /// Dropping the future does not take the request back; the connection is of no use afterwards.
    ///
    /// # Errors
    /// [`ControlError::Fault`] when the answer is no, `Lost` when none came.
    pub async fn request(&mut self, request: Request) -> Result<Answer, ControlError> {
        self.write(&Call::Request { request }).await?;
        match self.heard().await? {
            ServerMessage::Answer { answer } => Ok(answer),
            ServerMessage::Fault { fault } => Err(fault.into()),
            _ => Err(unexpected().into()),
        }
    }

    /// Has the program show itself, or open a link.
    ///
    /// # Errors
    /// [`ControlError::Lost`].
    pub async fn raise(&mut self, link: Option<Secret>) -> Result<(), ControlError> {
        self.write(&Call::Raise { link }).await?;
        match self.heard().await? {
            ServerMessage::Raised => Ok(()),
            ServerMessage::Fault { fault } => Err(fault.into()),
            _ => Err(unexpected().into()),
        }
    }

    /// Begins to watch: from now on only [`next`](Self::next) is of use.
    ///
    /// # Errors
    /// [`ControlError::Lost`].
    pub async fn watch(&mut self) -> Result<(), ControlError> {
        Ok(self.write(&Call::Watch).await?)
    }

    /// What a watched engine says next; nothing when it has ended. May be dropped and called again.
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

    async fn heard(&mut self) -> io::Result<ServerMessage> {
        self.lines.next().await?.ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

fn unexpected() -> io::Error {
    io::ErrorKind::InvalidData.into()
}
