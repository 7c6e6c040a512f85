//! The tray on macOS and Windows: Tauri's own.
//!
//! The menu is replaced only when it changed; what a click means is looked up by the item's place in the menu that is
//! shown, never parsed from a text.

use std::sync::{Arc, Mutex, PoisonError};

use tauri::menu::{CheckMenuItem, IsMenuItem, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Wry};
use tokio::sync::mpsc;
use tracing::warn;

use super::picture::{self, Shade};
use super::{Click, Entry, Item, Menu, Tray};
use crate::controller::Input;
use crate::text::escape_mnemonic;

/// What can be clicked in the menu that is shown; an item's id is its place in it.
type Clicks = Arc<Mutex<Vec<Click>>>;

/// Tauri's tray, made on the first thing to show.
pub struct Backend {
    app: AppHandle,
    inputs: mpsc::Sender<Input>,
    icon: Option<TrayIcon>,
    clicks: Clicks,
}

impl Backend {
    /// A tray that shows nothing until it is told what.
    #[must_use]
    pub fn new(app: AppHandle, inputs: mpsc::Sender<Input>) -> Self {
        Self { app, inputs, icon: None, clicks: Clicks::default() }
    }

    /// Replaces what is shown.
    pub fn show(&mut self, tray: &Tray) {
        if let Err(error) = self.replace(tray) {
            warn!("the tray does not show the newest: {error}");
        }
    }

    fn replace(&mut self, tray: &Tray) -> tauri::Result<()> {
        let (menu, clicks) = self.build(&tray.menu)?;
        *self.clicks.lock().unwrap_or_else(PoisonError::into_inner) = clicks;
        let icon = match &self.icon {
            Some(icon) => icon,
            None => self.icon.insert(self.make()?),
        };
        icon.set_menu(Some(menu))?;
        let shade = if cfg!(target_os = "macos") { Shade::ForLight } else { Shade::ForDark };
        icon.set_icon(picture::of(tray.icon, shade).pop())?;
        icon.set_icon_as_template(cfg!(target_os = "macos"))?;
        icon.set_tooltip(Some(&tray.tooltip))
    }

    fn make(&self) -> tauri::Result<TrayIcon> {
        let (inputs, clicks) = (self.inputs.clone(), Arc::clone(&self.clicks));
        let clicked = move |place: &str| {
            let clicks = clicks.lock().unwrap_or_else(PoisonError::into_inner);
            place.parse().ok().and_then(|place: usize| clicks.get(place).cloned())
        };
        let opened = self.inputs.clone();
        TrayIconBuilder::with_id("postern")
            .show_menu_on_left_click(false)
            .on_menu_event(move |_, event| {
                if let Some(click) = clicked(event.id().as_ref()) {
                    send(&inputs, click);
                }
            })
            .on_tray_icon_event(move |_, event| {
                if let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. } =
                    event
                {
                    send(&opened, Click::Icon);
                }
            })
            .build(&self.app)
    }

    fn build(&self, menu: &Menu) -> tauri::Result<(tauri::menu::Menu<Wry>, Vec<Click>)> {
        let (built, mut clicks) = (tauri::menu::Menu::new(&self.app)?, Vec::new());
        for entry in &menu.entries {
            built.append(self.entry(entry, &mut clicks)?.as_ref())?;
        }
        Ok((built, clicks))
    }

    fn entry(&self, entry: &Entry, clicks: &mut Vec<Click>) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        Ok(match entry {
            Entry::Separator => Box::new(PredefinedMenuItem::separator(&self.app)?),
            Entry::Submenu { label, entries } => {
                let submenu = Submenu::new(&self.app, escape_mnemonic(label, '&'), true)?;
                for entry in entries {
                    submenu.append(self.entry(entry, clicks)?.as_ref())?;
                }
                Box::new(submenu)
            }
            Entry::Item(item) => self.item(item, clicks)?,
        })
    }

    fn item(&self, item: &Item, clicks: &mut Vec<Click>) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        let (label, enabled) = (escape_mnemonic(&item.label, '&'), item.click.is_some());
        let place = clicks.len().to_string();
        clicks.extend(item.click.clone());
        Ok(match item.checked {
            Some(checked) => Box::new(CheckMenuItem::with_id(&self.app, place, label, enabled, checked, None::<&str>)?),
            None => Box::new(MenuItem::with_id(&self.app, place, label, enabled, None::<&str>)?),
        })
    }
}

fn send(inputs: &mpsc::Sender<Input>, click: Click) {
    if let Err(error) = inputs.try_send(Input::Click(click)) {
        warn!("a click in the tray was lost: {error}");
    }
}
