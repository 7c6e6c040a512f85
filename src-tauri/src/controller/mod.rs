//! The single owner of the shell's state: one task between the engine and the desktop.
//!
//! ```text
//! engine ── Snapshot, Traffic, Notice ─────────────────►              ─► DesktopIntegration: tray, window, notifications
//!                                                         Controller
//! tray, notifications, window, second instance ─ Input ─►              ─► Request ─► engine
//! ```
//!
//! The event loop in this file selects the next event; the handlers are in `events` (inputs, completed tasks, engine
//! events), `commands` (calls of the window's page) and `engine_requests` (starting the engine, and what is sent to it).
//! A handler never waits: what takes time runs in a task of its own, which reports back with a `Completion`.

mod commands;
mod diagnostics;
mod engine_factory;
mod engine_requests;
mod engine_state;
mod events;
mod input;
mod log_redaction;
mod notification_filter;
mod window_state;

pub use engine_factory::EngineFactory;
pub use input::{Command, InitialState, Input, WindowEvent};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postern_engine::api::{Answer, EngineApi, Fault, Request, Secret};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::warn;

use crate::desktop_integration::DesktopIntegration;
use crate::shell::{Platform, ShellState};
use crate::shell_settings::ShellSettings;
use crate::tray::{EngineViewState, Tray};
use engine_state::{EngineEvent, EngineState};
use notification_filter::NotificationFilter;
use window_state::WindowState;

/// How long the engine may take to shut down: time to close its connections and tell its peers, but a user who quits
/// does not wait longer for a network that does not answer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The controller's intervals; tests shorten or disable them.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// How long a hidden window is kept before it is destroyed. While it is kept it reappears at once, but its
    /// browser process holds about 220 MiB (`bench/app.md`).
    pub hidden_window: Duration,
    /// The shortest interval between two notifications of lost hubs.
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
    /// Start with the tray only, no window.
    pub hidden: bool,
    /// An invitation link to open.
    pub link: Option<Secret>,
    /// The directory with the shell's settings.
    pub data_dir: PathBuf,
    /// The path of the log file.
    pub log_file: PathBuf,
    /// The controller's intervals.
    pub timeouts: Timeouts,
}

/// The shell's event loop and all of its state. Runs until [`Controller::run`] returns; dropping it earlier leaves the
/// engine running.
pub struct Controller<D: DesktopIntegration, F: EngineFactory> {
    desktop: D,
    factory: Arc<F>,
    options: Options,
    inputs: mpsc::Receiver<Input>,
    completions: mpsc::UnboundedReceiver<Completion<F::Engine>>,
    completed: mpsc::UnboundedSender<Completion<F::Engine>>,
    engine: EngineState<F::Engine>,
    /// The tray as it was last sent to the desktop.
    tray: Option<Tray>,
    window: WindowState,
    settings: ShellSettings,
    notification_filter: NotificationFilter,
    /// Whether the engine's start has not ended.
    is_starting: bool,
    /// Whether the desktop shows the tray icon, as far as it is known.
    shows_tray_icon: bool,
    /// Whether this run has said what closing the window does.
    closing_explained: bool,
    /// A link that waits for the engine to start, or for the first-run setup.
    pending_link: Option<Secret>,
    /// Requests that wait for the engine to start.
    queued_requests: Vec<QueuedRequest>,
    /// Calls of the page for the initial state that wait for the engine to start.
    initial_state_waiters: Vec<oneshot::Sender<Result<InitialState, Fault>>>,
    /// Calls that retried the start and wait for its result.
    retry_waiters: Vec<ShellReply>,
    /// The call that restores a backup.
    restore_waiter: Option<ShellReply>,
}

/// Who waits for the shell's state after an action.
type ShellReply = oneshot::Sender<Result<ShellState, Fault>>;

type QueuedRequest = (Request, oneshot::Sender<Result<Answer, Fault>>);

/// The result of a task that the controller spawned.
enum Completion<E> {
    /// And the result of what was done before the start.
    EngineStarted(Result<E, Fault>, Result<(), Fault>),
    LinkOpened(Secret, Result<Answer, Fault>),
    RequestFailed(Fault),
    PathChosen(Option<PathBuf>, oneshot::Sender<Result<Option<String>, Fault>>),
}

enum LoopEvent<E> {
    Input(Input),
    Completion(Completion<E>),
    Engine(EngineEvent),
    /// The window was hidden for [`Timeouts::hidden_window`].
    WindowExpired,
}

