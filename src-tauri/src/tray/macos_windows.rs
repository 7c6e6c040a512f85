//! The tray on macOS and Windows: Tauri's own.
//!
//! The action of a menu item is looked up by its index in the displayed menu, never parsed from a text.

use std::sync::{Arc, Mutex, PoisonError};

use tauri::menu::{CheckMenuItem, IsMenuItem, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Wry};
use tokio::sync::mpsc;
use tracing::warn;

use super::icon_images::{self, PanelTheme};
use super::{Entry, Item, Menu, Tray, TrayAction};
use crate::controller::Input;
use crate::untrusted_text::escape_mnemonic;

/// The actions of the displayed menu; an item's id is its index.
type MenuActions = Arc<Mutex<Vec<TrayAction>>>;

/// Tauri's tray, created when the first tray is shown.
pub struct Backend {
    app: AppHandle,
    inputs: mpsc::Sender<Input>,
    icon: Option<TrayIcon>,
    actions: MenuActions,
}

impl Backend {
    /// No tray icon yet; actions go to `inputs`.
    #[must_use]
    pub fn new(app: AppHandle, inputs: mpsc::Sender<Input>) -> Self {
        Self { app, inputs, icon: None, actions: MenuActions::default() }
    }

    /// Replaces the displayed tray.
    pub fn show(&mut self, tray: &Tray) {
        if let Err(error) = self.replace(tray) {
            warn!("the tray does not show the newest: {error}");
        }
    }

    fn replace(&mut self, tray: &Tray) -> tauri::Result<()> {
        let (menu, actions) = self.build(&tray.menu)?;
        *self.actions.lock().unwrap_or_else(PoisonError::into_inner) = actions;
        let icon = match &self.icon {
            Some(icon) => icon,
            None => self.icon.insert(self.create()?),
        };
        icon.set_menu(Some(menu))?;
        let theme = if cfg!(target_os = "macos") { PanelTheme::Light } else { PanelTheme::Dark };
        icon.set_icon(icon_images::images(tray.icon, theme).pop())?;
        icon.set_icon_as_template(cfg!(target_os = "macos"))?;
        icon.set_tooltip(Some(&tray.tooltip))
    }

    fn create(&self) -> tauri::Result<TrayIcon> {
        let (inputs, actions) = (self.inputs.clone(), Arc::clone(&self.actions));
        let action_at = move |index: &str| {
            let actions = actions.lock().unwrap_or_else(PoisonError::into_inner);
            index.parse().ok().and_then(|index: usize| actions.get(index).cloned())
        };
        let opened = self.inputs.clone();
        TrayIconBuilder::with_id("postern")
            .show_menu_on_left_click(false)
            .on_menu_event(move |_, event| {
                if let Some(action) = action_at(event.id().as_ref()) {
                    send(&inputs, action);
                }
            })
            .on_tray_icon_event(move |_, event| {
                if let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Up, .. } =
                    event
                {
                    send(&opened, TrayAction::ToggleWindow);
                }
            })
            .build(&self.app)
    }

    fn build(&self, menu: &Menu) -> tauri::Result<(tauri::menu::Menu<Wry>, Vec<TrayAction>)> {
        let (built, mut actions) = (tauri::menu::Menu::new(&self.app)?, Vec::new());
        for entry in &menu.entries {
            built.append(self.entry(entry, &mut actions)?.as_ref())?;
        }
        Ok((built, actions))
    }

    fn entry(&self, entry: &Entry, actions: &mut Vec<TrayAction>) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        Ok(match entry {
            Entry::Separator => Box::new(PredefinedMenuItem::separator(&self.app)?),
            Entry::Submenu { label, entries } => {
                let submenu = Submenu::new(&self.app, escape_mnemonic(label, '&'), true)?;
                for entry in entries {
                    submenu.append(self.entry(entry, actions)?.as_ref())?;
                }
                Box::new(submenu)
            }
            Entry::Item(item) => self.item(item, actions)?,
        })
    }

    fn item(&self, item: &Item, actions: &mut Vec<TrayAction>) -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        let (label, enabled) = (escape_mnemonic(&item.label, '&'), item.action.is_some());
        let index = actions.len().to_string();
        actions.extend(item.action.clone());
        Ok(match item.checked {
            Some(checked) => Box::new(CheckMenuItem::with_id(&self.app, index, label, enabled, checked, None::<&str>)?),
            None => Box::new(MenuItem::with_id(&self.app, index, label, enabled, None::<&str>)?),
        })
    }
}

fn send(inputs: &mpsc::Sender<Input>, action: TrayAction) {
    if let Err(error) = inputs.try_send(Input::Tray(action)) {
        warn!("a click in the tray was lost: {error}");
    }
}
