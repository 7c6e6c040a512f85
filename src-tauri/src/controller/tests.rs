//! Stories of the controller, with a desktop that records and an engine that does as it is told: no display, no sleeps.

use std::sync::Mutex;

use postern_engine::model::{
    HubView, InletId, InletLink, InvitationId, InvitationPreview, LinkState, Me, Notice, ReceivedState, ReceivedView,
    ServiceId, ServiceKind, ServiceView, Snapshot, Status, Traffic, UnixMillis,
};
use tokio::sync::{broadcast, watch};

use super::*;
use crate::notification::Topic;

/// Nothing happens by time.
const NO_TIMEOUTS: Timeouts =
    Timeouts { hidden_window: Duration::from_secs(3600), hub_notifications: Duration::from_secs(3600) };

/// What the desktop was asked, in order.
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
    Quit,
}

#[derive(Clone, Default)]
struct RecordingDesktop {
    calls: Arc<Mutex<Vec<Call>>>,
    autostart: bool,
    /// Where everything is written.
    save_path: Arc<Mutex<Option<PathBuf>>>,
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
    fn show_window(&mut self) {
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
    fn quit(&mut self) {
        self.record(Call::Quit);
    }
}

/// An engine whose every answer is in the test's hand.
#[derive(Clone)]
struct FakeEngine {
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
    requests: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Result<Answer, Fault>>>,
    ended: watch::Sender<bool>,
}

impl Engine for FakeEngine {
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

/// FakeEngineFactory the engine, or fails with what is in it.
struct FakeEngineFactory {
    fault: Arc<Mutex<Option<Fault>>>,
    engine: FakeEngine,
}

impl EngineFactory for FakeEngineFactory {
    type Engine = FakeEngine;
    async fn start(&self) -> Result<FakeEngine, Fault> {
        match self.fault.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(self.engine.clone()),
        }
    }
}

struct Harness {
    inputs: mpsc::Sender<Input>,
    desktop: RecordingDesktop,
    engine: FakeEngine,
    fault: Arc<Mutex<Option<Fault>>>,
    _data: tempfile::TempDir,
}

impl Harness {
    fn start(fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        Self::with_timeouts(NO_TIMEOUTS, fault, hidden, link)
    }