/// Whether the event loop goes on after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Quit,
}

impl<D: DesktopIntegration, F: EngineFactory> Controller<D, F> {
    /// A controller that has not started yet. It quits when all senders of `inputs` are dropped.
    pub fn new(desktop: D, factory: F, options: Options, inputs: mpsc::Receiver<Input>) -> Self {
        let (completed, completions) = mpsc::unbounded_channel();
        let settings = ShellSettings::read(&options.data_dir);
        let window = WindowState::with_size(settings.window_size);
        Self {
            desktop,
            factory: Arc::new(factory),
            settings,
            options,
            inputs,
            completions,
            completed,
            engine: EngineState::Starting,
            tray: None,
            window,
            notification_filter: NotificationFilter::default(),
            is_starting: false,
            shows_tray_icon: true,
            closing_explained: false,
            pending_link: None,
            queued_requests: Vec::new(),
            initial_state_waiters: Vec::new(),
            retry_waiters: Vec::new(),
            restore_waiter: None,
        }
    }

    /// Runs until the user quits, then shuts the engine down.
    pub async fn run(mut self) {
        self.start_engine();
        match self.options.link.take() {
            Some(link) => self.open_link(link),
            None if !self.options.hidden => self.window.show(&mut self.desktop, None),
            None => {}
        }
        self.update_tray();
        while let Some(event) = self.next_event().await {
            if self.dispatch(event) == Flow::Quit {
                break;
            }
            self.update_tray();
            self.open_pending_link();
        }
        self.quit().await;
    }

    async fn next_event(&mut self) -> Option<LoopEvent<F::Engine>> {
        tokio::select! {
            biased;
            input = self.inputs.recv() => input.map(LoopEvent::Input),
            Some(completion) = self.completions.recv() => Some(LoopEvent::Completion(completion)),
            event = self.engine.next_event() => Some(LoopEvent::Engine(event)),
            () = self.window.expired(self.options.timeouts.hidden_window) => Some(LoopEvent::WindowExpired),
        }
    }

    fn dispatch(&mut self, event: LoopEvent<F::Engine>) -> Flow {
        let mut flow = Flow::Continue;
        match event {
            LoopEvent::Input(input) => flow = self.on_input(input),
            LoopEvent::Completion(completion) => self.on_completion(completion),
            LoopEvent::Engine(event) => self.on_engine_event(event),
            LoopEvent::WindowExpired => self.window.destroy(&mut self.desktop),
        }
        self.remember_window_size();
        flow
    }

    /// Stores the size of the window once it is hidden: while it is resized, it changes many times.
    fn remember_window_size(&mut self) {
        if !self.window.is_visible() {
            self.store_window_size();
        }
    }

    fn store_window_size(&mut self) {
        if self.settings.window_size == self.window.size() {
            return;
        }
        self.settings.window_size = self.window.size();
        if let Err(error) = self.settings.write(&self.options.data_dir) {
            warn!("the settings were not saved, the next start shows the window in its old size: {error}");
        }
    }

    /// Sends the tray to the desktop if it differs from the last one that was sent.
    fn update_tray(&mut self) {
        let tray = Tray::of(self.view_state());
        if self.tray.as_ref() != Some(&tray) {
            self.desktop.set_tray(&tray);
            self.tray = Some(tray);
        }
    }

    fn view_state(&self) -> EngineViewState<'_> {
        match &self.engine {
            EngineState::Starting => EngineViewState::Starting,
            EngineState::Failed(fault) => EngineViewState::Failed(fault),
            EngineState::Running(running) => EngineViewState::Running(&running.displayed),
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
            theme: self.settings.theme,
            platform: Platform::CURRENT,
            version: env!("CARGO_PKG_VERSION").into(),
            log_file: self.options.log_file.display().to_string(),
            user_name: crate::user_name::proposed(),
            key_file: self.factory.has_key_file(),
            fault,
        }
    }

    async fn quit(mut self) {
        self.store_window_size();
        if let EngineState::Running(running) = &self.engine
            && timeout(SHUTDOWN_TIMEOUT, running.engine.shutdown()).await.is_err()
        {
            warn!("the engine did not shut down within {SHUTDOWN_TIMEOUT:?}; quitting without it");
        }
        self.desktop.quit();
    }
}

#[cfg(test)]
mod tests;
