//! Notifications on Linux: `org.freedesktop.Notifications` on the session bus.
//!
//! One task owns the connection, subscribes to responses before it shows anything, and maps the server's ids to
//! notifications. Without a bus or a server nothing is shown, which is only logged.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tracing::{debug, warn};
use zbus::Connection;
use zbus::zvariant::Value;

use super::{Notification, NotificationResponse, Topic};
use crate::controller::Input;
use crate::untrusted_text::escape_markup;

/// The action key of a click on the notification itself, as specified.
const DEFAULT_ACTION: &str = "default";
/// Values of `expire_timeout` in the specification: the server's default, and never (until the user responds).
const EXPIRE_SERVER_DEFAULT: i32 = -1;
const EXPIRE_NEVER: i32 = 0;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[expect(clippy::too_many_arguments, reason = "as specified")]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;
    fn close_notification(&self, id: u32) -> zbus::Result<()>;
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;
    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;
}

/// Sends notifications to the task that shows them.
pub struct Backend {
    commands: mpsc::UnboundedSender<BackendCommand>,
}

enum BackendCommand {
    Show(Notification),
    Withdraw(Topic),
}

impl Backend {
    /// Spawns the task; responses go to `inputs`. Must be called in the context of a Tokio runtime.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (commands, mut pending) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(command) = pending.recv().await {
                if let Err(error) = serve(command, &mut pending, &inputs).await {
                    warn!("failed to show a notification, reconnecting for the next one: {error}");
                }
            }
        });
        Self { commands }
    }

    /// Shows a notification.
    pub fn show(&mut self, notification: Notification) {
        // The task ends only with the runtime.
        let _ = self.commands.send(BackendCommand::Show(notification));
    }

    /// Closes the notification on a topic.
    pub fn withdraw(&mut self, topic: Topic) {
        let _ = self.commands.send(BackendCommand::Withdraw(topic));
    }
}

/// The notifications that are shown, by the server's id.
#[derive(Default)]
struct VisibleNotifications {
    by_id: HashMap<u32, Notification>,
}

impl VisibleNotifications {
    fn id_of(&self, topic: &Topic) -> Option<u32> {
        let found = self.by_id.iter().find(|(_, notification)| notification.topic == *topic);
        found.map(|(id, _)| *id)
    }

    /// The response that action `key` on notification `id` stands for, if it is one of ours.
    fn response(&self, id: u32, key: &str) -> Option<NotificationResponse> {
        let notification = self.by_id.get(&id)?;
        if key == DEFAULT_ACTION {
            return Some(NotificationResponse::Default(notification.default_view));
        }
        let action = notification.actions.get(key.parse::<usize>().ok()?)?;
        Some(NotificationResponse::Action(action.request.clone()))
    }
}

/// Executes commands over one connection until that fails.
async fn serve(
    first: BackendCommand,
    commands: &mut mpsc::UnboundedReceiver<BackendCommand>,
    inputs: &mpsc::Sender<Input>,
) -> zbus::Result<()> {
    let server = NotificationsProxy::new(&Connection::session().await?).await?;
    let (mut invoked, mut closed) =
        (server.receive_action_invoked().await?, server.receive_notification_closed().await?);
    let mut visible = VisibleNotifications::default();
    execute(first, &server, &mut visible).await?;
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(command) => execute(command, &server, &mut visible).await?,
                None => return Ok(()),
            },
            Some(signal) = invoked.next() => {
                let arguments = signal.args()?;
                let response = visible.response(arguments.id, &arguments.action_key);
                debug!(ours = response.is_some(), "a notification action was invoked");
                if let Some(response) = response {
                    // Many servers keep a persistent notification open after a response.
                    close(&server, arguments.id).await;
                    visible.by_id.remove(&arguments.id);
                    // Fails only when the program is quitting.
                    let _ = inputs.send(Input::Notification(response)).await;
                }
            }
            Some(signal) = closed.next() => {
                visible.by_id.remove(&signal.args()?.id);
            }
        }
    }
}

async fn execute(
    command: BackendCommand,
    server: &NotificationsProxy<'_>,
    visible: &mut VisibleNotifications,
) -> zbus::Result<()> {
    match command {
        BackendCommand::Withdraw(topic) => {
            if let Some(id) = visible.id_of(&topic) {
                visible.by_id.remove(&id);
                close(server, id).await;
            }
        }
        BackendCommand::Show(notification) => {
            let id = show(&notification, server, visible.id_of(&notification.topic)).await?;
            visible.by_id.insert(id, notification);
        }
    }
    Ok(())
}

async fn show(
    notification: &Notification,
    server: &NotificationsProxy<'_>,
    replaced: Option<u32>,
) -> zbus::Result<u32> {
    let capabilities = server.get_capabilities().await?;
    let has = |what: &str| capabilities.iter().any(|capability| capability == what);
    let body = match has("body-markup") {
        true => escape_markup(&notification.body),
        false => notification.body.clone(),
    };
    let keys: Vec<String> = (0..notification.actions.len()).map(|place| place.to_string()).collect();
    let mut actions = Vec::new();
    if has("actions") {
        actions.extend([DEFAULT_ACTION, "Open Postern"]);
        for (key, action) in keys.iter().zip(&notification.actions) {
            actions.extend([key.as_str(), action.label]);
        }
    }
    let hints = HashMap::from([("desktop-entry", Value::from(crate::APP_ID)), ("urgency", Value::from(1_u8))]);
    let expire_timeout = if notification.persistent { EXPIRE_NEVER } else { EXPIRE_SERVER_DEFAULT };
    let replaced = replaced.unwrap_or_default();
    server.notify("Postern", replaced, crate::APP_ID, &notification.title, &body, &actions, hints, expire_timeout).await
}

async fn close(server: &NotificationsProxy<'_>, id: u32) {
    if let Err(error) = server.close_notification(id).await {
        debug!("failed to close a notification, it is probably closed already: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop_integration::View;
    use postern_engine::api::{InvitationId, Notice, Request};

    #[test]
    fn a_response_is_resolved_by_the_servers_id() {
        let invitation = InvitationId([3; 16]);
        let notice = Notice::Invited { invitation, from: "Ann".into(), service: "Notes".into() };
        let notification = Notification::from(&notice);
        let visible = VisibleNotifications { by_id: HashMap::from([(8, notification.clone())]) };
        assert_eq!(visible.id_of(&notification.topic), Some(8));
        let accept = Request::Accept { invitation, port: None };
        assert_eq!(visible.response(8, "0"), Some(NotificationResponse::Action(accept)));
        assert_eq!(visible.response(8, "1"), Some(NotificationResponse::Action(Request::Decline { invitation })));
        assert_eq!(
            visible.response(8, DEFAULT_ACTION),
            Some(NotificationResponse::Default(View::Invitation(invitation)))
        );
        for (id, key) in [(8, "2"), (8, "x"), (8, "-1"), (9, "0")] {
            assert_eq!(visible.response(id, key), None, "{id} {key}");
        }
    }
}
