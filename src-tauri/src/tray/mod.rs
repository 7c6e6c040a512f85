//! What is in the tray: a pure function of what the engine shows.
//!
//! ```text
//! EngineViewState ──► Tray { icon, tooltip, menu } ── only when it changed ──► ksni (Linux) or Tauri's tray (elsewhere)
//!                                        ◄────────── TrayAction ─────────
//! ```
//!
//! Nothing here has an effect, and nothing asks: a menu item carries what it means as a value, never as a text to be
//! parsed.

mod icon;
mod icon_images;
mod menu;

#[cfg(not(target_os = "linux"))]
#[path = "macos_windows.rs"]
mod backend;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod backend;

pub use backend::Backend;
pub use icon::Icon;
pub use icon_images::PanelTheme;
pub use menu::{Entry, Item, Menu};

use postern_engine::model::{Fault, Request, Snapshot};

use crate::desktop_integration::View;

/// What the shell knows of the engine.
#[derive(Debug, Clone, Copy)]
pub enum EngineViewState<'a> {
    /// It is starting.
    Starting,
    /// It could not start.
    Failed(&'a Fault),
    /// It runs and shows this.
    Running(&'a Snapshot),
}

/// Everything in the tray at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tray {
    /// The picture.
    pub icon: Icon,
    /// One line under the pointer, and the menu's first.
    pub tooltip: String,
    /// The menu.
    pub menu: Menu,
}

impl Tray {
    /// The tray for what is shown.
    #[must_use]
    pub fn of(state: EngineViewState<'_>) -> Self {
        let status = menu::status_line(state);
        Self { icon: Icon::of(state), menu: Menu::of(state, &status), tooltip: format!("Postern: {status}") }
    }
}

/// What a person wants who clicked in the tray.
#[derive(Debug, Clone, PartialEq)]
pub enum TrayAction {
    /// The icon itself: the window comes, or goes.
    ToggleWindow,
    /// Command the engine.
    Request(Request),
    /// Put this into the clipboard.
    Copy(String),
    /// Open this in the browser.
    OpenUrl(String),
    /// Show this part of the window.
    Show(View),
    /// Try to start again.
    RetryStart,
    /// End the program.
    Quit,
}
