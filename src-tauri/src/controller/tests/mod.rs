//! The controller between a recording desktop and a fake engine: no display, no sleeps.

mod engine;
mod notifications;
mod window;

use std::path::Path;
use std::sync::Mutex;

use postern_engine::api::{
    Code, HubView, InletId, InletLink, InvitationId, InvitationPreview, LinkState, Me, Notice, ReceivedState,
    ReceivedView, ServiceId, ServiceKind, ServiceView, Snapshot, Status, Traffic, UnixMillis,
};
use postern_engine::keys::Passphrase;
use tokio::sync::{broadcast, watch};

use super::*;
use crate::desktop_integration::{Event, Navigate, View, WindowSize};
use crate::notification::{Notification, NotificationResponse, Topic};
use crate::shell::{ShellAction, Theme};
use crate::tray::TrayAction;

/// No timer fires during a test.
const NO_TIMEOUTS: Timeouts =
    Timeouts { hidden_window: Duration::from_secs(3600), hub_notifications: Duration::from_secs(3600) };

/// A call of [`DesktopIntegration`].
#[derive(Debug, Clone, PartialEq)]
enum Call {
    Tray(Tray),
    Show,
    Hide,
    Destroy,
    Pin(bool),
    Emit(Event),
    Notify(Notification),
    Withdraw(Topic),
    OpenUrl(String),
    ShowLogs,
    Copy(String),
    Autostart(bool),
    SaveAs(String),
    OpenFile,
    Quit,
}

#[derive(Clone, Default)]
struct RecordingDesktop {
    calls: Arc<Mutex<Vec<Call>>>,
    autostart: bool,
    /// The answer of the file dialog.
    save_path: Arc<Mutex<Option<PathBuf>>>,
    /// The sizes in which the window was shown.
    sizes: Arc<Mutex<Vec<Option<WindowSize>>>>,
}

impl RecordingDesktop {
    fn record(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl DesktopIntegration for RecordingDesktop {
    fn set_tray(&mut self, tray: &Tray) {
        self.record(Call::Tray(tray.clone()));
    }
    fn show_window(&mut self, size: Option<WindowSize>) {
        self.sizes.lock().unwrap().push(size);
        self.record(Call::Show);
    }
    fn hide_window(&mut self) {
        self.record(Call::Hide);
    }
    fn destroy_window(&mut self) {
        self.record(Call::Destroy);
    }
    fn pin_window(&mut self, on: bool) {
        self.record(Call::Pin(on));
    }
    fn emit(&mut self, event: &Event) {
        self.record(Call::Emit(event.clone()));
    }
    fn notify(&mut self, notification: Notification) {
        self.record(Call::Notify(notification));
    }
    fn withdraw(&mut self, topic: Topic) {
        self.record(Call::Withdraw(topic));
    }
    fn open_url(&mut self, url: &str) {
        self.record(Call::OpenUrl(url.into()));
    }
    fn show_logs(&mut self) {
        self.record(Call::ShowLogs);
    }
    fn copy(&mut self, text: &str) {
        self.record(Call::Copy(text.into()));
    }
    fn autostart(&mut self) -> bool {
        self.autostart
    }
    fn set_autostart(&mut self, on: bool) -> Result<(), Fault> {
        self.autostart = on;
        self.record(Call::Autostart(on));
        Ok(())
    }
    fn save_as(&mut self, name: &str, answer: oneshot::Sender<Option<PathBuf>>) {
        self.record(Call::SaveAs(name.into()));
        answer.send(self.save_path.lock().unwrap().clone()).unwrap();
    }
    fn open_file(&mut self, answer: oneshot::Sender<Option<PathBuf>>) {
        self.record(Call::OpenFile);
        answer.send(self.save_path.lock().unwrap().clone()).unwrap();
    }
    fn quit(&mut self) {
        self.record(Call::Quit);
    }
}

/// An engine whose events and answers the test sets.
#[derive(Clone)]
struct FakeEngine {
    data_dir: PathBuf,
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Result<Answer, Fault>>>,
    ended: watch::Sender<bool>,
}

impl EngineApi for FakeEngine {
    fn data_dir(&self) -> &Path {
        &self.data_dir
    }
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }
    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        self.traffic.subscribe()
    }
    fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }
    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        self.requests.lock().unwrap().push(request);
        self.answer.lock().unwrap().clone()
    }
    async fn shutdown(&self) {
        self.ended.send_replace(true);
    }
}

/// Starts the fake engine, or fails with `fault`.
struct FakeEngineFactory {
    fault: Arc<Mutex<Option<Fault>>>,
    engine: FakeEngine,
    passphrases: Arc<Mutex<Vec<String>>>,
    restored: Arc<Mutex<Vec<(PathBuf, String)>>>,
}

impl EngineFactory for FakeEngineFactory {
    type Engine = FakeEngine;
    async fn start(&self) -> Result<FakeEngine, Fault> {
        match self.fault.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(self.engine.clone()),
        }
    }
    fn use_key_file(&self, passphrase: Passphrase) {
        self.passphrases.lock().unwrap().push(passphrase.reveal().to_owned());
    }
    async fn restore(&self, file: PathBuf, passphrase: Passphrase) -> Result<(), Fault> {
        self.restored.lock().unwrap().push((file, passphrase.reveal().to_owned()));
        match passphrase.reveal() {
            "wrong" => Err(Fault::new(Code::WrongPassphrase, "The passphrase is wrong.")),
            _ => Ok(()),
        }
    }
    fn has_key_file(&self) -> bool {
        !self.passphrases.lock().unwrap().is_empty()
    }
}

