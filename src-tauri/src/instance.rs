//! One program per data directory: who comes second has the first one show itself, or open the link.
//!
//! ```text
//! claim ──► First   holds the lock; its control socket takes links and the command line's requests
//!       └─► Second  was heard by the first: nothing is left to do
//! ```
//!
//! The socket is there as soon as the program is, whatever the engine does: a program whose keychain is locked shows
//! itself too when it is started again.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern_engine::api::{Answer, Code, EngineApi, Fault, Notice, Request, Secret, Snapshot, Traffic};
use postern_engine::control::{Client, ControlError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep};

use crate::controller::{Ask, Input};
use crate::face::Event;
use crate::shell::ShellAction;

const LOCK: &str = "app.lock";
/// How long the first may take from its lock to its socket.
const FIRST_IS_READY: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Notices that a slow client may be behind.
const NOTICES: usize = 64;

/// Which program this is.
#[derive(Debug)]
pub enum Claim {
    /// The first one, as long as this is held.
    First(Lock),
    /// Another runs, and has been told.
    Second,
}

/// The data directory's lock; the system frees it however the program ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Claims a data directory, or has the program that holds it show itself or open `link`.
///
/// # Errors
/// What to tell a person: the directory cannot be used, or the program that holds it does not answer.
pub async fn claim(data_dir: &Path, link: Option<Secret>) -> Result<Claim, String> {
    let deadline = Instant::now() + FIRST_IS_READY;
    loop {
        match Client::connect(data_dir).await {
            Ok(mut first) => {
                first.raise(link).await.map_err(|error| error.to_string())?;
                return Ok(Claim::Second);
            }
            Err(ControlError::NotRunning { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
        if let Some(lock) = lock(data_dir)? {
            return Ok(Claim::First(lock));
        }
        if Instant::now() > deadline {
            return Err("The Postern that is running does not answer. End it and start again.".into());
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn lock(data_dir: &Path) -> Result<Option<Lock>, String> {
    let cannot = |error: std::io::Error| {
        format!(
            "{} cannot be used ({error}). Check its permissions, or choose another with --data-dir.",
            data_dir.display()
        )
    };
    let file = File::options().create(true).write(true).truncate(false).open(data_dir.join(LOCK)).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// What stands behind the control socket: the engine, as the controller shows it. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Reception {
    data_dir: PathBuf,
    inputs: mpsc::Sender<Input>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
}

impl Reception {
    /// A reception that has nothing to show yet.
    #[must_use]
    pub fn new(data_dir: PathBuf, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            data_dir,
            inputs,
            snapshot: watch::Sender::default(),
            traffic: watch::Sender::default(),
            notices: broadcast::Sender::new(NOTICES),
        }
    }

    /// Tells whoever watches.
    pub fn tell(&self, event: &Event) {
        match event {
            Event::Snapshot(snapshot) => {
                self.snapshot.send_replace(Arc::clone(snapshot));
            }
            Event::Traffic(traffic) => {
                self.traffic.send_replace(Arc::clone(traffic));
            }
            Event::Notice(notice) => {
                // Nobody may be watching.
                let _ = self.notices.send(notice.clone());
            }
            Event::Navigate(_) | Event::Shell => {}
        }
    }
}

impl EngineApi for Reception {
    fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic.subscribe()
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        let stopped = || Fault::new(Code::Stopped, "Postern is quitting.");
        let ask = Input::Ask(Ask::Request(Box::new(request), answer));
        self.inputs.send(ask).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    async fn shutdown(&self) {
        let (answer, _) = oneshot::channel();
        let _ = self.inputs.send(Input::Ask(Ask::Act(ShellAction::Quit, answer))).await;
        self.inputs.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_has_the_first_open_its_link() {
        let directory = tempfile::tempdir().unwrap();
        let Claim::First(_lock) = claim(directory.path(), None).await.unwrap() else {
            panic!("nobody else is here");
        };
        let (inputs, _heard) = mpsc::channel(1);
        let reception = Reception::new(directory.path().into(), inputs);
        let (raised, mut raises) = mpsc::unbounded_channel();
        let control = postern_engine::control::serve(reception, move |link| raised.send(link).unwrap()).await.unwrap();

        assert!(matches!(claim(directory.path(), None).await, Ok(Claim::Second)));
        assert_eq!(raises.recv().await, Some(None));
        let link = Secret::new("postern://join/x");
        assert!(matches!(claim(directory.path(), Some(link.clone())).await, Ok(Claim::Second)));
        assert_eq!(raises.recv().await, Some(Some(link)));
        control.close().await;
    }
}
