//! The tray on Linux: a StatusNotifierItem on the session bus, so clicks, tooltip and icon are ours.
//!
//! A host may come late, go and come back; the item registers again each time. While there is none it is looked for as
//! well, since its coming can be missed. Without a bus there is no tray, which is only logged: the window serves for
//! everything.

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

/// The bus name of the desktop's part that hosts trays.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// How often a host is looked for while none is known.
const HOST_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The tray's end of the channel through which it is updates what to show.
pub struct Backend {
    displayed: watch::Sender<Option<Tray>>,
}

impl Backend {
    /// A tray that shows nothing until it is updates what. Must be called on the runtime.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (displayed, updates) = watch::channel(None);
        tokio::spawn(run(updates, inputs));
        Self { displayed }
    }

    /// Replaces what is displayed.
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
                warn!("there is no tray: {error}");
                None
            }
        };
        handle
    };
    let Some(mut handle) = register(displayed, theme).await else {
        return;
    };
    info!("the tray is there");
    loop {
        tokio::select! {
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
                info!("a host of trays has come unnoticed");
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

/// Waits until there is a host although none is known.
async fn host_appeared(host_changes: &mut watch::Receiver<bool>) {
    loop {
        // Its sender is with the item, or with who waits here.
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
    /// Whether a host has taken it.
    has_host: watch::Sender<bool>,
}

impl StatusItem {
    fn send(&self, action: TrayAction) {
        // Never waits: a controller that is so far behind has lost the person's patience anyway.
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
