//! Whose data a command is about, and the engine that runs there.

use anyhow::{Context, Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Request, Snapshot};
use postern_engine::control::{Client, ControlError, Watch};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct DataDirArgs {
    /// Whose data: another directory is another person [default: the system's place for it].
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
        let project = project.context("there is no home directory: say where the data rests with --data-dir")?;
        Ok(project.data_dir().to_owned())
    }

    /// The engine that runs there, in an app or a `postern up`.
    pub(crate) async fn connect(&self) -> Result<EngineClient> {
        let directory = self.path()?;
        Client::connect(&directory).await?;
        Ok(EngineClient { directory })
    }
}

/// A running engine. Each question has a connection of its own, because a person may think long between two.
pub(crate) struct EngineClient {
    directory: PathBuf,
}

impl EngineClient {
    /// Asks for something.
    pub(crate) async fn request(&self, request: Request) -> Result<Answer> {
        Ok(Client::connect(&self.directory).await?.request(request).await?)
    }

    /// Asks for something that has no answer but that it is done.
    pub(crate) async fn execute(&self, request: Request) -> Result<()> {
        match self.request(request).await? {
            Answer::Done => Ok(()),
            _ => bail!(unexpected_answer()),
        }
    }

    /// Everything visible now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        self.watch().await?.snapshot().await
    }

    /// Everything visible, from now on.
    pub(crate) async fn watch(&self) -> Result<EngineWatch> {
        let mut client = Client::connect(&self.directory).await?;
        client.watch().await?;
        Ok(EngineWatch(client))
    }
}

/// A running engine that tells what changes.
pub(crate) struct EngineWatch(Client);

impl EngineWatch {
    /// The next thing it tells. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Watch> {
        let ended = ControlError::Lost(std::io::ErrorKind::UnexpectedEof.into());
        Ok(self.0.next().await?.ok_or(ended)?)
    }

    /// The next snapshot; the first is there at once. May be dropped and called again.
    pub(crate) async fn snapshot(&mut self) -> Result<Snapshot> {
        loop {
            if let Watch::Snapshot(snapshot) = self.next().await? {
                return Ok(*snapshot);
            }
        }
    }
}

/// What to say of an answer that does not belong to the question.
pub(crate) fn unexpected_answer() -> &'static str {
    "the Postern that is running gave an answer of another kind: use a `postern` of its version"
}
