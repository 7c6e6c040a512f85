//! The shell's only owner of state: one task between the engine and the desktop.
//!
//! ```text
//! engine ── Snapshot, Traffic, Notice ──►              ──► tray, window, notifications   (one `DesktopIntegration`)
//!                                         Controller
//! clicks, presses, the window, a second start ──►      ──► Request ──► engine
//! ```
//!
//! It never waits for a person, the network or the disk's far end: what takes time runs beside it and reports back.

mod diagnostics;
mod engine_factory;
mod engine_state;
mod input;
mod notification_filter;
mod window_state;

pub use engine_factory::{Engine, EngineFactory};
pub use input::{Command, InitialState, Input, WindowEvent};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern_engine::model::{Answer, Code, Fault, Request, Secret};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::desktop_integration::{DesktopIntegration, Event, Navigate, View, ViewName};
use crate::notification::{Notification, NotificationResponse};
use crate::shell::{Platform, ShellAction, ShellSettings, ShellState, is_loopback_url};
use crate::tray::{EngineViewState, Tray, TrayAction};
use engine_state::{EngineEvent, EngineState, RunningEngine};
use notification_filter::NotificationFilter;
use window_state::WindowState;

/// How long the engine may take to end in good order.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// So many requests wait for the engine to have started.
const MAX_QUEUED_REQUESTS: usize = 64;
/// Longer than any ticket.
const MAX_LINK_BYTES: usize = 8 * 1024;

/// How much time things are given.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// A hidden window is kept so long: to come back at once, but not to cost memory for long.
    pub hidden_window: Duration,
    /// A lost hub is told of at most this often.
    pub hub_notifications: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { hidden_window: Duration::from_secs(60), hub_notifications: Duration::from_secs(60) }
    }
}

/// How the program was started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only the tray, no window.
    pub hidden: bool,
    /// A link to open.
    pub link: Option<Secret>,
    /// Where what the shell remembers rests.
    pub data_dir: PathBuf,
    /// Where the log is written.
    pub log_file: PathBuf,
    /// How much time things are given.
    pub timeouts: Timeouts,
}

/// See the module.
pub struct Controller<D: DesktopIntegration, F: EngineFactory> {
    desktop: D,
    factory: Arc<F>,
    options: Options,
    inputs: mpsc::Receiver<Input>,
    completions: mpsc::UnboundedReceiver<Completion<F::Engine>>,
    completed: mpsc::UnboundedSender<Completion<F::Engine>>,
    engine: EngineState<F::Engine>,
    tray: Option<Tray>,
    window: WindowState,
    settings: ShellSettings,
    /// A link that waits for the engine, or for the person to set up.
    pending_link: Option<Secret>,
    notification_filter: NotificationFilter,
    /// What was asked before the engine had started.
    queued_requests: Vec<(Request, oneshot::Sender<Result<Answer, Fault>>)>,
    /// Who waits to see what the engine shows.
    initial_state_waiters: Vec<oneshot::Sender<Result<InitialState, Fault>>>,
    /// Who had it started again.
    retry_waiters: Vec<oneshot::Sender<Result<ShellState, Fault>>>,
}

/// What something that ran beside came to.
enum Completion<E> {
    EngineStarted(Result<E, Fault>),
    LinkOpened(Secret, Result<Answer, Fault>),
    RequestFailed(Fault),
    PathChosen(Option<PathBuf>, oneshot::Sender<Result<Option<String>, Fault>>),
}

