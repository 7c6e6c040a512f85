//! The desktop's notification server (`org.freedesktop.Notifications`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;
use zbus::{Connection, interface};

use postern_testkit::{TIMEOUT, eventually_async};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// A notification server with one program's notifications.
pub struct NotificationServer {
    connection: Connection,
    received: Received,
    answer: Answer,
}

type Received = Arc<Mutex<Vec<Notification>>>;
/// The key of the button that is pressed in the moment in which a notification is shown.
type Answer = Arc<Mutex<Option<&'static str>>>;

/// A notification, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its number.
    pub id: u32,
    /// Its first line.
    pub title: String,
    /// The rest, as markup.
    pub body: String,
    /// Keys and labels of its buttons.
    pub buttons: Vec<(String, String)>,
    /// Whether it is still on the screen.
    pub open: bool,
}

struct Interface(Received, Answer);

#[interface(name = "org.freedesktop.Notifications")]
impl Interface {
    #[expect(clippy::too_many_arguments, reason = "the specification has so many")]
    async fn notify(
        &self,
        _app_name: String,
        replaces: u32,
        _app_icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> u32 {
        let id = {
            let mut received = self.0.lock().unwrap();
            let buttons = actions.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            let id = match replaces {
                0 => u32::try_from(received.len()).unwrap() + 1,
                replaced => replaced,
            };
            for note in received.iter_mut().filter(|note| note.id == id) {
                note.open = false;
            }
            received.push(Notification { id, title, body, buttons, open: true });
            id
        };
        let answer = self.1.lock().unwrap().take();
        if let Some(key) = answer {
            Self::action_invoked(&emitter, id, key).await.unwrap();
        }
        id
    }

    async fn close_notification(&self, id: u32, #[zbus(signal_emitter)] emitter: SignalEmitter<'_>) {
        for note in self.0.lock().unwrap().iter_mut().filter(|note| note.id == id) {
            note.open = false;
        }
        Self::notification_closed(&emitter, id, 3).await.unwrap();
    }

    fn get_capabilities(&self) -> Vec<String> {
        ["actions", "body", "body-markup", "persistence"].map(Into::into).into()
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("postern-tests".into(), "postern".into(), "1".into(), "1.2".into())
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action_key: &str) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(emitter: &SignalEmitter<'_>, id: u32, reason: u32) -> zbus::Result<()>;
}

impl NotificationServer {
    /// Starts to serve on a bus.
    pub async fn open(bus: &Connection) -> Self {
        let (received, answer) = (Received::default(), Answer::default());
        bus.object_server().at(PATH, Interface(Arc::clone(&received), Arc::clone(&answer))).await.unwrap();
        bus.request_name(NAME).await.unwrap();
        Self { connection: bus.clone(), received, answer }
    }

    /// Everything that was ever shown, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Notification> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for a notification that is on the screen and whose title contains `title`.
    pub async fn wait_for_notification(&self, title: &str) -> Notification {
        let found = || async { self.all().into_iter().rfind(|note| note.open && note.title.contains(title)) };
        eventually_async(&format!("the notification {title:?}"), TIMEOUT, found).await
    }

    /// Presses the button with this key of the next notification in the moment in which it is shown.
    pub fn answer_next(&self, key: &'static str) {
        *self.answer.lock().unwrap() = Some(key);
    }

    /// Presses a button of a notification.
    pub async fn press(&self, note: &Notification, label: &str) {
        let button = note.buttons.iter().find(|(_, text)| text == label);
        let (key, _) = button.unwrap_or_else(|| panic!("{note:?} has no {label}"));
        let server = self.connection.object_server().interface::<_, Interface>(PATH).await.unwrap();
        Interface::action_invoked(server.signal_emitter(), note.id, key).await.unwrap();
    }
}
