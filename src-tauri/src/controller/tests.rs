//! Stories of the controller, with a face that records and an engine that does as it is told: no display, no sleeps.

use std::sync::Mutex;

use postern_engine::api::{
    HubView, InletId, InletLink, InvitationId, InvitationPreview, LinkState, Me, Notice, ReceivedState, ReceivedView,
    ServiceId, ServiceKind, ServiceView, Snapshot, Status, Traffic, UnixMillis,
};
use tokio::sync::{broadcast, watch};

use super::*;
use crate::notification::Topic;

/// Nothing happens by time.
const PATIENT: Pace = Pace { kept: Duration::from_secs(3600), hub: Duration::from_secs(3600) };

/// What the face was asked, in order.
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
struct Recording {
    calls: Arc<Mutex<Vec<Call>>>,
    autostart: bool,
    /// Where everything is written.
    writes_to: Arc<Mutex<Option<PathBuf>>>,
}

impl Recording {
    fn record(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Face for Recording {
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
        answer.send(self.writes_to.lock().unwrap().clone()).unwrap();
    }
    fn quit(&mut self) {
        self.record(Call::Quit);
    }
}

/// An engine whose every answer is in the test's hand.
#[derive(Clone)]
struct Puppet {
    snapshot: watch::Sender<Arc<Snapshot>>,
    traffic: watch::Sender<Arc<Traffic>>,
    notices: broadcast::Sender<Notice>,
    asked: Arc<Mutex<Vec<Request>>>,
    answer: Arc<Mutex<Result<Answer, Fault>>>,
    ended: watch::Sender<bool>,
}

impl Engine for Puppet {
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
        self.asked.lock().unwrap().push(request);
        self.answer.lock().unwrap().clone()
    }
    async fn shutdown(&self) {
        self.ended.send_replace(true);
    }
}

/// Starts the puppet, or fails with what is in it.
struct Starts {
    fault: Arc<Mutex<Option<Fault>>>,
    puppet: Puppet,
}

impl Start for Starts {
    type Engine = Puppet;
    async fn start(&self) -> Result<Puppet, Fault> {
        match self.fault.lock().unwrap().clone() {
            Some(fault) => Err(fault),
            None => Ok(self.puppet.clone()),
        }
    }
}

struct Stage {
    inputs: mpsc::Sender<Input>,
    face: Recording,
    puppet: Puppet,
    fault: Arc<Mutex<Option<Fault>>>,
    _data: tempfile::TempDir,
}

impl Stage {
    fn set(fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        Self::at(PATIENT, fault, hidden, link)
    }

    fn at(pace: Pace, fault: Option<Fault>, hidden: bool, link: Option<&str>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let (inputs, heard) = mpsc::channel(16);
        let face = Recording::default();
        let puppet = Puppet {
            snapshot: watch::Sender::new(Arc::new(set_up())),
            traffic: watch::Sender::default(),
            notices: broadcast::Sender::new(16),
            asked: Arc::default(),
            answer: Arc::new(Mutex::new(Ok(Answer::Done))),
            ended: watch::Sender::new(false),
        };
        let fault = Arc::new(Mutex::new(fault));
        let options = Options {
            hidden,
            link: link.map(Secret::new),
            data_dir: data.path().into(),
            log_file: data.path().join("logs/postern.log"),
            pace,
        };
        let starts = Starts { fault: Arc::clone(&fault), puppet: puppet.clone() };
        tokio::spawn(Controller::new(face.clone(), starts, options, heard).run());
        Self { inputs, face, puppet, fault, _data: data }
    }

    async fn running() -> Self {
        let stage = Self::set(None, true, None);
        stage.runs().await;
        stage
    }

    async fn runs(&self) {
        self.until(|call| matches!(call, Call::Emit(Event::Shell))).await;
        self.settle().await;
        self.forget();
    }

    async fn send(&self, input: Input) {
        self.inputs.send(input).await.unwrap();
    }

    /// Waits for a call and gives it.
    async fn until(&self, wanted: impl Fn(&Call) -> bool) -> Call {
        for _ in 0..10_000 {
            if let Some(call) = self.calls().into_iter().find(&wanted) {
                return call;
            }
            tokio::task::yield_now().await;
        }
        panic!("it never came: {:#?}", self.calls());
    }