    fn with_timeouts(timeouts: Timeouts, fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (inputs, heard) = mpsc::channel(16);
        let desktop = RecordingDesktop::default();
        let engine = FakeEngine {
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
        let factory = FakeEngineFactory { fault: Arc::clone(&fault), engine: engine.clone() };
        tokio::spawn(Controller::new(desktop.clone(), factory, options, heard).run());
        Self { inputs, desktop, engine, fault, _data: data }
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

    /// Waits for a call and gives it.
    async fn wait_for(&self, wanted: impl Fn(&Call) -> bool) -> Call {
        for _ in 0..10_000 {
            if let Some(call) = self.calls().into_iter().find(&wanted) {
                return call;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came: {:#?}", self.calls());
    }

    /// Lets everything that is on its way arrive: one question more than anybody has is answered behind it.
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
        me: Some(Me { identifier: identifier.parse().unwrap(), name: "Ann".into() }),
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
        on,
        health: postern_engine::model::Health::Up,
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

#[tokio::test]
async fn hidden_there_is_only_the_tray() {
    let harness = Harness::start(None, true, None);
    harness.wait_for(|call| matches!(call, Call::Emit(Event::Shell))).await;
    harness.drain().await;
    assert!(!harness.calls().contains(&Call::Show));
    let trays: Vec<_> = harness.calls().into_iter().filter(|call| matches!(call, Call::Tray(_))).collect();
    let expected = [EngineViewState::Starting, EngineViewState::Running(&configured_snapshot())]
        .map(|state| Call::Tray(Tray::of(state)));
    assert_eq!(trays, expected);
}

#[tokio::test]
async fn the_tray_is_told_only_what_is_new() {
    let harness = Harness::running().await;
    harness.engine.snapshot.send_replace(Arc::new(Snapshot { troubles: vec![locked()], ..configured_snapshot() }));
    harness.drain().await;
    harness.engine.traffic.send_replace(Arc::default());
    harness.drain().await;
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Tray(_))), "{:?}", harness.calls());

    let changed = Snapshot { services: vec![service(true)], ..configured_snapshot() };
    harness.engine.snapshot.send_replace(Arc::new(changed.clone()));
    harness.drain().await;
    let last = harness.calls().into_iter().rfind(|call| matches!(call, Call::Tray(_)));
    assert_eq!(last, Some(Call::Tray(Tray::of(EngineViewState::Running(&changed)))));
}

#[tokio::test]
async fn a_click_in_the_menu_is_a_request() {
    let harness = Harness::running().await;
    let request = Request::SetService { service: ServiceId([1; 16]), on: false };
    harness.send(Input::Tray(TrayAction::Request(request.clone()))).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [request]);
    assert_eq!(harness.notification_titles(), [""; 0]);
}

#[tokio::test]
async fn what_was_refused_is_told() {
    let harness = Harness::running().await;
    *harness.engine.answer.lock().unwrap() = Err(Fault::new(Code::PortTaken, "Port 5432 is taken. Choose another."));
    let accept = Request::Accept { invitation: InvitationId([5; 16]), port: None };
    harness.send(Input::Notification(NotificationResponse::Action(accept.clone()))).await;
    let Call::Notify(notification) = harness.wait_for(|call| matches!(call, Call::Notify(_))).await else {
        unreachable!()
    };
    assert_eq!(
        (notification.title.as_str(), notification.body.as_str()),
        ("That did not work", "Port 5432 is taken. Choose another.")
    );
    assert_eq!(harness.requests(), [accept]);
}

#[tokio::test]
async fn a_link_opens_the_invitation_and_accepts_nothing() {
    let harness = Harness::running().await;
    let preview = InvitationPreview {
        invitation: InvitationId([5; 16]),
        owner: configured_snapshot().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_known: false,
        words: None,
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        port: 5432,
        expires: UnixMillis(0),
        fault: None,
    };
    *harness.engine.answer.lock().unwrap() = Ok(Answer::Preview { preview });
    let link = Secret::new("postern://join/x");
    harness.send(Input::OpenLink(link.clone())).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Open { link }]);
    assert!(harness.calls().contains(&Call::Show));
    // The page does not listen yet: nothing is said to it that it would miss.
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Emit(Event::Navigate(_)))));
    harness.initial_state().await.unwrap();
    let to = Navigate::from(View::Invitation(InvitationId([5; 16])));
    harness.wait_for(|call| *call == Call::Emit(Event::Navigate(to.clone()))).await;
}

#[tokio::test]
async fn a_link_waits_for_the_person_to_set_up() {
    let harness = Harness::start(None, true, Some("postern://join/x"));
    harness.engine.snapshot.send_replace(Arc::default());
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    harness.drain().await;
    assert!(harness.calls().contains(&Call::Show));
    harness.engine.snapshot.send_replace(Arc::new(configured_snapshot()));
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Open { link: Secret::new("postern://join/x") }]);
}

#[tokio::test]
async fn a_bad_link_is_told_where_it_would_have_been_shown() {
    let harness = Harness::running().await;
    let fault = Fault::new(Code::BadTicket, "This is not an invitation.");
    *harness.engine.answer.lock().unwrap() = Err(fault.clone());
    harness.initial_state().await.unwrap();
    for link in ["postern://join/broken".to_owned(), "x".repeat(MAX_LINK_BYTES + 1)] {
        harness.clear();
        harness.send(Input::OpenLink(Secret::new(link))).await;
        harness.drain().await;
        let told = harness.wait_for(|call| matches!(call, Call::Notify(_))).await;
        assert!(matches!(told, Call::Notify(note) if note.title == "This link cannot be used"));
    }
    assert_eq!(harness.requests().len(), 1, "what is too long is not even read");
}

#[tokio::test]
async fn a_start_that_failed_is_shown_and_can_be_tried_again() {
    let harness = Harness::start(Some(locked()), true, None);
    harness.wait_for(|call| *call == Call::Emit(Event::Shell)).await;
    assert_eq!(harness.notification_titles(), ["Postern could not start"]);
    assert_eq!(harness.shell_state().await.fault, Some(locked()));
    harness.wait_for(|call| *call == Call::Tray(Tray::of(EngineViewState::Failed(&locked())))).await;
    let (answer, answered) = oneshot::channel();
    harness.send(Input::Command(Command::Request(Box::new(Request::Retry), answer))).await;
    assert_eq!(answered.await.unwrap(), Err(locked()));

    assert_eq!(harness.initial_state().await.unwrap_err(), locked());
    assert_eq!(harness.perform(ShellAction::RetryStart).await, Err(locked()));

    *harness.fault.lock().unwrap() = None;
    assert_eq!(harness.perform(ShellAction::RetryStart).await.unwrap().fault, None);
    harness.wait_for(|call| *call == Call::Tray(Tray::of(EngineViewState::Running(&configured_snapshot())))).await;
    assert_eq!(harness.shell_state().await.fault, None);
}

