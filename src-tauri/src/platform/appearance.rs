//! Whether the panel that holds the tray is dark.
//!
//! No desktop says so. GNOME's panel is dark whatever its windows are; elsewhere the panel goes with the preferred colour
//! scheme, which the settings portal tells and announces.

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::Connection;
use zbus::zvariant::{OwnedValue, Value};

use crate::tray::Shade;

const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";
const PREFERS_LIGHT: u32 = 2;

#[zbus::proxy(
    interface = "org.freedesktop.portal.Settings",
    default_service = "org.freedesktop.portal.Desktop",
    default_path = "/org/freedesktop/portal/desktop"
)]
trait Settings {
    fn read(&self, namespace: &str, key: &str) -> zbus::Result<OwnedValue>;
    #[zbus(signal)]
    fn setting_changed(&self, namespace: String, key: String, value: OwnedValue) -> zbus::Result<()>;
}

/// The shade for the panel as it is, and every later change.
pub(crate) async fn follow() -> (Shade, mpsc::Receiver<Shade>) {
    let (changes, changed) = mpsc::channel(1);
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    if desktop.split(':').any(|name| matches!(name, "GNOME" | "Unity" | "pop")) {
        return (Shade::ForDark, changed);
    }
    let Ok(settings) = open().await else {
        return (Shade::ForDark, changed);
    };
    let now = settings.read(NAMESPACE, KEY).await.map_or(Shade::ForDark, |value| shade(&value));
    tokio::spawn(async move {
        let Ok(mut signals) = settings.receive_setting_changed().await else {
            return;
        };
        while let Some(signal) = signals.next().await {
            let Ok(arguments) = signal.args() else {
                continue;
            };
            if arguments.namespace == NAMESPACE
                && arguments.key == KEY
                && changes.send(shade(&arguments.value)).await.is_err()
            {
                return;
            }
        }
    });
    (now, changed)
}

async fn open() -> zbus::Result<SettingsProxy<'static>> {
    SettingsProxy::new(&Connection::session().await?).await
}

/// The portal wraps the number once or twice, by version.
fn shade(value: &Value<'_>) -> Shade {
    match value {
        Value::Value(inner) => shade(inner),
        Value::U32(PREFERS_LIGHT) => Shade::ForLight,
        _ => Shade::ForDark,
    }
}