    /// Lets everything that is on its way arrive: one question more than anybody has is answered behind it.
    async fn settle(&self) {
        for _ in 0..4 {
            self.shell_state().await;
            tokio::task::yield_now().await;
        }
    }

    fn calls(&self) -> Vec<Call> {
        self.face.calls.lock().unwrap().clone()
    }

    fn forget(&self) {
        self.face.calls.lock().unwrap().clear();
    }

    fn asked(&self) -> Vec<Request> {
        self.puppet.asked.lock().unwrap().clone()
    }

    async fn shell_state(&self) -> ShellState {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Ask(Ask::Shell(answer))).await;
        answered.await.unwrap()
    }

    async fn act(&self, action: ShellAction) -> Result<ShellState, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Ask(Ask::Act(action, answer))).await;
        answered.await.unwrap()
    }

    async fn save_as(&self, name: &str) -> Result<Option<String>, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Ask(Ask::SaveAs(name.into(), answer))).await;
        answered.await.unwrap()
    }

    async fn page_listens(&self) -> Result<Seen, Fault> {
        let (answer, answered) = oneshot::channel();
        self.send(Input::Ask(Ask::Seen(answer))).await;
        answered.await.unwrap()
    }

    async fn tell(&self, notice: Notice) {
        self.puppet.notices.send(notice).unwrap();
        self.settle().await;
    }

    fn notified(&self) -> Vec<String> {
        let notified = self.calls().into_iter().filter_map(|call| match call {
            Call::Notify(notification) => Some(notification.title),
            _ => None,
        });
        notified.collect()
    }
}

fn set_up() -> Snapshot {
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
        owner: set_up().me.unwrap().identifier,
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
    let stage = Stage::set(None, true, None);
    stage.until(|call| matches!(call, Call::Emit(Event::Shell))).await;
    stage.settle().await;
    assert!(!stage.calls().contains(&Call::Show));
    let trays: Vec<_> = stage.calls().into_iter().filter(|call| matches!(call, Call::Tray(_))).collect();
    let expected = [Shown::Starting, Shown::Running(&set_up())].map(|shown| Call::Tray(Tray::of(shown)));
    assert_eq!(trays, expected);
}

#[tokio::test]
async fn the_tray_is_told_only_what_is_new() {
    let stage = Stage::running().await;
    stage.puppet.snapshot.send_replace(Arc::new(Snapshot { troubles: vec![locked()], ..set_up() }));
    stage.settle().await;
    stage.puppet.traffic.send_replace(Arc::default());
    stage.settle().await;
    assert!(!stage.calls().iter().any(|call| matches!(call, Call::Tray(_))), "{:?}", stage.calls());

    let changed = Snapshot { services: vec![service(true)], ..set_up() };
    stage.puppet.snapshot.send_replace(Arc::new(changed.clone()));
    stage.settle().await;
    let last = stage.calls().into_iter().rfind(|call| matches!(call, Call::Tray(_)));
    assert_eq!(last, Some(Call::Tray(Tray::of(Shown::Running(&changed)))));
}

#[tokio::test]
async fn a_click_in_the_menu_is_a_request() {
    let stage = Stage::running().await;
    let request = Request::SetService { service: ServiceId([1; 16]), on: false };
    stage.send(Input::Click(Click::Ask(request.clone()))).await;
    stage.settle().await;
    assert_eq!(stage.asked(), [request]);
    assert_eq!(stage.notified(), [""; 0]);
}

#[tokio::test]
async fn what_was_refused_is_told() {
    let stage = Stage::running().await;
    *stage.puppet.answer.lock().unwrap() = Err(Fault::new(Code::PortTaken, "Port 5432 is taken. Choose another."));
    let accept = Request::Accept { invitation: InvitationId([5; 16]), port: None };
    stage.send(Input::Press(Press::Button(accept.clone()))).await;
    let Call::Notify(told) = stage.until(|call| matches!(call, Call::Notify(_))).await else { unreachable!() };
    assert_eq!((told.title.as_str(), told.body.as_str()), ("That did not work", "Port 5432 is taken. Choose another."));
    assert_eq!(stage.asked(), [accept]);
}