struct Harness {
    inputs: mpsc::Sender<Input>,
    desktop: RecordingDesktop,
    engine: FakeEngine,
    fault: Arc<Mutex<Option<Fault>>>,
    passphrases: Arc<Mutex<Vec<String>>>,
    restored: Arc<Mutex<Vec<(PathBuf, String)>>>,
    data: tempfile::TempDir,
}

impl Harness {
    fn start(fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        Self::with_timeouts(NO_TIMEOUTS, fault, hidden, link)
    }

    fn with_timeouts(timeouts: Timeouts, fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (inputs, receiver) = mpsc::channel(16);
        let desktop = RecordingDesktop::default();
        let engine = FakeEngine {
            data_dir: data.path().into(),
            snapshot: watch::Sender::new(Arc::new(configured_snapshot())),
            traffic: watch::Sender::default(),
            notices: broadcast::Sender::new(16),
            requests: Arc::default(),
            answer: Arc::new(Mutex::new(Ok(Answer::Done))),
            ended: watch::Sender::new(false),
        };
        let fault = Arc::new(Mutex::new(fault));
        let options = Options {
            hidden,
            link: link.map(Secret::new),
            data_dir: data.path().into(),
            log_file: data.path().join("logs/postern.log"),
            timeouts,
        };
        let (passphrases, restored) = (Arc::default(), Arc::default());
        let factory = FakeEngineFactory {
            fault: Arc::clone(&fault),
            engine: engine.clone(),
            passphrases: Arc::clone(&passphrases),
            restored: Arc::clone(&restored),
        };
        tokio::spawn(Controller::new(desktop.clone(), factory, options, receiver).run());
        Self { inputs, desktop, engine, fault, passphrases, restored, data }
    }

    async fn running() -> Self {
        let harness = Self::start(None, true, None);
        harness.wait_until_running().await;
        harness
    }

    async fn wait_until_running(&self) {
        self.wait_for(|call| matches!(call, Call::Emit(Event::Shell))).await;
        self.drain().await;
        self.clear();
    }

    async fn send(&self, input: Input) {
        self.inputs.send(input).await.unwrap();
    }

    /// Waits for a call and returns it.
    async fn wait_for(&self, wanted: impl Fn(&Call) -> bool) -> Call {
        for _ in 0..10_000 {
            if let Some(call) = self.calls().into_iter().find(&wanted) {
                return call;
            }
            tokio::task::yield_now().await;
        }
        panic!("the call never came: {:#?}", self.calls());
    }

    /// Lets the controller handle everything that is queued: the replies come after it, and spawned tasks run in between.
    async fn drain(&self) {
        for _ in 0..4 {
            self.shell_state().await;
            tokio::task::yield_now().await;
        }
    }

    fn calls(&self) -> Vec<Call> {
        self.desktop.calls.lock().unwrap().clone()
    }

    fn clear(&self) {
        self.desktop.calls.lock().unwrap().clear();
    }

    fn requests(&self) -> Vec<Request> {
        self.engine.requests.lock().unwrap().clone()
    }

    async fn shell_state(&self) -> ShellState {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Command(Command::ShellState(answer))).await;
        answered.await.unwrap()
    }

    async fn perform(&self, action: ShellAction) -> Result<ShellState, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Command(Command::ShellAction(action, answer))).await;
        answered.await.unwrap()
    }

    async fn save_as(&self, name: &str) -> Result<Option<String>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Command(Command::SaveAs(name.into(), answer))).await;
        answered.await.unwrap()
    }

    async fn open_file(&self) -> Result<Option<String>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Command(Command::OpenFile(answer))).await;
        answered.await.unwrap()
    }

    async fn initial_state(&self) -> Result<InitialState, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Command(Command::InitialState(answer))).await;
        answered.await.unwrap()
    }

    async fn emit_notice(&self, notice: Notice) {
        self.engine.notices.send(notice).unwrap();
        self.drain().await;
    }

    fn notification_titles(&self) -> Vec<String> {
        let notified = self.calls().into_iter().filter_map(|call| match call {
            Call::Notify(notification) => Some(notification.title),
            _ => None,
        });
        notified.collect()
    }
}

fn configured_snapshot() -> Snapshot {
    let identifier = "I".to_owned() + &"0a".repeat(32);
    Snapshot {
        me: Some(Me { identifier: identifier.parse().unwrap(), name: "Ann".into(), words: None }),
        status: Status::Ready,
        ..Snapshot::default()
    }
}

fn service(on: bool) -> ServiceView {
    ServiceView {
        id: ServiceId([1; 16]),
        name: "Notes".into(),
        kind: ServiceKind::Http,
        target: "127.0.0.1:8000".into(),
        path: None,
        description: None,
        warning: None,
        on,
        health: postern_engine::api::Health::Up,
        people: Vec::new(),
        invitations: Vec::new(),
        live: 0,
        created: UnixMillis(0),
    }
}

fn invitation() -> ReceivedView {
    ReceivedView {
        id: InvitationId([5; 16]),
        owner: configured_snapshot().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_known: false,
        owner_verified: false,
        words: "a b c".into(),
        looks_like: None,
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        description: None,
        port: 5432,
        expires: UnixMillis(0),
        state: ReceivedState::New,
    }
}

fn hub_lost() -> Notice {
    Notice::HubLost { address: "hub:1".into(), fault: Fault::new(Code::HubUnreachable, "The hub is away.") }
}

fn locked() -> Fault {
    Fault::new(Code::KeychainLocked, "Unlock the keychain, then try again.")
}
