//! Starting the engine, and the requests to it.
//!
//! Requests that arrive while the engine starts are queued, at most [`MAX_QUEUED_REQUESTS`]; when the start has failed
//! they are answered with its fault.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use postern_engine::api::{Answer, Code, EngineApi, Fault, InletView, InvitationId, Request, Secret};
use postern_engine::keys::Passphrase;
use postern_engine::keys::passphrase::PassphraseError;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use super::engine_state::EngineState;
use super::{Completion, Controller, EngineFactory, InitialState, SHUTDOWN_TIMEOUT, ShellReply};
use crate::desktop_integration::DesktopIntegration;

/// How many requests wait for the engine to start. A start takes well under a second unless the keychain is locked;
/// by then a page or a script that sends more is looping.
const MAX_QUEUED_REQUESTS: usize = 64;

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    /// Starts the engine unless it runs or is starting.
    pub(super) fn start_engine(&mut self) {
        if !self.is_starting && !matches!(self.engine, EngineState::Running(_)) {
            self.start_instead_of(None, async { Ok(()) });
        }
    }

    /// Starts the engine again with its key in an encrypted file. Answered when the start has ended.
    pub(super) fn use_key_file(&mut self, passphrase: &Secret, reply: ShellReply) {
        match self.checked(passphrase) {
            Ok(passphrase) => {
                self.factory.use_key_file(passphrase);
                self.retry_waiters.push(reply);
                let before = self.take_engine();
                self.start_instead_of(before, async { Ok(()) });
            }
            // Nobody may be waiting any more; here and below.
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    /// Restores a backup and starts the engine with it; without it, if restoring fails. Answered when the start has ended.
    pub(super) fn restore(&mut self, file: PathBuf, passphrase: &Secret, reply: ShellReply) {
        match self.checked(passphrase) {
            Ok(passphrase) => {
                let (factory, before) = (Arc::clone(&self.factory), self.take_engine());
                self.restore_waiter = Some(reply);
                self.start_instead_of(before, async move { factory.restore(file, passphrase).await });
            }
            Err(fault) => drop(reply.send(Err(fault))),
        }
    }

    /// A passphrase, if the engine may be stopped for what it opens.
    fn checked(&self, passphrase: &Secret) -> Result<Passphrase, Fault> {
        let invalid = |error: PassphraseError| Fault::new(Code::Invalid, error.to_string());
        let passphrase = Passphrase::new(passphrase.reveal().to_owned()).map_err(invalid)?;
        self.may_replace_keys().map(|()| passphrase)
    }

    /// The engine, if it runs; it is starting from now on.
    fn take_engine(&mut self) -> Option<F::Engine> {
        match std::mem::replace(&mut self.engine, EngineState::Starting) {
            EngineState::Running(running) => Some(running.engine),
            EngineState::Starting | EngineState::Failed(_) => None,
        }
    }

    /// Fails if there is a key already: it would be lost.
    fn may_replace_keys(&self) -> Result<(), Fault> {
        match &self.engine {
            EngineState::Running(running) if running.displayed.me.is_some() => {
                Err(Fault::new(Code::AlreadySetUp, "Postern is set up here already, and its key is stored."))
            }
            _ if self.is_starting => Err(Fault::new(Code::TooMany, "Postern is still starting. Try again.")),
            _ => Ok(()),
        }
    }

    /// Starts the engine once the one before has stopped and `prepared` has ended, whatever its result is.
    fn start_instead_of(
        &mut self,
        before: Option<F::Engine>,
        prepared: impl Future<Output = Result<(), Fault>> + Send + 'static,
    ) {
        self.engine = EngineState::Starting;
        self.is_starting = true;
        let (factory, completed) = (Arc::clone(&self.factory), self.completed.clone());
        tokio::spawn(async move {
            if let Some(engine) = before
                && timeout(SHUTDOWN_TIMEOUT, engine.shutdown()).await.is_err()
            {
                warn!("the engine did not shut down within {SHUTDOWN_TIMEOUT:?}; starting another");
            }
            let prepared = prepared.await;
            let started = factory.start().await;
            // The receiver is gone only when the program is quitting; here and below.
            let _ = completed.send(Completion::EngineStarted(started, prepared));
        });
    }

    /// Sends a request whose success needs no answer; a failure is shown as a notification.
    pub(super) fn request_in_background(&mut self, request: Request) {
        if let Request::Accept { invitation, port: None } = request
            && self.accept_at_free_port(invitation)
        {
            return;
        }
        let (answer, answered) = oneshot::channel();
        self.forward_request(request, answer);
        let completed = self.completed.clone();
        tokio::spawn(async move {
            if let Ok(Err(fault)) = answered.await {
                let _ = completed.send(Completion::RequestFailed(fault));
            }
        });
    }

    /// Accepts an invitation at the port that it proposes, or at the next free one, as the window does: tray and notifications
    /// cannot ask for another. Returns false if there is nothing to choose: the portal that it renews keeps its port.
    fn accept_at_free_port(&self, invitation: InvitationId) -> bool {
        let EngineState::Running(running) = &self.engine else { return false };
        let snapshot = &running.displayed;
        let Some(offer) = snapshot.invitations.iter().find(|it| it.id == invitation) else { return false };
        let renews = |portal: &InletView| portal.owner == offer.owner && portal.service_name == offer.service_name;
        if snapshot.inlets.iter().any(renews) {
            return false;
        }
        let (engine, completed, wanted) = (running.engine.clone(), self.completed.clone(), offer.port);
        tokio::spawn(async move {
            let port = match engine.request(Request::FreePort { port: wanted }).await {
                Ok(Answer::FreePort { port }) => port.filter(|port| *port != wanted),
                // Accepting says what is wrong.
                Ok(_) | Err(_) => None,
            };
            if let Err(fault) = engine.request(Request::Accept { invitation, port }).await {
                let _ = completed.send(Completion::RequestFailed(fault));
            }
        });
        true
    }

    /// Sends a request to the engine, or queues it while the engine starts.
    pub(super) fn forward_request(&mut self, request: Request, answer: oneshot::Sender<Result<Answer, Fault>>) {
        let engine = match &self.engine {
            EngineState::Running(running) => running.engine.clone(),
            EngineState::Starting if self.queued_requests.len() < MAX_QUEUED_REQUESTS => {
                return self.queued_requests.push((request, answer));
            }
            EngineState::Starting => {
                let _ = answer.send(Err(Fault::new(Code::TooMany, "Postern is still starting. Try again.")));
                return;
            }
            EngineState::Failed(fault) => {
                let _ = answer.send(Err(fault.clone()));
                return;
            }
        };
        tokio::spawn(async move {
            let _ = answer.send(engine.request(request).await);
        });
    }

    /// Opens the pending link once the engine runs and the first-run setup is done.
    pub(super) fn open_pending_link(&mut self) {
        let EngineState::Running(running) = &self.engine else {
            return;
        };
        if running.displayed.me.is_none() {
            return;
        }
        if let Some(link) = self.pending_link.take() {
            let (engine, completed) = (running.engine.clone(), self.completed.clone());
            tokio::spawn(async move {
                let opened = engine.request(Request::Open { link: link.clone() }).await;
                let _ = completed.send(Completion::LinkOpened(link, opened));
            });
        }
    }

    /// Answers with the current snapshot, with the fault of the failed start, or later when the start has ended.
    pub(super) fn send_initial_state(&mut self, reply: oneshot::Sender<Result<InitialState, Fault>>) {
        let state = match &self.engine {
            EngineState::Starting => return self.initial_state_waiters.push(reply),
            EngineState::Failed(fault) => Err(fault.clone()),
            EngineState::Running(running) => {
                Ok(InitialState { snapshot: Arc::clone(&running.displayed), traffic: running.traffic.borrow().clone() })
            }
        };
        let _ = reply.send(state);
    }

    /// Answers everything that waited for the engine's start to end.
    pub(super) fn flush_pending(&mut self, prepared: Result<(), Fault>) {
        for (request, answer) in std::mem::take(&mut self.queued_requests) {
            self.forward_request(request, answer);
        }
        for reply in std::mem::take(&mut self.initial_state_waiters) {
            self.send_initial_state(reply);
        }
        for reply in std::mem::take(&mut self.retry_waiters) {
            let state = self.shell_state();
            let _ = reply.send(state.fault.clone().map_or(Ok(state), Err));
        }
        if let Some(reply) = self.restore_waiter.take() {
            let state = self.shell_state();
            let started = state.fault.clone().map_or(Ok(state), Err);
            let _ = reply.send(prepared.and(started));
        }
    }
}