#[tokio::test]
async fn a_link_opens_the_invitation_and_accepts_nothing() {
    let stage = Stage::running().await;
    let preview = InvitationPreview {
        invitation: InvitationId([5; 16]),
        owner: set_up().me.unwrap().identifier,
        owner_name: "Bob".into(),
        owner_known: false,
        words: None,
        service_name: "Database".into(),
        kind: ServiceKind::Tcp,
        port: 5432,
        expires: UnixMillis(0),
        fault: None,
    };
    *stage.puppet.answer.lock().unwrap() = Ok(Answer::Preview { preview });
    let link = Secret::new("postern://join/x");
    stage.send(Input::Open(link.clone())).await;
    stage.settle().await;
    assert_eq!(stage.asked(), [Request::Open { link }]);
    assert!(stage.calls().contains(&Call::Show));
    // The page does not listen yet: nothing is said to it that it would miss.
    assert!(!stage.calls().iter().any(|call| matches!(call, Call::Emit(Event::Navigate(_)))));
    stage.page_listens().await.unwrap();
    let to = Navigate::from(View::Invitation(InvitationId([5; 16])));
    stage.until(|call| *call == Call::Emit(Event::Navigate(to.clone()))).await;
}

#[tokio::test]
async fn a_link_waits_for_the_person_to_set_up() {
    let stage = Stage::set(None, true, Some("postern://join/x"));
    stage.puppet.snapshot.send_replace(Arc::default());
    stage.until(|call| *call == Call::Emit(Event::Shell)).await;
    stage.settle().await;
    assert!(stage.calls().contains(&Call::Show));
    stage.puppet.snapshot.send_replace(Arc::new(set_up()));
    stage.settle().await;
    assert_eq!(stage.asked(), [Request::Open { link: Secret::new("postern://join/x") }]);
}

#[tokio::test]
async fn a_bad_link_is_told_where_it_would_have_been_shown() {
    let stage = Stage::running().await;
    let fault = Fault::new(Code::BadTicket, "This is not an invitation.");
    *stage.puppet.answer.lock().unwrap() = Err(fault.clone());
    stage.page_listens().await.unwrap();
    for link in ["postern://join/broken".to_owned(), "x".repeat(LONGEST_LINK + 1)] {
        stage.forget();
        stage.send(Input::Open(Secret::new(link))).await;
        stage.settle().await;
        let told = stage.until(|call| matches!(call, Call::Notify(_))).await;
        assert!(matches!(told, Call::Notify(note) if note.title == "This link cannot be used"));
    }
    assert_eq!(stage.asked().len(), 1, "what is too long is not even read");
}

#[tokio::test]
async fn a_start_that_failed_is_shown_and_can_be_tried_again() {
    let stage = Stage::set(Some(locked()), true, None);
    stage.until(|call| *call == Call::Emit(Event::Shell)).await;
    assert_eq!(stage.notified(), ["Postern could not start"]);
    assert_eq!(stage.shell_state().await.fault, Some(locked()));
    stage.until(|call| *call == Call::Tray(Tray::of(Shown::Failed(&locked())))).await;
    let (answer, answered) = oneshot::channel();
    stage.send(Input::Ask(Ask::Request(Box::new(Request::Retry), answer))).await;
    assert_eq!(answered.await.unwrap(), Err(locked()));

    assert_eq!(stage.page_listens().await.unwrap_err(), locked());
    assert_eq!(stage.act(ShellAction::RetryStart).await, Err(locked()));

    *stage.fault.lock().unwrap() = None;
    assert_eq!(stage.act(ShellAction::RetryStart).await.unwrap().fault, None);
    stage.until(|call| *call == Call::Tray(Tray::of(Shown::Running(&set_up())))).await;
    assert_eq!(stage.shell_state().await.fault, None);
}

