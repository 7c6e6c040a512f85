//! The `--data-dir` argument, and the client of the engine that runs there.
//!
//! In: requests of the commands. Out: answers and snapshots, over the engine's control socket. No command opens the
//! engine's files itself.

use anyhow::{Context, Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Request, Snapshot};
use postern_engine::control::{Client, ControlError, Watch};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct DataDirArgs {
    /// The data directory; each one is a separate person [default: the system's data directory].
    #[arg(long, value_name = "DIR", env = "POSTERN_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDirArgs {
    /// The data directory; it may not exist yet.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        if let Some(directory) = &self.data_dir {
            return Ok(directory.clone());
        }
        let project = directories::ProjectDirs::from("", "", "postern");
        let project = project.context("there is no home directory; name a data directory with --data-dir")?;
        Ok(project.data_dir().to_owned())
    }

    /// Connects to the engine that runs there, in the app or in `postern up`.
    pub(crate) async fn connect(&self) -> Result<EngineClient> {
        let directory = self.path()?;
        Client::connect(&directory).await?;
        Ok(EngineClient { directory })
    }
}

/// A client of a running engine. Each request opens a connection of its own, because the engine closes idle ones and a
/// person may take long to answer a prompt between two requests.
pub(crate) struct EngineClient {
    directory: PathBuf,
}

impl EngineClient {
    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&self, request: Request) -> Result<Answer> {
        Ok(Client::connect(&self.directory).await?.request(request).await?)
    }

    /// Sends a request whose only answer is that it is done.
    pub(crate) async fn execute(&self, request: Request) -> Result<()> {
        match self.request(request).await? {
            Answer::Done => Ok(()),
            _ => bail!(unexpected_answer()),
        }
    }

    /// The current snapshot.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        self.watch().await?.snapshot().await
    }

    /// Subscribes to snapshots, notices and traffic.
    pub(crate) async fn watch(&self) -> Result<EngineWatch> {
        let mut client = Client::connect(&self.directory).await?;
        client.watch().await?;
        Ok(EngineWatch(client))
    }
}

/// A subscription to a running engine.
pub(crate) struct EngineWatch(Client);

impl EngineWatch {
    /// The next update. Cancel safe: it may be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Watch> {
        let ended = ControlError::Lost(std::io::ErrorKind::UnexpectedEof.into());
        Ok(self.0.next().await?.ok_or(ended)?)
    }

    /// The next snapshot; the first is available at once. Cancel safe.
    pub(crate) async fn snapshot(&mut self) -> Result<Snapshot> {
        loop {
            if let Watch::Snapshot(snapshot) = self.next().await? {
                return Ok(*snapshot);
            }
        }
    }
}

/// The error for an answer of the wrong kind.
pub(crate) fn unexpected_answer() -> &'static str {
    "the running Postern gave an unexpected answer; use a `postern` of the same version"
}