#[tokio::test]
async fn nothing_is_notified_that_the_focused_window_shows() {
    let harness = Harness::running().await;
    let notice = Notice::Joined { service: ServiceId([1; 16]), from: "Bob".into(), name: "Notes".into() };
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.drain().await;
    harness.emit_notice(notice.clone()).await;
    assert_eq!(harness.notification_titles(), [""; 0]);
    assert!(harness.calls().contains(&Call::Emit(Event::Notice(notice.clone()))));

    harness.send(Input::Window(WindowEvent::Focused(false))).await;
    harness.drain().await;
    harness.emit_notice(notice.clone()).await;
    assert_eq!(harness.notification_titles(), ["Bob joined"]);

    harness.perform(ShellAction::SetNotifications { on: false }).await.unwrap();
    harness.emit_notice(notice).await;
    assert_eq!(harness.notification_titles(), ["Bob joined"]);
}

#[tokio::test]
async fn an_invitation_answered_elsewhere_takes_its_notification_along() {
    let harness = Harness::running().await;
    harness
        .engine
        .snapshot
        .send_replace(Arc::new(Snapshot { invitations: vec![invitation()], ..configured_snapshot() }));
    harness.drain().await;
    assert!(!harness.calls().iter().any(|call| matches!(call, Call::Withdraw(_))));
    let accepting = ReceivedView { state: ReceivedState::Accepting { fault: None }, ..invitation() };
    harness.engine.snapshot.send_replace(Arc::new(Snapshot { invitations: vec![accepting], ..configured_snapshot() }));
    harness.drain().await;
    assert!(harness.calls().contains(&Call::Withdraw(Topic::Invitation(InvitationId([5; 16])))));
}

#[tokio::test]
async fn a_hub_that_comes_and_goes_is_told_of_now_and_then() {
    let harness = Harness::running().await;
    let back = Notice::HubBack { address: "hub:1".into() };
    for _ in 0..3 {
        harness.emit_notice(hub_lost()).await;
    }
    harness.emit_notice(back.clone()).await;
    harness.emit_notice(hub_lost()).await;
    assert_eq!(harness.notification_titles(), ["hub:1 was lost", "hub:1 is back"]);
}

#[tokio::test]
async fn a_hub_lost_long_after_is_told_of_again() {
    let harness =
        Harness::with_timeouts(Timeouts { hub_notifications: Duration::ZERO, ..NO_TIMEOUTS }, None, true, None);
    harness.wait_until_running().await;
    harness.emit_notice(hub_lost()).await;
    harness.emit_notice(hub_lost()).await;
    assert_eq!(harness.notification_titles(), ["hub:1 was lost", "hub:1 was lost"]);
}

#[tokio::test]
async fn a_window_is_kept_for_a_while() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.drain().await;
    harness.send(Input::Window(WindowEvent::CloseRequested)).await;
    harness.drain().await;
    harness.send(Input::ShowWindow).await;
    harness.drain().await;
    assert_eq!(harness.calls(), [Call::Show, Call::Hide, Call::Show]);
}

#[tokio::test]
async fn a_window_hidden_for_long_is_destroyed() {
    let harness = Harness::with_timeouts(Timeouts { hidden_window: Duration::ZERO, ..NO_TIMEOUTS }, None, true, None);
    harness.wait_until_running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.perform(ShellAction::Hide).await.unwrap();
    harness.wait_for(|call| *call == Call::Destroy).await;
    // Made anew, its page has to listen anew.
    harness.clear();
    harness.send(Input::Tray(TrayAction::Show(View::Settings))).await;
    harness.drain().await;
    assert_eq!(harness.calls(), [Call::Show]);
    harness.initial_state().await.unwrap();
    harness.wait_for(|call| *call == Call::Emit(Event::Navigate(View::Settings.into()))).await;
}

#[tokio::test]
async fn a_click_on_the_icon_shows_and_hides() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.send(Input::Window(WindowEvent::Focused(true))).await;
    harness.send(Input::Tray(TrayAction::ToggleWindow)).await;
    harness.drain().await;
    assert_eq!(harness.calls(), [Call::Show, Call::Hide]);
}

