//! Requests of faces: most are the heart's; what only looks at this machine is answered beside it.

use super::{Runner, clock};
use crate::api::{Answer, Code, Fault, Finding, Request};
use crate::core::{Event, Now, RequestId};
use crate::engine::MAX_REQUESTS;
use crate::store::{FILE, audit_log};
use crate::{backup, doctor, listening_ports};
use tokio::sync::oneshot;

/// A face that waits for its answer.
pub(super) struct Waiting {
    answer: oneshot::Sender<Result<Answer, Fault>>,
    /// What the machine finds is added to what the heart finds.
    is_doctor: bool,
}

impl Waiting {
    pub(super) fn answer(self, answer: Result<Answer, Fault>) {
        let _ = self.answer.send(answer);
    }
}

impl Runner {
    pub(super) async fn asked(
        &mut self,
        request: Request,
        answer: oneshot::Sender<Result<Answer, Fault>>,
        now: Now,
    ) -> Result<(), Fault> {
        match request {
            Request::Ports => beside(answer, async {
                let listening = tokio::task::spawn_blocking(listening_ports::listening).await;
                let ports = listening.unwrap_or_else(|_| Err(stopped()))?;
                Ok(Answer::Ports { ports })
            }),
            Request::Log { before, limit } => {
                self.write().await?;
                let path = self.data_dir.join(FILE);
                beside(answer, async move {
                    let read = audit_log::read(&path, before, limit).await;
                    let (receipts, intact) = read.map_err(|error| error.fault(&path))?;
                    Ok(Answer::Receipts { receipts, intact })
                });
            }
            Request::Backup { path, passphrase } => {
                self.write().await?;
                let made = backup::copy(&mut self.store, &self.data_dir).await;
                let home = self.home.clone();
                beside(answer, async move {
                    backup::write(&home, made?, path.into(), passphrase).await?;
                    Ok(Answer::Done)
                });
            }
            // What stands in a ticket is sealed with a key that is about to be there.
            Request::Invite { .. } | Request::InvitationLink { .. } | Request::Open { .. }
                if self.finding_identity && self.early.len() < MAX_REQUESTS =>
            {
                self.early.push((request, answer));
            }
            request => {
                self.last_request += 1;
                let id = RequestId(self.last_request);
                let is_doctor = matches!(request, Request::Doctor);
                self.waiting.insert(id, Waiting { answer, is_doctor });
                self.hear(Event::Request(id, request), now).await?;
            }
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        let Some(waiting) = self.waiting.remove(&request) else { return };
        match answer {
            Ok(Answer::Findings { findings }) if waiting.is_doctor => {
                let (home, path) = (self.home.clone(), self.data_dir.join(FILE));
                beside(waiting.answer, async move {
                    let mut all: Vec<Finding> = findings;
                    all.extend(doctor::examine(&home, &path, clock::wall()).await);
                    all.sort_by_key(|it| std::cmp::Reverse(it.severity));
                    Ok(Answer::Findings { findings: all })
                });
            }
            answer => waiting.answer(answer),
        }
    }
}

/// Answers when it is done, without holding up anybody else.
fn beside(
    answer: oneshot::Sender<Result<Answer, Fault>>,
    work: impl Future<Output = Result<Answer, Fault>> + Send + 'static,
) {
    tokio::spawn(async move {
        let _ = answer.send(work.await);
    });
}

fn stopped() -> Fault {
    Fault::new(Code::Stopped, "Postern has stopped. Start it again.")
}
