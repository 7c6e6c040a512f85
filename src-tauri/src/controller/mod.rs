//! The shell's only owner of state: one task between the engine and the desktop.
//!
//! ```text
//! engine ── Snapshot, Traffic, Notice ──►              ──► tray, window, notifications   (one `Face`)
//!                                         Controller
//! clicks, presses, the window, a second start ──►      ──► Request ──► engine
//! ```
//!
//! It never waits for a person, the network or the disk's far end: what takes time runs beside it and reports back.

mod backend;
mod diagnostics;
mod input;
mod running;
mod telling;
mod window;

pub use backend::{Engine, Start};
pub use input::{Ask, Input, Seen, WindowEvent};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern_engine::api::{Answer, Code, Fault, Request, Secret};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::{debug, error, info, warn};

use crate::face::{Event, Face, Navigate, View, ViewName};
use crate::notification::{Notification, Press};
use crate::shell::{Platform, Remembered, ShellAction, ShellState, may_open};
use crate::tray::{Click, Shown, Tray};
use running::{Running, Said, State};
use telling::Telling;
use window::Window;

/// How long the engine may take to end in good order.
const GOODBYE: Duration = Duration::from_secs(5);
/// So many requests wait for the engine to have started.
const EARLY: usize = 64;
/// Longer than any ticket.
const LONGEST_LINK: usize = 8 * 1024;

/// How much time things are given.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A hidden window is kept so long: to come back at once, but not to cost memory for long.
    pub kept: Duration,
    /// A lost hub is told of at most this often.
    pub hub: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { kept: Duration::from_secs(60), hub: Duration::from_secs(60) }
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
    pub pace: Pace,
}

/// See the module.
pub struct Controller<F: Face, S: Start> {
    face: F,
    start: Arc<S>,
    options: Options,
    inputs: mpsc::Receiver<Input>,
    outcomes: mpsc::UnboundedReceiver<Outcome<S::Engine>>,
    done: mpsc::UnboundedSender<Outcome<S::Engine>>,
    state: State<S::Engine>,
    tray: Option<Tray>,
    window: Window,
    remembered: Remembered,
    /// A link that waits for the engine, or for the person to set up.
    link: Option<Secret>,
    telling: Telling,
    /// What was asked before the engine had started.
    early: Vec<(Request, oneshot::Sender<Result<Answer, Fault>>)>,
    /// Who waits to see what the engine shows.
    looking: Vec<oneshot::Sender<Result<Seen, Fault>>>,
    /// Who had it started again.
    retries: Vec<oneshot::Sender<Result<ShellState, Fault>>>,
}

/// What something that ran beside came to.
enum Outcome<E> {
    Started(Result<E, Fault>),
    Opened(Secret, Result<Answer, Fault>),
    Refused(Fault),
    Chosen(Option<PathBuf>, oneshot::Sender<Result<Option<String>, Fault>>),
}

enum Step<E> {
    Input(Input),
    Outcome(Outcome<E>),
    Said(Said),
    Forgotten,
}

impl<F: Face, S: Start> Controller<F, S> {
    /// A controller that has not begun. Everything from outside comes through `inputs`; when those end, it quits.
    pub fn new(face: F, start: S, options: Options, inputs: mpsc::Receiver<Input>) -> Self {
        let (done, outcomes) = mpsc::unbounded_channel();
        Self {
            face,
            start: Arc::new(start),
            remembered: Remembered::read(&options.data_dir),
            options,
            inputs,
            outcomes,
            done,
            state: State::Starting,
            tray: None,
            window: Window::default(),
            link: None,
            telling: Telling::default(),
            early: Vec::new(),
            looking: Vec::new(),
            retries: Vec::new(),
        }
    }

