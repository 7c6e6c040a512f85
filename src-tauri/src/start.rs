//! Starting the real engine.

use std::path::PathBuf;
use std::sync::Arc;

use postern_engine::model::{Answer, Code, Fault, Notice, Request, Snapshot, Traffic};
use tokio::sync::{broadcast, watch};

use crate::controller::{Engine, Start};

/// Starts the engine of a data directory.
pub(crate) struct Starter {
    /// Where everything that is no secret rests.
    pub(crate) data_dir: PathBuf,
}

#[derive(Clone)]
pub(crate) struct Running;

impl Starter {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// What to tell a person.
    pub(crate) fn new(_arguments: &crate::arguments::Arguments, data_dir: &std::path::Path) -> Result<Self, String> {
        Ok(Self { data_dir: data_dir.into() })
    }
}

impl Start for Starter {
    type Engine = Running;

    async fn start(&self) -> Result<Running, Fault> {
        Err(Fault::new(Code::Failed, format!("There is no engine yet for {}.", self.data_dir.display())))
    }
}

impl Engine for Running {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        watch::Sender::default().subscribe()
    }
    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        watch::Sender::default().subscribe()
    }
    fn notices(&self) -> broadcast::Receiver<Notice> {
        broadcast::Sender::new(1).subscribe()
    }
    async fn request(&self, _request: Request) -> Result<Answer, Fault> {
        Ok(Answer::Done)
    }
    async fn shutdown(&self) {}
}
