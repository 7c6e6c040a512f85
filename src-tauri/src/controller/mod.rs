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
mod window;

pub use backend::{Engine, Start};
pub use input::{Ask, Input, Seen, WindowEvent};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postern_engine::model::{
    Answer, Code, Fault, InvitationId, Notice, ReceivedState, Request, Secret, Snapshot, Traffic,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use crate::face::{Event, Face, Navigate, View, ViewName};
use crate::notification::{Notification, Press, Topic};
use crate::shell::{Platform, Remembered, ShellAction, ShellState, may_open};
use crate::tray::{Click, Shown, Tray};
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
    hub_told: Option<Instant>,
    /// What was asked before the engine had started.
    early: Vec<(Request, oneshot::Sender<Result<Answer, Fault>>)>,
    /// Who waits to see what the engine shows.
    looking: Vec<oneshot::Sender<Result<Seen, Fault>>>,
    /// Who had it started again.
    retries: Vec<oneshot::Sender<Result<ShellState, Fault>>>,
}

enum State<E> {
    Starting,
    Failed(Fault),
    Running(Running<E>),
}

struct Running<E> {
    engine: E,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    traffic: watch::Receiver<Arc<Traffic>>,
    notices: broadcast::Receiver<Notice>,
    shown: Arc<Snapshot>,
}

/// What something that ran beside came to.
enum Outcome<E> {
    Started(Result<E, Fault>),
    Opened(Secret, Result<Answer, Fault>),
    Refused(Fault),
}

/// What the engine said.
enum Said {
    Snapshot,
    Traffic,
    Notice(Notice),
    Missed,
    Ended,
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
            hub_told: None,
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
            said = said(&mut self.state) => Some(Step::Said(said)),
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

    fn came(&mut self, outcome: Outcome<S::Engine>) -> bool {
        match outcome {
            Outcome::Started(Ok(engine)) => {
                info!("the engine runs");
                let (snapshots, traffic, notices) = (engine.snapshot(), engine.traffic(), engine.notices());
                let shown = snapshots.borrow().clone();
                self.face.emit(&Event::Snapshot(Arc::clone(&shown)));
                self.state = State::Running(Running { engine, snapshots, traffic, notices, shown });
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
        }
        true
    }

    fn said(&mut self, said: Said) -> bool {
        let State::Running(running) = &mut self.state else {
            return true;
        };
        match said {
            Said::Snapshot => {
                let new = running.snapshots.borrow_and_update().clone();
                let old = std::mem::replace(&mut running.shown, Arc::clone(&new));
                for topic in answered(&old, &new) {
                    self.face.withdraw(topic);
                }
                self.face.emit(&Event::Snapshot(new));
            }
            Said::Traffic => {
                let traffic = running.traffic.borrow_and_update().clone();
                self.face.emit(&Event::Traffic(traffic));
            }
            Said::Notice(notice) => {
                if self.is_worth_a_notification(&notice) {
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

    /// Not what the person sees anyway, and of hubs not too much.
    fn is_worth_a_notification(&mut self, notice: &Notice) -> bool {
        if !self.remembered.notifications || self.window.is_focused() {
            return false;
        }
        match notice {
            Notice::HubLost { .. } if self.hub_told.is_some_and(|told| told.elapsed() < self.options.pace.hub) => false,
            Notice::HubLost { .. } => {
                self.hub_told = Some(Instant::now());
                true
            }
            // It takes the place of the one that said that it was lost.
            Notice::HubBack { .. } => self.hub_told.is_some(),
            _ => true,
        }
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

/// What the engine says next; nothing while there is none.
async fn said<E>(state: &mut State<E>) -> Said {
    let State::Running(running) = state else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        changed = running.snapshots.changed() => changed.map_or(Said::Ended, |()| Said::Snapshot),
        notice = running.notices.recv() => match notice {
            Ok(notice) => Said::Notice(notice),
            Err(broadcast::error::RecvError::Lagged(_)) => Said::Missed,
            Err(broadcast::error::RecvError::Closed) => Said::Ended,
        },
        changed = running.traffic.changed() => changed.map_or(Said::Ended, |()| Said::Traffic),
    }
}

/// What waited for the person and no longer does: answered in the window, the tray, or by time.
fn answered(old: &Snapshot, new: &Snapshot) -> Vec<Topic> {
    let waiting = |snapshot: &Snapshot| -> Vec<InvitationId> {
        let new = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New);
        new.map(|invitation| invitation.id).collect()
    };
    let knocking =
        |snapshot: &Snapshot| -> Vec<InvitationId> { snapshot.knocks.iter().map(|knock| knock.invitation).collect() };
    let gone = |old: Vec<InvitationId>, new: Vec<InvitationId>| old.into_iter().filter(move |id| !new.contains(id));
    let invitations = gone(waiting(old), waiting(new)).map(Topic::Invitation);
    let knocks = gone(knocking(old), knocking(new)).map(Topic::Knock);
    invitations.chain(knocks).collect()
}

#[cfg(test)]
mod tests;