    /// Runs until somebody quits.
    pub async fn run(mut self) {
        self.start();
        match self.options.link.take() {
            Some(link) => self.open(link),
            None if !self.options.hidden => self.window.show(&mut self.face, None),
            None => {}
        }
        self.refresh();
        while let Some(step) = self.next().await {
            let goes_on = match step {
                Step::Input(input) => self.hear(input),
                Step::Outcome(outcome) => self.came(outcome),
                Step::Said(said) => self.said(said),
                Step::Forgotten => {
                    self.window.destroy(&mut self.face);
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

    async fn next(&mut self) -> Option<Step<S::Engine>> {
        tokio::select! {
            biased;
            input = self.inputs.recv() => input.map(Step::Input),
            Some(outcome) = self.outcomes.recv() => Some(Step::Outcome(outcome)),
            said = self.state.said() => Some(Step::Said(said)),
            () = self.window.forgotten(self.options.pace.kept) => Some(Step::Forgotten),
        }
    }

    fn hear(&mut self, input: Input) -> bool {
        match input {
            Input::Click(click) => return self.click(click),
            Input::Press(Press::Button(request)) => self.ask(request),
            Input::Press(Press::Body(view)) => self.show(view),
            Input::Raise => self.window.show(&mut self.face, None),
            // There is nobody to tell if it is refused.
            Input::Woken => self.forward(Request::Retry, oneshot::channel().0),
            Input::Open(link) => self.open(link),
            Input::Window(event) => self.window.heard(&mut self.face, event),
            Input::Ask(ask) => return self.answer(ask),
        }
        true
    }

    fn click(&mut self, click: Click) -> bool {
        match click {
            Click::Icon => self.window.toggle(&mut self.face),
            Click::Ask(request) => self.ask(request),
            Click::Copy(text) => self.face.copy(&text),
            Click::OpenUrl(url) if may_open(&url) => self.face.open_url(&url),
            Click::OpenUrl(_) => warn!("an address that is not on this computer was not opened"),
            Click::Show(view) => self.show(view),
            Click::Retry => self.start(),
            Click::Quit => return false,
        }
        true
    }

    fn answer(&mut self, ask: Ask) -> bool {
        match ask {
            Ask::Request(request, reply) => self.forward(*request, reply),
            Ask::Seen(reply) => {
                self.see(reply);
                self.window.listens(&mut self.face);
            }
            Ask::Shell(reply) => {
                // Who asked may be gone, here and below: the window is destroyed when it likes.
                let _ = reply.send(self.shell_state());
            }
            Ask::SaveAs(name, reply) => self.save_as(&name, reply),
            Ask::Act(ShellAction::RetryStart, reply) => {
                self.start();
                self.retries.push(reply);
            }
            Ask::Act(action, reply) => {
                let quits = action == ShellAction::Quit;
                let done = self.act(action);
                let _ = reply.send(done.map(|()| self.shell_state()));
                return !quits;
            }
        }
        true
    }

    fn act(&mut self, action: ShellAction) -> Result<(), Fault> {
        match action {
            ShellAction::SetAutostart { on } => self.face.set_autostart(on)?,
            ShellAction::SetNotifications { on } => {
                self.remembered.notifications = on;
                let written = self.remembered.write(&self.options.data_dir);
                written.map_err(|error| Fault::new(Code::Storage, format!("The setting was not kept: {error}.")))?;
            }
            ShellAction::OpenUrl { url } if may_open(&url) => self.face.open_url(&url),
            ShellAction::OpenUrl { .. } => {
                return Err(Fault::new(Code::Invalid, "Only pages of this computer are opened from here."));
            }
            ShellAction::Copy { text } => self.face.copy(&text),
            ShellAction::ShowLogs => self.face.show_logs(),
            ShellAction::CopyDiagnostics => {
                let text = diagnostics::of(self.shown(), &self.options.log_file);
                self.face.copy(&text);
            }
            ShellAction::Quit | ShellAction::RetryStart => {}
            ShellAction::Hide => self.window.hide(&mut self.face),
            ShellAction::Pin { on } => self.window.pin(&mut self.face, on),
        }
        Ok(())
    }

    fn save_as(&mut self, name: &str, reply: oneshot::Sender<Result<Option<String>, Fault>>) {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            let _ = reply.send(Err(Fault::new(Code::Invalid, "The window asked for what is no file.")));
            return;
        }
        let (answer, answered) = oneshot::channel();
        self.window.asks(true);
        self.face.save_as(name, answer);
        let done = self.done.clone();
        tokio::spawn(async move {
            let chosen = answered.await.unwrap_or_default();
            let _ = done.send(Outcome::Chosen(chosen, reply));
        });
    }

    fn came(&mut self, outcome: Outcome<S::Engine>) -> bool {
        match outcome {
            Outcome::Started(Ok(engine)) => {
                info!("the engine runs");
                let running = Running::new(engine);
                self.face.emit(&Event::Snapshot(Arc::clone(&running.shown)));
                self.state = State::Running(running);
                self.face.emit(&Event::Shell);
                self.answer_the_waiting();
            }
            Outcome::Started(Err(fault)) => {
                error!(code = ?fault.code, "the engine did not start");
                if !self.window.is_shown() {
                    self.face.notify(Notification::fault("Postern could not start", &fault));
                }
                self.state = State::Failed(fault);
                self.face.emit(&Event::Shell);
                self.answer_the_waiting();
            }
            Outcome::Opened(_, Ok(Answer::Preview { preview })) => {
                let part = Navigate { fault: preview.fault, ..View::Invitation(preview.invitation).into() };
                self.window.navigate(&mut self.face, part);
            }
            Outcome::Opened(_, Ok(_)) => self.show(View::Invitations),
            Outcome::Opened(link, Err(fault)) if fault.code == Code::NotSetUp => self.link = Some(link),
            Outcome::Opened(_, Err(fault)) => {
                let part = Navigate {
                    view: ViewName::Invitations,
                    invitation: None,
                    service: None,
                    fault: Some(fault.clone()),
                };
                self.window.navigate(&mut self.face, part);
                self.face.notify(Notification::fault("This link cannot be used", &fault));
            }
            Outcome::Refused(fault) => self.face.notify(Notification::fault("That did not work", &fault)),
            Outcome::Chosen(chosen, reply) => {
                self.window.asks(false);
                let path = chosen.map(|path| path.into_os_string().into_string()).transpose();
                let unreadable = |_| Fault::new(Code::Invalid, "This file's name is no text. Choose another.");
                let _ = reply.send(path.map_err(unreadable));
            }
        }
        true
    }

    fn said(&mut self, said: Said) -> bool {
        let State::Running(running) = &mut self.state else {
            return true;
        };
        match said {
            Said::Snapshot => {
                let (old, new) = running.look();
                for topic in telling::answered(&old, &new) {
                    self.face.withdraw(topic);
                }
                self.face.emit(&Event::Snapshot(new));
            }
            Said::Traffic => {
                let traffic = running.traffic.borrow_and_update().clone();
                self.face.emit(&Event::Traffic(traffic));
            }
            Said::Notice(notice) => {
                // Not what the person sees anyway.
                let wanted = self.remembered.notifications && !self.window.is_focused();
                if wanted && self.telling.is_worth(&notice, self.options.pace.hub) {
                    self.face.notify(Notification::from(&notice));
                }
                self.face.emit(&Event::Notice(notice));
            }
            Said::Missed => debug!("some notices were missed"),
            Said::Ended => {
                error!("the engine ended by itself");
                self.state = State::Failed(Fault::new(Code::Stopped, "Postern's engine has ended. Try again."));
                self.face.emit(&Event::Shell);
            }
        }
        true
    }

    fn show(&mut self, view: View) {
        self.window.show(&mut self.face, Some(view.into()));
    }

    /// Opens the invitation that a link leads to. Nothing is accepted.
    fn open(&mut self, link: Secret) {
        self.show(View::Invitations);
        if link.reveal().len() > LONGEST_LINK {
            let fault = Fault::new(Code::BadTicket, "This is not an invitation. Ask for the link again.");
            let _ = self.done.send(Outcome::Opened(link, Err(fault)));
            return;
        }
        self.link = Some(link);
    }

    fn start(&mut self) {
        if matches!(self.state, State::Running(_)) {
            return;
        }
        self.state = State::Starting;
        let (start, done) = (Arc::clone(&self.start), self.done.clone());
        tokio::spawn(async move {
            let started = start.start().await;
            // If nobody hears it, the program is quitting.
            let _ = done.send(Outcome::Started(started));
        });
    }

    /// Asks for something that only answers if it was refused.
    fn ask(&mut self, request: Request) {
        let (answer, refused) = oneshot::channel();
        self.forward(request, answer);
        let done = self.done.clone();
        tokio::spawn(async move {
            if let Ok(Err(fault)) = refused.await {
                let _ = done.send(Outcome::Refused(fault));
            }
        });
    }

    fn forward(&mut self, request: Request, answer: oneshot::Sender<Result<Answer, Fault>>) {
        let engine = match &self.state {
            State::Running(running) => running.engine.clone(),
            State::Starting if self.early.len() < EARLY => return self.early.push((request, answer)),
            State::Starting => {
                let _ = answer.send(Err(Fault::new(Code::TooMany, "Postern is still starting. Try again.")));
                return;
            }
            State::Failed(fault) => {
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
        let tray = Tray::of(self.shown());
        if self.tray.as_ref() != Some(&tray) {
            self.face.set_tray(&tray);
            self.tray = Some(tray);
        }
        let State::Running(running) = &self.state else {
            return;
        };
        if running.shown.me.is_none() {
            return;
        }
        if let Some(link) = self.link.take() {
            let (engine, done) = (running.engine.clone(), self.done.clone());
            tokio::spawn(async move {
                let opened = engine.request(Request::Open { link: link.clone() }).await;
                let _ = done.send(Outcome::Opened(link, opened));
            });
        }
    }

    fn shown(&self) -> Shown<'_> {
        match &self.state {
            State::Starting => Shown::Starting,
            State::Failed(fault) => Shown::Failed(fault),
            State::Running(running) => Shown::Running(&running.shown),
        }
    }

    /// Says what the engine shows, as soon as there is one, or why there is none.
    fn see(&mut self, reply: oneshot::Sender<Result<Seen, Fault>>) {
        let seen = match &self.state {
            State::Starting => return self.looking.push(reply),
            State::Failed(fault) => Err(fault.clone()),
            State::Running(running) => {
                Ok(Seen { snapshot: Arc::clone(&running.shown), traffic: running.traffic.borrow().clone() })
            }
        };
        let _ = reply.send(seen);
    }

    /// Answers everybody who waited for the engine to have started.
    fn answer_the_waiting(&mut self) {
        for (request, answer) in std::mem::take(&mut self.early) {
            self.forward(request, answer);
        }
        for reply in std::mem::take(&mut self.looking) {
            self.see(reply);
        }
        for reply in std::mem::take(&mut self.retries) {
            let state = self.shell_state();
            let _ = reply.send(state.fault.clone().map_or(Ok(state), Err));
        }
    }

    fn shell_state(&mut self) -> ShellState {
        let fault = match &self.state {
            State::Failed(fault) => Some(fault.clone()),
            State::Starting | State::Running(_) => None,
        };
        ShellState {
            autostart: self.face.autostart(),
            notifications: self.remembered.notifications,
            platform: Platform::HERE,
            version: env!("CARGO_PKG_VERSION").into(),
            log_file: self.options.log_file.display().to_string(),
            fault,
        }
    }

    async fn quit(mut self) {
        if let State::Running(running) = &self.state
            && timeout(GOODBYE, running.engine.shutdown()).await.is_err()
        {
            warn!("the engine did not end in time");
        }
        self.face.quit();
    }
}

#[cfg(test)]
mod tests;
