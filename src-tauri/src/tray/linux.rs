//! The tray on Linux: a StatusNotifierItem on the session bus, which lets the program control clicks, tooltip and icon.
//!
//! The host (the desktop's panel) may start late or restart; the item registers again each time. While no host is known
//! the bus is also polled for one, since the signal of its start can be missed. Without a bus there is no tray, which is
//! only logged: the window offers everything too.

use std::time::Duration;

use ksni::menu::{CheckmarkItem, StandardItem, SubMenu};
use ksni::{Handle, MenuItem, OfflineReason, ToolTip, TrayMethods};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use zbus::fdo::DBusProxy;

use super::icon_images::{self, PanelTheme};
use super::{Entry, Tray, TrayAction};
use crate::controller::Input;
use crate::untrusted_text::escape_mnemonic;

/// The well-known bus name of the host.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// How often the bus is polled while no host is known: rare enough to cost nothing, and a user waits for a panel no longer.
const HOST_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Sends the tray to the task that owns the D-Bus item.
pub struct Backend {
    displayed: watch::Sender<Option<Tray>>,
}

impl Backend {
    /// Spawns the task, which registers the item with the first tray it is sent. Must be called in the context of a Tokio
    /// runtime.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (displayed, updates) = watch::channel(None);
        tokio::spawn(run(updates, inputs));
        Self { displayed }
    }

    /// Replaces the displayed tray.
    pub fn show(&mut self, tray: &Tray) {
        self.displayed.send_replace(Some(tray.clone()));
    }
}

async fn run(mut updates: watch::Receiver<Option<Tray>>, inputs: mpsc::Sender<Input>) {
    let Ok(first) = updates.wait_for(Option::is_some).await.map(|displayed| displayed.clone()) else {
        return;
    };
    let Some(displayed) = first else {
        return;
    };
    let mut themes = crate::platform::appearance::watch_panel_theme();
    let mut theme = PanelTheme::Dark;
    let (has_host, mut host_changes) = watch::channel(true);
    let register = async |displayed, theme| {
        has_host.send_replace(true);
        let item = StatusItem { displayed, theme, inputs: inputs.clone(), has_host: has_host.clone() };
        let handle: Option<Handle<StatusItem>> = match item.assume_sni_available(true).spawn().await {
            Ok(handle) => Some(handle),
            Err(error) => {
                warn!("failed to register the tray icon, the window still works: {error}");
                None
            }
        };
        handle
    };
    let Some(mut handle) = register(displayed, theme).await else {
        report_host(&inputs, false).await;
        return;
    };
    let mut reports = has_host.subscribe();
    let shown = *reports.borrow_and_update();
    report_host(&inputs, shown).await;
    loop {
        tokio::select! {
            changed = reports.changed() => {
                // Fails only if the sender is dropped; it is kept here.
                if changed.is_err() {
                    break;
                }
                let shown = *reports.borrow_and_update();
                report_host(&inputs, shown).await;
            }
            changed = updates.changed() => {
                if changed.is_err() {
                    break;
                }
                let Some(tray) = updates.borrow_and_update().clone() else {
                    continue;
                };
                handle.update(|item| item.displayed = tray).await;
            }
            Some(new) = themes.recv() => {
                theme = new;
                handle.update(|item| item.theme = theme).await;
            }
            () = host_appeared(&mut host_changes) => {
                info!("found a tray host that did not announce itself; registering again");
                handle.shutdown().await;
                let Some(displayed) = updates.borrow().clone() else {
                    continue;
                };
                let Some(again) = register(displayed, theme).await else {
                    return;
                };
                handle = again;
            }
        }
    }
    handle.shutdown().await;
}

/// Says in the log and to the controller whether the desktop shows the icon.
async fn report_host(inputs: &mpsc::Sender<Input>, has_host: bool) {
    match has_host {
        true => info!("the desktop shows the tray icon"),
        false => info!("this desktop shows no tray icon; start Postern again to open its window"),
    }
    // Fails only while the program ends.
    let _ = inputs.send(Input::TrayHost(has_host)).await;
}

/// Resolves when a host is on the bus although none is known.
async fn host_appeared(host_changes: &mut watch::Receiver<bool>) {
    loop {
        // Fails only if the sender is dropped; the caller keeps one.
        let _ = host_changes.wait_for(|has_host| !has_host).await;
        tokio::time::sleep(HOST_POLL_INTERVAL).await;
        if !*host_changes.borrow() && host_is_running().await.unwrap_or(false) {
            return;
        }
    }
}

async fn host_is_running() -> zbus::Result<bool> {
    let bus = zbus::Connection::session().await?;
    Ok(DBusProxy::new(&bus).await?.name_has_owner(WATCHER.try_into()?).await?)
}

struct StatusItem {
    displayed: Tray,
    theme: PanelTheme,
    inputs: mpsc::Sender<Input>,
    /// Whether a host shows the item.
    has_host: watch::Sender<bool>,
}

impl StatusItem {
    fn send(&self, action: TrayAction) {
        // Never blocks the D-Bus connection: if the controller's queue is full, dropping a click is better.
        if let Err(error) = self.inputs.try_send(Input::Tray(action)) {
            warn!("a click in the tray was lost: {error}");
        }
    }
}

impl ksni::Tray for StatusItem {
    fn id(&self) -> String {
        "org.postern.app".into()
    }

    fn title(&self) -> String {
        "Postern".into()
    }

    fn watcher_online(&self) {
        self.has_host.send_replace(true);
    }

    fn watcher_offline(&self, _reason: OfflineReason) -> bool {
        self.has_host.send_replace(false);
        true
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.send(TrayAction::ToggleWindow);
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        let pictures = icon_images::images(self.displayed.icon, self.theme).into_iter();
        let icon = |image: tauri::image::Image<'static>| ksni::Icon {
            width: i32::try_from(image.width()).unwrap_or_default(),
            height: i32::try_from(image.height()).unwrap_or_default(),
            data: argb(image.rgba()),
        };
        pictures.map(icon).collect()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip { title: self.displayed.tooltip.clone(), ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.displayed.menu.entries.iter().map(item).collect()
    }
}

fn item(entry: &Entry) -> MenuItem<StatusItem> {
    match entry {
        Entry::Separator => MenuItem::Separator,
        Entry::Submenu { label, entries } => {
            SubMenu { label: escaped(label), submenu: entries.iter().map(item).collect(), ..SubMenu::default() }.into()
        }
        Entry::Item(entry) => {
            let (label, enabled, action) = (escaped(&entry.label), entry.action.is_some(), entry.action.clone());
            let activate = Box::new(move |tray: &mut StatusItem| {
                if let Some(action) = action.clone() {
                    tray.send(action);
                }
            });
            match entry.checked {
                Some(checked) => CheckmarkItem { label, enabled, checked, activate, ..CheckmarkItem::default() }.into(),
                None => StandardItem { label, enabled, activate, ..StandardItem::default() }.into(),
            }
        }
    }
}

fn escaped(label: &str) -> String {
    escape_mnemonic(label, '_')
}

/// The order of bytes that the bus wants: network order of 32 bits of ARGB.
fn argb(rgba: &[u8]) -> Vec<u8> {
    let mut argb = rgba.to_vec();
    for pixel in argb.chunks_exact_mut(4) {
        pixel.rotate_right(1);
    }
    argb
}
