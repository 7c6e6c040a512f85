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

use super::picture::{self, Shade};
use super::{Click, Entry, Tray};
use crate::controller::Input;
use crate::text::escape_mnemonic;

/// The bus name of the desktop's part that hosts trays.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";
/// How often a host is looked for while none is known.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The tray's end of the channel through which it is told what to show.
pub struct Backend {
    shown: watch::Sender<Option<Tray>>,
}

impl Backend {
    /// A tray that shows nothing until it is told what. Must be called on the runtime.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        let (shown, told) = watch::channel(None);
        tokio::spawn(keep(told, inputs));
        Self { shown }
    }

    /// Replaces what is shown.
    pub fn show(&mut self, tray: &Tray) {
        self.shown.send_replace(Some(tray.clone()));
    }
}

async fn keep(mut told: watch::Receiver<Option<Tray>>, inputs: mpsc::Sender<Input>) {
    let Ok(first) = told.wait_for(Option::is_some).await.map(|shown| shown.clone()) else {
        return;
    };
    let Some(shown) = first else {
        return;
    };
    let mut shades = crate::platform::appearance::follow();
    let mut shade = Shade::ForDark;
    let (hosted, mut hosting) = watch::channel(true);
    let put_up = async |shown, shade| {
        hosted.send_replace(true);
        let item = StatusItem { shown, shade, inputs: inputs.clone(), hosted: hosted.clone() };
        let handle: Option<Handle<StatusItem>> = match item.assume_sni_available(true).spawn().await {
            Ok(handle) => Some(handle),
            Err(error) => {
                warn!("there is no tray: {error}");
                None
            }
        };
        handle
    };
    let Some(mut handle) = put_up(shown, shade).await else {
        return;
    };
    info!("the tray is there");
    loop {
        tokio::select! {
            changed = told.changed() => {
                if changed.is_err() {
                    break;
                }
                let Some(tray) = told.borrow_and_update().clone() else {
                    continue;
                };
                handle.update(|item| item.shown = tray).await;
            }
            Some(new) = shades.recv() => {
                shade = new;
                handle.update(|item| item.shade = shade).await;
            }
            () = missed(&mut hosting) => {
                info!("a host of trays has come unnoticed");
                handle.shutdown().await;
                let Some(shown) = told.borrow().clone() else {
                    continue;
                };
                let Some(again) = put_up(shown, shade).await else {
                    return;
                };
                handle = again;
            }
        }
    }
    handle.shutdown().await;
}

/// Waits until there is a host although none is known.
async fn missed(hosting: &mut watch::Receiver<bool>) {
    loop {
        // Its sender is with the item, or with who waits here.
        let _ = hosting.wait_for(|hosted| !hosted).await;
        tokio::time::sleep(LOOK_AGAIN).await;
        if !*hosting.borrow() && host_is_there().await.unwrap_or(false) {
            return;
        }
    }
}

async fn host_is_there() -> zbus::Result<bool> {
    let bus = zbus::Connection::session().await?;
    Ok(DBusProxy::new(&bus).await?.name_has_owner(WATCHER.try_into()?).await?)
}

struct StatusItem {
    shown: Tray,
    shade: Shade,
    inputs: mpsc::Sender<Input>,
    /// Whether a host has taken it.
    hosted: watch::Sender<bool>,
}

impl StatusItem {
    fn click(&self, click: Click) {
        // Never waits: a controller that is so far behind has lost the person's patience anyway.
        if let Err(error) = self.inputs.try_send(Input::Click(click)) {
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
        self.hosted.send_replace(true);
    }

    fn watcher_offline(&self, _reason: OfflineReason) -> bool {
        self.hosted.send_replace(false);
        true
    }

    fn activate(&mut self, _x: i32, _y: i32) {
        self.click(Click::Icon);
    }

    fn icon_pixmap(&self) -> Vec<ksni::Icon> {
        let pictures = picture::of(self.shown.icon, self.shade).into_iter();
        let icon = |image: tauri::image::Image<'static>| ksni::Icon {
            width: i32::try_from(image.width()).unwrap_or_default(),
            height: i32::try_from(image.height()).unwrap_or_default(),
            data: argb(image.rgba()),
        };
        pictures.map(icon).collect()
    }

    fn tool_tip(&self) -> ToolTip {
        ToolTip { title: self.shown.tooltip.clone(), ..ToolTip::default() }
    }

    fn menu(&self) -> Vec<MenuItem<Self>> {
        self.shown.menu.entries.iter().map(item).collect()
    }
}

fn item(entry: &Entry) -> MenuItem<StatusItem> {
    match entry {
        Entry::Separator => MenuItem::Separator,
        Entry::Submenu { label, entries } => {
            SubMenu { label: escaped(label), submenu: entries.iter().map(item).collect(), ..SubMenu::default() }.into()
        }
        Entry::Item(entry) => {
            let (label, enabled, click) = (escaped(&entry.label), entry.click.is_some(), entry.click.clone());
            let activate = Box::new(move |tray: &mut StatusItem| {
                if let Some(click) = click.clone() {
                    tray.click(click);
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
