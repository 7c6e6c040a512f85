//! Notifications on Linux: `org.freedesktop.Notifications` on the session bus.
//!
//! One task holds one connection, hears what is pressed before anything is shown, and remembers what each
//! notification means. Without a bus or a server nothing is shown, which is only logged.

use std::collections::HashMap;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tracing::{debug, warn};
use zbus::Connection;
use zbus::zvariant::Value;

use super::{Notification, Press, Topic};
use crate::controller::Input;
use crate::text::escape_markup;

/// The key of a click on the notification itself, as the specification has it.
const DEFAULT: &str = "default";
/// How long it is shown: as the server likes, or until it was answered.
const AS_LIKED: i32 = -1;
const FOR_EVER: i32 = 0;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[expect(clippy::too_many_arguments, reason = "the specification has so many")]
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

/// The end of the channel through which notifications are asked for.
pub struct Backend {
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Show(Notification),
    Withdraw(Topic),
}

impl Backend {
    /// Must be called on the runtime.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (orders, mut waiting) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(order) = waiting.recv().await {
                if let Err(error) = serve(order, &mut waiting, &inputs).await {
                    warn!("notifications are not shown: {error}");
                }
            }
        });
        Self { orders }
    }

    /// Shows a notification.
    pub fn show(&mut self, notification: Notification) {
        // The task ends with the runtime.
        let _ = self.orders.send(Order::Show(notification));
    }

    /// Takes one away.
    pub fn withdraw(&mut self, topic: Topic) {
        let _ = self.orders.send(Order::Withdraw(topic));
    }
}

/// What is on the screen.
#[derive(Default)]
struct Shown {
    by_id: HashMap<u32, Notification>,
}

impl Shown {
    fn on(&self, topic: &Topic) -> Option<u32> {
        let found = self.by_id.iter().find(|(_, notification)| notification.topic == *topic);
        found.map(|(id, _)| *id)
    }

    /// What was meant by pressing `key` on one of ours.
    fn pressed(&self, id: u32, key: &str) -> Option<Press> {
        let notification = self.by_id.get(&id)?;
        if key == DEFAULT {
            return Some(Press::Body(notification.opens));
        }
        let button = notification.buttons.get(key.parse::<usize>().ok()?)?;
        Some(Press::Button(button.asks.clone()))
    }
}

/// Serves orders over one connection until that fails.
async fn serve(
    first: Order,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    inputs: &mpsc::Sender<Input>,
) -> zbus::Result<()> {
    let server = NotificationsProxy::new(&Connection::session().await?).await?;
    let (mut pressed, mut closed) =
        (server.receive_action_invoked().await?, server.receive_notification_closed().await?);
    let mut shown = Shown::default();
    carry_out(first, &server, &mut shown).await?;
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => carry_out(order, &server, &mut shown).await?,
                None => return Ok(()),
            },
            Some(signal) = pressed.next() => {
                let arguments = signal.args()?;
                let press = shown.pressed(arguments.id, &arguments.action_key);
                debug!(ours = press.is_some(), "a notification was pressed");
                if let Some(press) = press {
                    // Many servers leave an answered one where it is.
                    close(&server, arguments.id).await;
                    shown.by_id.remove(&arguments.id);
                    // If nobody hears it, the program is quitting.
                    let _ = inputs.send(Input::Press(press)).await;
                }
            }
            Some(signal) = closed.next() => {
                shown.by_id.remove(&signal.args()?.id);
            }
        }
    }
}

async fn carry_out(order: Order, server: &NotificationsProxy<'_>, shown: &mut Shown) -> zbus::Result<()> {
    match order {
        Order::Withdraw(topic) => {
            if let Some(id) = shown.on(&topic) {
                shown.by_id.remove(&id);
                close(server, id).await;
            }
        }
        Order::Show(notification) => {
            let id = show(&notification, server, shown.on(&notification.topic)).await?;
            shown.by_id.insert(id, notification);
        }
    }
    Ok(())
}

async fn show(
    notification: &Notification,
    server: &NotificationsProxy<'_>,
    replaced: Option<u32>,
) -> zbus::Result<u32> {
    let can = server.get_capabilities().await?;
    let has = |what: &str| can.iter().any(|capability| capability == what);
    let body = match has("body-markup") {
        true => escape_markup(&notification.body),
        false => notification.body.clone(),
    };
    let keys: Vec<String> = (0..notification.buttons.len()).map(|place| place.to_string()).collect();
    let mut actions = Vec::new();
    if has("actions") {
        actions.extend([DEFAULT, "Open Postern"]);
        for (key, button) in keys.iter().zip(&notification.buttons) {
            actions.extend([key.as_str(), button.label]);
        }
    }
    let hints = HashMap::from([("desktop-entry", Value::from(crate::APP_ID)), ("urgency", Value::from(1_u8))]);
    let lasts = if notification.stays { FOR_EVER } else { AS_LIKED };
    let replaced = replaced.unwrap_or_default();
    server.notify("Postern", replaced, crate::APP_ID, &notification.title, &body, &actions, hints, lasts).await
}

async fn close(server: &NotificationsProxy<'_>, id: u32) {
    if let Err(error) = server.close_notification(id).await {
        debug!("a notification was gone already: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::View;
    use postern_engine::api::{InvitationId, Notice, Request};

    #[test]
    fn a_press_means_what_was_shown_under_its_number() {
        let invitation = InvitationId([3; 16]);
        let notice = Notice::Invited { invitation, from: "Ann".into(), service: "Notes".into() };
        let notification = Notification::from(&notice);
        let shown = Shown { by_id: HashMap::from([(8, notification.clone())]) };
        assert_eq!(shown.on(&notification.topic), Some(8));
        let accept = Request::Accept { invitation, port: None };
        assert_eq!(shown.pressed(8, "0"), Some(Press::Button(accept)));
        assert_eq!(shown.pressed(8, "1"), Some(Press::Button(Request::Decline { invitation })));
        assert_eq!(shown.pressed(8, DEFAULT), Some(Press::Body(View::Invitation(invitation))));
        for (id, key) in [(8, "2"), (8, "x"), (8, "-1"), (9, "0")] {
            assert_eq!(shown.pressed(id, key), None, "{id} {key}");
        }
    }
}
