//! The engine as clients of the control socket see it.
//!
//! It exists from the program's start, whatever the engine does: requests go to the controller, which queues them while
//! the engine starts; the events that the controller emits are published to subscribers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postern_engine::api::{Answer, Code, EngineApi, Fault, Notice, Request, Snapshot, Traffic};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::controller::{Command, Input};
use crate::desktop_integration::Event;
use crate::shell::ShellAction;

/// How many notices a slow client may lag behind before it loses some; as many as the engine keeps for the shell.
const NOTICE_CAPACITY: usize = 64;

/// Stands in for the engine behind the control socket. Clones share the same state.
#[derive(Debug, Clone)]
pub struct EngineProxy {
    data_dir: PathBuf,
    inputs: mpsc::Sender<Input>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
}

impl EngineProxy {
    /// A proxy with an empty snapshot, whose requests go to `inputs`.
    #[must_use]
    pub fn new(data_dir: PathBuf, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            data_dir,
            inputs,
            snapshot: watch::Sender::default(),
            traffic: watch::Sender::default(),
            notices: broadcast::Sender::new(NOTICE_CAPACITY),
        }
    }

    /// Publishes an event to subscribed clients. Events that concern only the window are ignored.
    pub fn publish(&self, event: &Event) {
        match event {
            Event::Snapshot(snapshot) => {
                self.snapshot.send_replace(Arc::clone(snapshot));
            }
            Event::Traffic(traffic) => {
                self.traffic.send_replace(Arc::clone(traffic));
            }
            Event::Notice(notice) => {
                // Fails if there is no subscriber.
                let _ = self.notices.send(notice.clone());
            }
            Event::Navigate(_) | Event::Shell => {}
        }
    }
}

impl EngineApi for EngineProxy {
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
        let is_diagnosis = matches!(request, Request::Doctor);
        let (answer, answered) = oneshot::channel();
        let stopped = || Fault::new(Code::Stopped, "Postern is quitting.");
        let command = Input::Command(Command::Request(Box::new(request), answer));
        self.inputs.send(command).await.map_err(|_| stopped())?;
        let answer = answered.await.map_err(|_| stopped())??;
        Ok(if is_diagnosis { with_desktop(answer).await } else { answer })
    }

    /// Quits the application, which stops its engine.
    async fn shutdown(&self) {
        let (answer, _) = oneshot::channel();
        // If the controller has ended already, there is nothing to stop.
        let _ = self.inputs.send(Input::Command(Command::ShellAction(ShellAction::Quit, answer))).await;
        self.inputs.closed().await;
    }
}

/// Adds what is wrong with the desktop's settings, which the engine does not know, to what it found.
async fn with_desktop(answer: Answer) -> Answer {
    let Answer::Findings { mut findings } = answer else { return answer };
    // Without threads the engine's findings alone are an answer too.
    findings.extend(tokio::task::spawn_blocking(crate::platform::findings::findings).await.unwrap_or_default());
    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
    Answer::Findings { findings }
}
