//! Requests of frontends: the core answers most; what only concerns this machine is answered beside it.
//!
//! In: requests, with the channel for the answer. Out: an event for the core, or a task that answers without delaying anybody
//! else. Every request is answered exactly once.

use super::frontend::{MAX_REQUESTS, PendingRequest, ResponseSender};
use super::{Driver, clock};
use crate::api::{Answer, Code, Fault, Request};
use crate::core::{Event, Now, RequestId};
use crate::store::{FILE, audit_log};
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
        match request {
            Request::Ports => spawn_response(response, async {
                let listening = task::spawn_blocking(listening_ports::listening).await;
                let ports = listening.unwrap_or_else(|_| Err(stopped()))?;
                Ok(Answer::Ports { ports })
            }),
            Request::Log { before, limit } => {
                self.flush_audit().await?;
                let path = self.data_dir.join(FILE);
                spawn_response(response, async move {
                    let read = audit_log::read(&path, before, limit).await;
                    let (receipts, intact) = read.map_err(|error| error.fault(&path))?;
                    Ok(Answer::Receipts { receipts, intact })
                });
            }
            Request::Backup { path, passphrase } => {
                self.flush_audit().await?;
                let copied = backup::copy(&mut self.store, &self.data_dir).await;
                let store = self.identity_store.clone();
                spawn_response(response, async move {
                    backup::write(&store, copied?, path.into(), passphrase).await?;
                    Ok(Answer::Done)
                });
            }
            // The secrets of tickets are encrypted with a key that is about to be loaded.
            Request::Invite { .. } | Request::InvitationLink { .. } | Request::Open { .. }
                if self.loading_identity && self.deferred_requests.len() < MAX_REQUESTS =>
            {
                self.deferred_requests.push((request, response));
            }
            request => {
                self.last_request += 1;
                let id = RequestId(self.last_request);
                let is_doctor = matches!(request, Request::Doctor);
                self.pending_requests.insert(id, PendingRequest { response, is_doctor });
                self.handle(Event::Request(id, request), now).await?;
            }
        }
        Ok(())
    }

    /// Sends the core's answer to a request.
    pub(super) fn send_answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        let Some(PendingRequest { response, is_doctor }) = self.pending_requests.remove(&request) else { return };
        match answer {
            Ok(Answer::Findings { mut findings }) if is_doctor => {
                let (store, path) = (self.identity_store.clone(), self.data_dir.join(FILE));
                spawn_response(response, async move {
                    findings.extend(doctor::examine(&store, &path, clock::wall()).await);
                    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
                    Ok(Answer::Findings { findings })
                });
            }
            // Nobody may be waiting any more.
            answer => drop(response.send(answer)),
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

fn stopped() -> Fault {
    Fault::new(Code::Stopped, "Postern has stopped. Start it again.")
}