#[tokio::test]
async fn nothing_is_notified_that_the_focused_window_shows() {
    let stage = Stage::running().await;
    let notice = Notice::Joined { service: ServiceId([1; 16]), from: "Bob".into(), name: "Notes".into() };
    stage.send(Input::Click(Click::Icon)).await;
    stage.send(Input::Window(WindowEvent::Focused(true))).await;
    stage.settle().await;
    stage.tell(notice.clone()).await;
    assert_eq!(stage.notified(), [""; 0]);
    assert!(stage.calls().contains(&Call::Emit(Event::Notice(notice.clone()))));

    stage.send(Input::Window(WindowEvent::Focused(false))).await;
    stage.settle().await;
    stage.tell(notice.clone()).await;
    assert_eq!(stage.notified(), ["Bob joined"]);

    stage.act(ShellAction::SetNotifications { on: false }).await.unwrap();
    stage.tell(notice).await;
    assert_eq!(stage.notified(), ["Bob joined"]);
}

#[tokio::test]
async fn an_invitation_answered_elsewhere_takes_its_notification_along() {
    let stage = Stage::running().await;
    stage.puppet.snapshot.send_replace(Arc::new(Snapshot { invitations: vec![invitation()], ..set_up() }));
    stage.settle().await;
    assert!(!stage.calls().iter().any(|call| matches!(call, Call::Withdraw(_))));
    let accepting = ReceivedView { state: ReceivedState::Accepting { fault: None }, ..invitation() };
    stage.puppet.snapshot.send_replace(Arc::new(Snapshot { invitations: vec![accepting], ..set_up() }));
    stage.settle().await;
    assert!(stage.calls().contains(&Call::Withdraw(Topic::Invitation(InvitationId([5; 16])))));
}

#[tokio::test]
async fn a_hub_that_comes_and_goes_is_told_of_now_and_then() {
    let stage = Stage::running().await;
    let back = Notice::HubBack { address: "hub:1".into() };
    for _ in 0..3 {
        stage.tell(hub_lost()).await;
    }
    stage.tell(back.clone()).await;
    stage.tell(hub_lost()).await;
    assert_eq!(stage.notified(), ["hub:1 was lost", "hub:1 is back"]);
}

#[tokio::test]
async fn a_hub_lost_long_after_is_told_of_again() {
    let stage = Stage::at(Pace { hub: Duration::ZERO, ..PATIENT }, None, true, None);
    stage.runs().await;
    stage.tell(hub_lost()).await;
    stage.tell(hub_lost()).await;
    assert_eq!(stage.notified(), ["hub:1 was lost", "hub:1 was lost"]);
}

#[tokio::test]
async fn a_window_is_kept_for_a_while() {
    let stage = Stage::running().await;
    stage.send(Input::Click(Click::Icon)).await;
    stage.send(Input::Window(WindowEvent::Focused(true))).await;
    stage.settle().await;
    stage.send(Input::Window(WindowEvent::CloseRequested)).await;
    stage.settle().await;
    stage.send(Input::Raise).await;
    stage.settle().await;
    assert_eq!(stage.calls(), [Call::Show, Call::Hide, Call::Show]);
}

#[tokio::test]
async fn a_window_hidden_for_long_is_destroyed() {
    let stage = Stage::at(Pace { kept: Duration::ZERO, ..PATIENT }, None, true, None);
    stage.runs().await;
    stage.send(Input::Click(Click::Icon)).await;
    stage.act(ShellAction::Hide).await.unwrap();
    stage.until(|call| *call == Call::Destroy).await;
    // Made anew, its page has to listen anew.
    stage.forget();
    stage.send(Input::Click(Click::Show(View::Settings))).await;
    stage.settle().await;
    assert_eq!(stage.calls(), [Call::Show]);
    stage.page_listens().await.unwrap();
    stage.until(|call| *call == Call::Emit(Event::Navigate(View::Settings.into()))).await;
}

#[tokio::test]
async fn a_click_on_the_icon_shows_and_hides() {
    let stage = Stage::running().await;
    stage.send(Input::Click(Click::Icon)).await;
    stage.send(Input::Window(WindowEvent::Focused(true))).await;
    stage.send(Input::Click(Click::Icon)).await;
    stage.settle().await;
    assert_eq!(stage.calls(), [Call::Show, Call::Hide]);
}