#[tokio::test]
async fn the_shell_does_what_it_is_asked_and_nothing_else() {
    let harness = Harness::running().await;
    assert!(harness.perform(ShellAction::SetAutostart { on: true }).await.unwrap().autostart);
    harness.perform(ShellAction::Copy { text: "127.0.0.1:5432".into() }).await.unwrap();
    harness.perform(ShellAction::OpenUrl { url: "http://127.0.0.1:8888/lab".into() }).await.unwrap();
    let refused = harness.perform(ShellAction::OpenUrl { url: "file:///etc/passwd".into() }).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
    harness.perform(ShellAction::Pin { on: true }).await.unwrap();
    harness.perform(ShellAction::ShowLogs).await.unwrap();
    let expected = [
        Call::Autostart(true),
        Call::Copy("127.0.0.1:5432".into()),
        Call::OpenUrl("http://127.0.0.1:8888/lab".into()),
        Call::Pin(true),
        Call::ShowLogs,
    ];
    assert_eq!(harness.calls(), expected);
}

#[tokio::test]
async fn the_person_says_where_a_file_is_written() {
    let harness = Harness::running().await;
    assert_eq!(harness.save_as("backup.postern").await, Ok(None), "they changed their mind");
    *harness.desktop.save_path.lock().unwrap() = Some("/media/stick/mine.postern".into());
    assert_eq!(harness.save_as("backup.postern").await, Ok(Some("/media/stick/mine.postern".into())));
    assert_eq!(harness.calls(), [Call::SaveAs("backup.postern".into()), Call::SaveAs("backup.postern".into())]);
    for no_file in ["", "..", "/etc/passwd", "a/b"] {
        assert_eq!(harness.save_as(no_file).await.unwrap_err().code, Code::Invalid, "{no_file}");
    }
    assert_eq!(harness.calls().len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_whose_name_is_no_text_is_refused() {
    let harness = Harness::running().await;
    let name = std::os::unix::ffi::OsStringExt::from_vec(b"/tmp/\xff".to_vec());
    *harness.desktop.save_path.lock().unwrap() = Some(std::ffi::OsString::into(name));
    assert_eq!(harness.save_as("backup.postern").await.unwrap_err().code, Code::Invalid);
}

#[tokio::test]
async fn diagnostics_name_nobody() {
    let harness = Harness::running().await;
    let hub = HubView { address: "hub.example:4000".into(), link: LinkState::Up, identifier: None };
    let inlet = postern_engine::model::InletView {
        id: InletId([2; 16]),
        owner: configured_snapshot().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_verified: true,
        name: "Database".into(),
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        description: None,
        port: 5432,
        address: "127.0.0.1:5432".into(),
        url: None,
        on: true,
        link: InletLink::Down { fault: Fault::new(Code::OwnerOffline, "Bob is offline."), since: UnixMillis(0) },
        live: 0,
        expires: None,
    };
    let snapshot =
        Snapshot { hubs: vec![hub], services: vec![service(true)], inlets: vec![inlet], ..configured_snapshot() };
    harness.engine.snapshot.send_replace(Arc::new(snapshot));
    harness.drain().await;
    harness.perform(ShellAction::CopyDiagnostics).await.unwrap();
    let Call::Copy(text) = harness.wait_for(|call| matches!(call, Call::Copy(_))).await else { unreachable!() };
    assert!(text.contains("portals: owner-offline") && text.contains("hubs: up"), "{text}");
    for private in ["Ann", "Bob", "Notes", "Database", "hub.example", "5432", "8000"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test]
async fn after_a_sleep_everything_is_tried_again_at_once() {
    let harness = Harness::running().await;
    harness.send(Input::ConnectivityRestored).await;
    harness.drain().await;
    assert_eq!(harness.requests(), [Request::Retry]);
}

#[tokio::test]
async fn what_is_asked_before_the_engine_has_started_waits_for_it() {
    let harness = Harness::start(None, true, None);
    let (answer, answered) = oneshot::channel();
    harness.send(Input::Command(Command::Request(Box::new(Request::Ports), answer))).await;
    assert_eq!(answered.await.unwrap(), Ok(Answer::Done));
    assert_eq!(harness.requests(), [Request::Ports]);
}

#[tokio::test]
async fn quitting_ends_the_engine_first() {
    let harness = Harness::running().await;
    harness.send(Input::Tray(TrayAction::Quit)).await;
    harness.wait_for(|call| *call == Call::Quit).await;
    assert!(*harness.engine.ended.borrow());
}
