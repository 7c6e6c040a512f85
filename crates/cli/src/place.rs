//! Whose data a command is about, and the engine that runs there.

use anyhow::{Context, Result, bail};
use clap::Args;
use postern_engine::api::{Answer, Request, Snapshot};
use postern_engine::control::{Client, ControlError, Watch};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Place {
    /// Whose data: another directory is another person [default: the system's place for it].
    #[arg(long, value_name = "DIR", env = "POSTERN_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    /// The data directory; it may not exist yet.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        if let Some(directory) = &self.data_dir {
            return Ok(directory.clone());
        }
        let project = directories::ProjectDirs::from("", "", "postern");
        let project = project.context("there is no home directory: say where the data rests with --data-dir")?;
        Ok(project.data_dir().to_owned())
    }

    /// The engine that runs there, in an app or a `postern up`.
    pub(crate) async fn engine(&self) -> Result<Running> {
        let directory = self.directory()?;
        Client::connect(&directory).await?;
        Ok(Running { directory })
    }
}

/// A running engine. Each question has a connection of its own, because a person may think long between two.
pub(crate) struct Running {
    directory: PathBuf,
}

impl Running {
    /// Asks for something.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer> {
        Ok(Client::connect(&self.directory).await?.request(request).await?)
    }

    /// Asks for something that has no answer but that it is done.
    pub(crate) async fn order(&self, request: Request) -> Result<()> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            _ => bail!(unexpected()),
        }
    }

    /// Everything visible now.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot> {
        self.watch().await?.snapshot().await
    }

    /// Everything visible, from now on.
    pub(crate) async fn watch(&self) -> Result<Watching> {
        let mut client = Client::connect(&self.directory).await?;
        client.watch().await?;
        Ok(Watching(client))
    }
}

/// A running engine that tells what changes.
pub(crate) struct Watching(Client);

impl Watching {
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
pub(crate) fn unexpected() -> &'static str {
    "the Postern that is running gave an answer of another kind: use a `postern` of its version"
}
