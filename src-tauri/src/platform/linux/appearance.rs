//! Whether the panel that holds the tray is dark, and whether windows are.
//!
//! No desktop says so. GNOME's panel is dark whatever its windows are; elsewhere the panel goes with the preferred colour
//! scheme, which the settings portal tells and announces.

use futures_util::StreamExt;
use gtk::prelude::GtkSettingsExt;
use tokio::sync::mpsc;
use zbus::Connection;
use zbus::zvariant::{OwnedValue, Value};

use crate::tray::PanelTheme;

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

/// The shade for the panel as it is, if the desktop says so, and every later change. Nobody waits for a desktop that is slow
/// to say: what is not known yet is shown as for a dark panel.
pub(crate) fn watch_panel_theme() -> mpsc::Receiver<PanelTheme> {
    let (changes, changed) = mpsc::channel(1);
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    if !desktop.split(':').any(|name| matches!(name, "GNOME" | "Unity" | "pop")) {
        tokio::spawn(async move {
            // Without a portal it stays as it is.
            let _ = forward_changes(changes).await;
        });
    }
    changed
}

/// Whether windows are dark, by what the window's page goes by too: the toolkit's theme. Only on the main thread.
pub(crate) fn windows_are_dark() -> bool {
    let is_dark = |theme: &str| theme.to_ascii_lowercase().ends_with("dark");
    if let Ok(theme) = std::env::var("GTK_THEME") {
        return is_dark(&theme);
    }
    gtk::Settings::default().is_some_and(|settings| {
        settings.is_gtk_application_prefer_dark_theme() || settings.gtk_theme_name().is_some_and(|it| is_dark(&it))
    })
}

/// Until nobody wants to know any more.
async fn forward_changes(changes: mpsc::Sender<PanelTheme>) -> zbus::Result<()> {
    let settings = settings_portal().await?;
    let mut signals = settings.receive_setting_changed().await?;
    let now = settings.read(NAMESPACE, KEY).await?;
    let mut sent = changes.send(panel_theme(&now)).await;
    while sent.is_ok()
        && let Some(signal) = signals.next().await
    {
        let arguments = signal.args()?;
        if arguments.namespace == NAMESPACE && arguments.key == KEY {
            sent = changes.send(panel_theme(&arguments.value)).await;
        }
    }
    Ok(())
}

async fn settings_portal() -> zbus::Result<SettingsProxy<'static>> {
    SettingsProxy::new(&Connection::session().await?).await
}

/// The portal wraps the number once or twice, by version.
fn panel_theme(value: &Value<'_>) -> PanelTheme {
    match value {
        Value::Value(inner) => panel_theme(inner),
        Value::U32(PREFERS_LIGHT) => PanelTheme::Light,
        _ => PanelTheme::Dark,
    }
}
