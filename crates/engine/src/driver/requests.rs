//! Requests of faces: most are the heart's; what only looks at this machine is answered beside it.

use super::{Runner, clock};
use crate::api::{Answer, Code, CoreRequest, Fault, LocalRequest, Request, RequestTarget};
use crate::core::{Event, Now, RequestId};
use crate::engine::MAX_REQUESTS;
use crate::store::{FILE, audit_log};
use crate::{backup, doctor, listening_ports};
use tokio::sync::oneshot;

/// A frontend that waits for its answer.
pub(super) struct Waiting {
    answer: oneshot::Sender<Result<Answer, Fault>>,
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
        match request.target() {
            RequestTarget::Local(request) => self.answer_locally(request, answer, now).await,
            RequestTarget::Core(request) => self.hand_to_core(request, answer, now).await,
        }
    }

    /// Answers what changes nothing in the core.
    async fn answer_locally(
        &mut self,
        request: LocalRequest,
        answer: oneshot::Sender<Result<Answer, Fault>>,
        now: Now,
    ) -> Result<(), Fault> {
        match request {
            LocalRequest::Preview { link } => {
                let preview = self.state.preview(&link, now);
                let _ = answer.send(preview.map(|preview| Answer::Preview { preview }));
            }
            LocalRequest::Ports => beside(answer, async {
                let listening = tokio::task::spawn_blocking(listening_ports::listening).await;
                let ports = listening.unwrap_or_else(|_| Err(stopped()))?;
                Ok(Answer::Ports { ports })
            }),
            LocalRequest::Log { before, limit } => {
                self.write().await?;
                let path = self.data_dir.join(FILE);
                beside(answer, async move {
                    let read = audit_log::read(&path, before, limit).await;
                    let (receipts, intact) = read.map_err(|error| error.fault(&path))?;
                    Ok(Answer::Receipts { receipts, intact })
                });
            }
            LocalRequest::Doctor => {
                let mut findings = self.state.findings(now);
                let (home, path) = (self.home.clone(), self.data_dir.join(FILE));
                beside(answer, async move {
                    findings.extend(doctor::examine(&home, &path, clock::wall()).await);
                    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
                    Ok(Answer::Findings { findings })
                });
            }
            LocalRequest::Backup { path, passphrase } => {
                self.write().await?;
                let made = backup::copy(&mut self.store, &self.data_dir).await;
                let home = self.home.clone();
                beside(answer, async move {
                    backup::write(&home, made?, path.into(), passphrase).await?;
                    Ok(Answer::Done)
                });
            }
        }
        Ok(())
    }

    /// Hands a request to the core, once the identity is there if it needs one.
    pub(super) async fn hand_to_core(
        &mut self,
        request: CoreRequest,
        answer: oneshot::Sender<Result<Answer, Fault>>,
        now: Now,
    ) -> Result<(), Fault> {
        // The secrets of tickets are sealed with a key that is about to be loaded.
        let needs_identity = matches!(
            request,
            CoreRequest::Invite { .. } | CoreRequest::InvitationLink { .. } | CoreRequest::Open { .. }
        );
        if needs_identity && self.finding_identity && self.early.len() < MAX_REQUESTS {
            self.early.push((request, answer));
            return Ok(());
        }
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.waiting.insert(id, Waiting { answer });
        self.hear(Event::Request(id, request), now).await
    }

    pub(super) fn answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        if let Some(waiting) = self.waiting.remove(&request) {
            waiting.answer(answer);
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