#[tokio::test]
async fn the_shell_does_what_it_is_asked_and_nothing_else() {
    let stage = Stage::running().await;
    assert!(stage.act(ShellAction::SetAutostart { on: true }).await.unwrap().autostart);
    stage.act(ShellAction::Copy { text: "127.0.0.1:5432".into() }).await.unwrap();
    stage.act(ShellAction::OpenUrl { url: "http://127.0.0.1:8888/lab".into() }).await.unwrap();
    let refused = stage.act(ShellAction::OpenUrl { url: "file:///etc/passwd".into() }).await;
    assert_eq!(refused.unwrap_err().code, Code::Invalid);
    stage.act(ShellAction::Pin { on: true }).await.unwrap();
    stage.act(ShellAction::ShowLogs).await.unwrap();
    let expected = [
        Call::Autostart(true),
        Call::Copy("127.0.0.1:5432".into()),
        Call::OpenUrl("http://127.0.0.1:8888/lab".into()),
        Call::Pin(true),
        Call::ShowLogs,
    ];
    assert_eq!(stage.calls(), expected);
}

#[tokio::test]
async fn the_person_says_where_a_file_is_written() {
    let stage = Stage::running().await;
    assert_eq!(stage.save_as("backup.postern").await, Ok(None), "they changed their mind");
    *stage.face.writes_to.lock().unwrap() = Some("/media/stick/mine.postern".into());
    assert_eq!(stage.save_as("backup.postern").await, Ok(Some("/media/stick/mine.postern".into())));
    assert_eq!(stage.calls(), [Call::SaveAs("backup.postern".into()), Call::SaveAs("backup.postern".into())]);
    for no_file in ["", "..", "/etc/passwd", "a/b"] {
        assert_eq!(stage.save_as(no_file).await.unwrap_err().code, Code::Invalid, "{no_file}");
    }
    assert_eq!(stage.calls().len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_whose_name_is_no_text_is_refused() {
    let stage = Stage::running().await;
    let name = std::os::unix::ffi::OsStringExt::from_vec(b"/tmp/\xff".to_vec());
    *stage.face.writes_to.lock().unwrap() = Some(std::ffi::OsString::into(name));
    assert_eq!(stage.save_as("backup.postern").await.unwrap_err().code, Code::Invalid);
}

#[tokio::test]
async fn diagnostics_name_nobody() {
    let stage = Stage::running().await;
    let hub = HubView { address: "hub.example:4000".into(), link: LinkState::Up, identifier: None };
    let inlet = postern_engine::api::InletView {
        id: InletId([2; 16]),
        owner: set_up().me.unwrap().identifier,
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
    let shown = Snapshot { hubs: vec![hub], services: vec![service(true)], inlets: vec![inlet], ..set_up() };
    stage.puppet.snapshot.send_replace(Arc::new(shown));
    stage.settle().await;
    stage.act(ShellAction::CopyDiagnostics).await.unwrap();
    let Call::Copy(text) = stage.until(|call| matches!(call, Call::Copy(_))).await else { unreachable!() };
    assert!(text.contains("portals: owner-offline") && text.contains("hubs: up"), "{text}");
    for private in ["Ann", "Bob", "Notes", "Database", "hub.example", "5432", "8000"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test]
async fn after_a_sleep_everything_is_tried_again_at_once() {
    let stage = Stage::running().await;
    stage.send(Input::Woken).await;
    stage.settle().await;
    assert_eq!(stage.asked(), [Request::Retry]);
}

#[tokio::test]
async fn what_is_asked_before_the_engine_has_started_waits_for_it() {
    let stage = Stage::set(None, true, None);
    let (answer, answered) = oneshot::channel();
    stage.send(Input::Ask(Ask::Request(Box::new(Request::Ports), answer))).await;
    assert_eq!(answered.await.unwrap(), Ok(Answer::Done));
    assert_eq!(stage.asked(), [Request::Ports]);
}

#[tokio::test]
async fn quitting_ends_the_engine_first() {
    let stage = Stage::running().await;
    stage.send(Input::Click(Click::Quit)).await;
    stage.until(|call| *call == Call::Quit).await;
    assert!(*stage.puppet.ended.borrow());
}
