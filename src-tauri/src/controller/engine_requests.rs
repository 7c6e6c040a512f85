//! Starting the engine, and the requests to it.
//!
//! Requests that arrive while the engine starts are queued, at most [`MAX_QUEUED_REQUESTS`]; when the start has failed
//! they are answered with its fault.

use std::sync::Arc;

use postern_engine::api::{Answer, Code, EngineApi, Fault, Request};
use tokio::sync::oneshot;

use super::engine_state::EngineState;
use super::{Completion, Controller, EngineFactory, InitialState};
use crate::desktop_integration::DesktopIntegration;

/// How many requests wait for the engine to start. A start takes well under a second unless the keychain is locked;
/// by then a page or a script that sends more is looping.
const MAX_QUEUED_REQUESTS: usize = 64;

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    /// Starts the engine unless it runs.
    pub(super) fn start_engine(&mut self) {
        if matches!(self.engine, EngineState::Running(_)) {
            return;
        }
        self.engine = EngineState::Starting;
        let (factory, completed) = (Arc::clone(&self.factory), self.completed.clone());
        tokio::spawn(async move {
            let started = factory.start().await;
            // The receiver is gone only when the program is quitting; here and below.
            let _ = completed.send(Completion::EngineStarted(started));
        });
    }

    /// Sends a request whose success needs no answer; a failure is shown as a notification.
    pub(super) fn request_in_background(&mut self, request: Request) {
        let (answer, answered) = oneshot::channel();
        self.forward_request(request, answer);
        let completed = self.completed.clone();
        tokio::spawn(async move {
            if let Ok(Err(fault)) = answered.await {
                let _ = completed.send(Completion::RequestFailed(fault));
            }
        });
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
    pub(super) fn flush_pending(&mut self) {
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
    }
}
