//! Requests of frontends: the core answers most; what only concerns this machine is answered beside it.
//!
//! In: requests, with the channel for the answer. Out: an event for the core, or a task that answers without delaying anybody
//! else. Every request is answered exactly once.

use super::frontend::{MAX_REQUESTS, ResponseSender};
use super::{Driver, clock};
use crate::api::{Answer, Code, CoreRequest, Fault, LocalRequest, Request, RequestTarget};
use crate::core::{Event, Now, RequestId};
use crate::store::FILE;
use crate::store::audit_log::Verification;
use crate::{backup, doctor, listening_ports};
use postern_env::task;

impl Driver {
    /// Handles a request.
    ///
    /// # Errors
    /// Something cannot be saved; the engine must stop.
    pub(super) async fn on_request(
        &mut self,
        request: Request,
        response: ResponseSender,
        now: Now,
    ) -> Result<(), Fault> {
        match request.target() {
            RequestTarget::Local(request) => self.handle_local_request(request, response, now).await,
            RequestTarget::Core(request) => self.handle_core_request(request, response, now).await,
        }
    }

    /// Answers a request that changes nothing in the core.
    async fn handle_local_request(
        &mut self,
        request: LocalRequest,
        response: ResponseSender,
        now: Now,
    ) -> Result<(), Fault> {
        match request {
            LocalRequest::Preview { link } => {
                let preview = self.state.preview(&link, now);
                // Nobody may be waiting any more.
                let _ = response.send(preview.map(|preview| Answer::Preview { preview }));
            }
            LocalRequest::Ports => spawn_response(response, async {
                let listening = task::spawn_blocking(listening_ports::listening).await;
                let mut ports = listening.unwrap_or_else(|_| Err(stopped()))?;
                // A portal or the direct listener is no service to share: that would be a loop.
                ports.retain(|it| it.process != Some(std::process::id()));
                Ok(Answer::Ports { ports })
            }),
            LocalRequest::FreePort { port } => {
                let reserved = self.state.portal_ports();
                spawn_response(response, async move {
                    let is_free = move |it| !reserved.contains(&it);
                    let found = task::spawn_blocking(move || listening_ports::free(port, is_free)).await;
                    let port = found.map_err(|_| stopped())?;
                    Ok(Answer::FreePort { port })
                });
            }
            LocalRequest::Protocol { port } => spawn_response(response, async move {
                let kind = listening_ports::protocol(port).await?;
                Ok(Answer::Protocol { kind })
            }),
            LocalRequest::Log { before, limit } => {
                self.flush_audit().await?;
                let (path, log) = (self.data_dir.join(FILE), self.store.log_reader());
                spawn_response(response, async move {
                    let read = log.page(before, limit).await;
                    let (receipts, intact) = read.map_err(|error| error.fault(&path))?;
                    Ok(Answer::Receipts { receipts, intact })
                });
            }
            LocalRequest::VerifyLog => {
                self.flush_audit().await?;
                let (path, log) = (self.data_dir.join(FILE), self.store.log_reader());
                spawn_response(response, async move {
                    let found = log.verify().await.map_err(|error| error.fault(&path))?;
                    let intact = found.is_intact();
                    let Verification { entries, authenticated, problems, remarks, .. } = found;
                    Ok(Answer::LogVerified { intact, entries, authenticated, problems, remarks })
                });
            }
            LocalRequest::Doctor => {
                let mut findings = self.state.findings(now);
                self.flush_audit().await?;
                let (store, path) = (self.identity_store.clone(), self.data_dir.join(FILE));
                let log = self.store.log_reader();
                spawn_response(response, async move {
                    findings.extend(doctor::examine(&store, &path, &log, clock::wall()).await);
                    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
                    Ok(Answer::Findings { findings })
                });
            }
            LocalRequest::Backup { path, passphrase } => {
                self.flush_audit().await?;
                let copied = backup::copy(&mut self.store, &self.data_dir).await;
                let store = self.identity_store.clone();
                spawn_response(response, async move {
                    backup::write(&store, copied?, path.into(), passphrase).await?;
                    Ok(Answer::Done)
                });
            }
        }
        Ok(())
    }

    /// Lets the core handle a request; one that needs the identity's keys waits while they are being loaded.
    pub(super) async fn handle_core_request(
        &mut self,
        request: CoreRequest,
        response: ResponseSender,
        now: Now,
    ) -> Result<(), Fault> {
        // The secrets of tickets are encrypted with one of the keys.
        let needs_identity = matches!(
            request,
            CoreRequest::Invite { .. } | CoreRequest::InvitationLink { .. } | CoreRequest::Open { .. }
        );
        if needs_identity && self.loading_identity && self.deferred_requests.len() < MAX_REQUESTS {
            self.deferred_requests.push((request, response));
            return Ok(());
        }
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.pending_requests.insert(id, response);
        self.handle(Event::Request(id, request), now).await
    }

    /// Sends the core's answer to a request.
    pub(super) fn send_answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        if let Some(response) = self.pending_requests.remove(&request) {
            // Nobody may be waiting any more.
            let _ = response.send(answer);
        }
    }
}

/// Answers from a task of its own.
fn spawn_response(response: ResponseSender, work: impl Future<Output = Result<Answer, Fault>> + Send + 'static) {
    task::spawn(async move {
        // Nobody may be waiting any more.
        let _ = response.send(work.await);
    });
}

pub(super) fn stopped() -> Fault {
    Fault::new(Code::Stopped, "Postern has stopped. Start it again.")
}