enum LoopEvent<E> {
    Input(Input),
    Completion(Completion<E>),
    Engine(EngineEvent),
    WindowExpired,
}

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    /// A controller that has not begun. Everything from outside comes through `inputs`; when those end, it quits.
    pub fn new(desktop: D, factory: F, options: Options, inputs: mpsc::Receiver<Input>) -> Self {
        let (completed, completions) = mpsc::unbounded_channel();
        Self {
            desktop,
            factory: Arc::new(factory),
            settings: ShellSettings::read(&options.data_dir),
            options,
            inputs,
            completions,
            completed,
            engine: EngineState::Starting,
            tray: None,
            window: WindowState::default(),
            pending_link: None,
            notification_filter: NotificationFilter::default(),
            queued_requests: Vec::new(),
            initial_state_waiters: Vec::new(),
            retry_waiters: Vec::new(),
        }
    }

    /// Runs until somebody quits.
    pub async fn run(mut self) {
        self.start_engine();
        match self.options.link.take() {
            Some(link) => self.open_link(link),
            None if !self.options.hidden => self.window.show(&mut self.desktop, None),
            None => {}
        }
        self.refresh();
        while let Some(event) = self.next().await {
            let goes_on = match event {
                LoopEvent::Input(input) => self.on_input(input),
                LoopEvent::Completion(completion) => self.on_completion(completion),
                LoopEvent::Engine(event) => self.on_engine_event(event),
                LoopEvent::WindowExpired => {
                    self.window.destroy(&mut self.desktop);
                    true
                }
            };
            if !goes_on {
                break;
            }
            self.refresh();
        }
        self.quit().await;
    }

    async fn next(&mut self) -> Option<LoopEvent<F::Engine>> {
        tokio::select! {
            biased;
            input = self.inputs.recv() => input.map(LoopEvent::Input),
            Some(completion) = self.completions.recv() => Some(LoopEvent::Completion(completion)),
            event = self.engine.next_event() => Some(LoopEvent::Engine(event)),
            () = self.window.expired(self.options.timeouts.hidden_window) => Some(LoopEvent::WindowExpired),
        }
    }

    fn on_input(&mut self, input: Input) -> bool {
        match input {
            Input::Tray(action) => return self.on_tray_action(action),
            Input::Notification(NotificationResponse::Action(request)) => self.request_in_background(request),
            Input::Notification(NotificationResponse::Default(view)) => self.show(view),
            Input::ShowWindow => self.window.show(&mut self.desktop, None),
            // There is nobody to tell if it is refused.
            Input::ConnectivityRestored => self.forward_request(Request::Retry, oneshot::channel().0),
            Input::OpenLink(link) => self.open_link(link),
            Input::Window(event) => self.window.on_event(&mut self.desktop, event),
            Input::Command(command) => return self.on_command(command),
        }
        true
    }

    fn on_tray_action(&mut self, action: TrayAction) -> bool {
        match action {
            TrayAction::ToggleWindow => self.window.toggle(&mut self.desktop),
            TrayAction::Request(request) => self.request_in_background(request),
            TrayAction::Copy(text) => self.desktop.copy(&text),
            TrayAction::OpenUrl(url) if is_loopback_url(&url) => self.desktop.open_url(&url),
            TrayAction::OpenUrl(_) => warn!("an address that is not on this computer was not opened"),
            TrayAction::Show(view) => self.show(view),
            TrayAction::RetryStart => self.start_engine(),
            TrayAction::Quit => return false,
        }
        true
    }

    fn on_command(&mut self, command: Command) -> bool {
        match command {
            Command::Request(request, reply) => self.forward_request(*request, reply),
            Command::InitialState(reply) => {
                self.send_initial_state(reply);
                self.window.page_ready(&mut self.desktop);
            }
            Command::ShellState(reply) => {
                // Who asked may be gone, here and below: the window is destroyed when it likes.
                let _ = reply.send(self.shell_state());
            }
            Command::SaveAs(name, reply) => self.save_as(&name, reply),
            Command::ShellAction(ShellAction::RetryStart, reply) => {
                self.start_engine();
                self.retry_waiters.push(reply);
            }
            Command::ShellAction(action, reply) => {
                let quits = action == ShellAction::Quit;
                let done = self.perform(action);
                let _ = reply.send(done.map(|()| self.shell_state()));
                return !quits;
            }
        }
        true
    }

    fn perform(&mut self, action: ShellAction) -> Result<(), Fault> {
        match action {
            ShellAction::SetAutostart { on } => self.desktop.set_autostart(on)?,
            ShellAction::SetNotifications { on } => {
                self.settings.notifications = on;
                let written = self.settings.write(&self.options.data_dir);
                written.map_err(|error| Fault::new(Code::Storage, format!("The setting was not kept: {error}.")))?;
            }
            ShellAction::OpenUrl { url } if is_loopback_url(&url) => self.desktop.open_url(&url),
            ShellAction::OpenUrl { .. } => {
                return Err(Fault::new(Code::Invalid, "Only pages of this computer are opened from here."));
            }
            ShellAction::Copy { text } => self.desktop.copy(&text),
            ShellAction::ShowLogs => self.desktop.show_logs(),
            ShellAction::CopyDiagnostics => {
                let text = diagnostics::report(self.view_state(), &self.options.log_file);
                self.desktop.copy(&text);
            }
            ShellAction::Quit | ShellAction::RetryStart => {}
            ShellAction::Hide => self.window.hide(&mut self.desktop),
            ShellAction::Pin { on } => self.window.pin(&mut self.desktop, on),
        }
        Ok(())
    }

    fn save_as(&mut self, name: &str, reply: oneshot::Sender<Result<Option<String>, Fault>>) {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let _ = reply.send(Err(Fault::new(Code::Invalid, "The window asked for what is no file.")));
            return;
        }
        let (answer, answered) = oneshot::channel();
        self.window.set_modal_open(true);
        self.desktop.save_as(name, answer);
        let completed = self.completed.clone();
        tokio::spawn(async move {
            let chosen = answered.await.unwrap_or_default();
            let _ = completed.send(Completion::PathChosen(chosen, reply));
        });
    }

    fn on_completion(&mut self, completion: Completion<F::Engine>) -> bool {
        match completion {
            Completion::EngineStarted(Ok(engine)) => {
                info!("the engine runs");
                let running = RunningEngine::new(engine);
                self.desktop.emit(&Event::Snapshot(Arc::clone(&running.displayed)));
                self.engine = EngineState::Running(running);
                self.desktop.emit(&Event::Shell);
                self.flush_pending();
            }
            Completion::EngineStarted(Err(fault)) => {
                error!(code = ?fault.code, "the engine did not start");
                if !self.window.is_visible() {
                    self.desktop.notify(Notification::fault("Postern could not start", &fault));
                }
                self.engine = EngineState::Failed(fault);
                self.desktop.emit(&Event::Shell);
                self.flush_pending();
            }
            Completion::LinkOpened(_, Ok(Answer::Preview { preview })) => {
                let part = Navigate { fault: preview.fault, ..View::Invitation(preview.invitation).into() };
                self.window.navigate(&mut self.desktop, part);
            }
            Completion::LinkOpened(_, Ok(_)) => self.show(View::Invitations),
            Completion::LinkOpened(link, Err(fault)) if fault.code == Code::NotSetUp => self.pending_link = Some(link),
            Completion::LinkOpened(_, Err(fault)) => {
                let part = Navigate {
                    view: ViewName::Invitations,
                    invitation: None,
                    service: None,
                    fault: Some(fault.clone()),
                };
                self.window.navigate(&mut self.desktop, part);
                self.desktop.notify(Notification::fault("This link cannot be used", &fault));
            }
            Completion::RequestFailed(fault) => self.desktop.notify(Notification::fault("That did not work", &fault)),
            Completion::PathChosen(chosen, reply) => {
                self.window.set_modal_open(false);
                let path = chosen.map(|path| path.into_os_string().into_string()).transpose();
                let unreadable = |_| Fault::new(Code::Invalid, "This file's name is no text. Choose another.");
                let _ = reply.send(path.map_err(unreadable));
            }
        }
        true
    }

    fn on_engine_event(&mut self, event: EngineEvent) -> bool {
        let EngineState::Running(running) = &mut self.engine else {
            return true;
        };
        match event {
            EngineEvent::Snapshot => {
                let (old, new) = running.advance();
                for topic in notification_filter::resolved_topics(&old, &new) {
                    self.desktop.withdraw(topic);
                }
                self.desktop.emit(&Event::Snapshot(new));
            }
            EngineEvent::Traffic => {
                let traffic = running.traffic.borrow_and_update().clone();
                self.desktop.emit(&Event::Traffic(traffic));
            }
            EngineEvent::Notice(notice) => {
                // Not what the person sees anyway.
                let wanted = self.settings.notifications && !self.window.is_focused();
                if wanted && self.notification_filter.should_notify(&notice, self.options.timeouts.hub_notifications) {
                    self.desktop.notify(Notification::from(&notice));
                }
                self.desktop.emit(&Event::Notice(notice));
            }
            EngineEvent::NoticesLagged => debug!("some notices were missed"),
            EngineEvent::Ended => {
                error!("the engine ended by itself");
                self.engine = EngineState::Failed(Fault::new(Code::Stopped, "Postern's engine has ended. Try again."));
                self.desktop.emit(&Event::Shell);
            }
        }
        true
    }

    fn show(&mut self, view: View) {
        self.window.show(&mut self.desktop, Some(view.into()));
    }

    /// Opens the invitation that a link leads to. Nothing is accepted.
    fn open_link(&mut self, link: Secret) {
        self.show(View::Invitations);
        if link.reveal().len() > MAX_LINK_BYTES {
            let fault = Fault::new(Code::BadTicket, "This is not an invitation. Command for the link again.");
            let _ = self.completed.send(Completion::LinkOpened(link, Err(fault)));
            return;
        }
        self.pending_link = Some(link);
    }

    fn start_engine(&mut self) {
        if matches!(self.engine, EngineState::Running(_)) {
            return;
        }
        self.engine = EngineState::Starting;
        let (factory, completed) = (Arc::clone(&self.factory), self.completed.clone());
        tokio::spawn(async move {
            let started = factory.start().await;
            // If nobody hears it, the program is quitting.
            let _ = completed.send(Completion::EngineStarted(started));
        });
    }

    /// Asks for something that only answers if it was refused.
    fn request_in_background(&mut self, request: Request) {
        let (answer, refused) = oneshot::channel();
        self.forward_request(request, answer);
        let completed = self.completed.clone();
        tokio::spawn(async move {
            if let Ok(Err(fault)) = refused.await {
                let _ = completed.send(Completion::RequestFailed(fault));
            }
        });
    }

    fn forward_request(&mut self, request: Request, answer: oneshot::Sender<Result<Answer, Fault>>) {
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

    /// Brings the tray up to date, and opens a link that can be opened now.
    fn refresh(&mut self) {
        let tray = Tray::of(self.view_state());
        if self.tray.as_ref() != Some(&tray) {
            self.desktop.set_tray(&tray);
            self.tray = Some(tray);
        }
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

    fn view_state(&self) -> EngineViewState<'_> {
        match &self.engine {
            EngineState::Starting => EngineViewState::Starting,
            EngineState::Failed(fault) => EngineViewState::Failed(fault),
            EngineState::Running(running) => EngineViewState::Running(&running.displayed),
        }
    }

    /// Says what the engine shows, as soon as there is one, or why there is none.
    fn send_initial_state(&mut self, reply: oneshot::Sender<Result<InitialState, Fault>>) {
        let seen = match &self.engine {
            EngineState::Starting => return self.initial_state_waiters.push(reply),
            EngineState::Failed(fault) => Err(fault.clone()),
            EngineState::Running(running) => {
                Ok(InitialState { snapshot: Arc::clone(&running.displayed), traffic: running.traffic.borrow().clone() })
            }
        };
        let _ = reply.send(seen);
    }

    /// Answers everybody who waited for the engine to have started.
    fn flush_pending(&mut self) {
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

    fn shell_state(&mut self) -> ShellState {
        let fault = match &self.engine {
            EngineState::Failed(fault) => Some(fault.clone()),
            EngineState::Starting | EngineState::Running(_) => None,
        };
        ShellState {
            autostart: self.desktop.autostart(),
            notifications: self.settings.notifications,
            platform: Platform::CURRENT,
            version: env!("CARGO_PKG_VERSION").into(),
            log_file: self.options.log_file.display().to_string(),
            fault,
        }
    }

    async fn quit(mut self) {
        if let EngineState::Running(running) = &self.engine
            && timeout(SHUTDOWN_TIMEOUT, running.engine.shutdown()).await.is_err()
        {
            warn!("the engine did not end in time");
        }
        self.desktop.quit();
    }
}

#[cfg(test)]
mod tests;
