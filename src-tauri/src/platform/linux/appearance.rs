//! Whether the desktop's panel is dark, and whether windows are.
//!
//! There is no interface for the panel. GNOME's is always dark; on other desktops it follows the preferred colour scheme,
//! which the settings portal provides.

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

/// The panel's theme and every later change, as far as it is known. The caller assumes a dark panel until the first value
/// arrives, so a slow portal delays nothing.
pub(crate) fn watch_panel_theme() -> mpsc::Receiver<PanelTheme> {
    let (changes, changed) = mpsc::channel(1);
    let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    if !desktop.split(':').any(|name| matches!(name, "GNOME" | "Unity" | "pop")) {
        tokio::spawn(async move {
            // Without a portal the theme stays unknown.
            let _ = forward_changes(changes).await;
        });
    }
    changed
}

/// Whether windows are dark, by the toolkit's theme, which also decides the page's colour scheme. Main thread only.
pub(crate) fn windows_are_dark() -> bool {
    let is_dark = |theme: &str| theme.to_ascii_lowercase().ends_with("dark");
    if let Ok(theme) = std::env::var("GTK_THEME") {
        return is_dark(&theme);
    }
    gtk::Settings::default().is_some_and(|settings| {
        settings.is_gtk_application_prefer_dark_theme() || settings.gtk_theme_name().is_some_and(|it| is_dark(&it))
    })
}

/// Forwards changes until the receiver is dropped.
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

/// The portal wraps the value in one or two variants, depending on its version.
fn panel_theme(value: &Value<'_>) -> PanelTheme {
    match value {
        Value::Value(inner) => panel_theme(inner),
        Value::U32(PREFERS_LIGHT) => PanelTheme::Light,
        _ => PanelTheme::Dark,
    }
}
