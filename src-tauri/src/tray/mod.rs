//! The tray: a pure function of the engine's state.
//!
//! ```text
//! EngineViewState ──► Tray { icon, tooltip, menu } ── only when it changed ──► ksni (Linux) or Tauri's tray (macOS, Windows)
//!                                        ◄────────── TrayAction ─────────
//! ```
//!
//! A menu item carries its action as a value; no text is ever parsed.

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

use postern_engine::api::{Fault, Request, Snapshot};

use crate::desktop_integration::View;

/// The engine's state as tray and diagnostics show it.
#[derive(Debug, Clone, Copy)]
pub enum EngineViewState<'a> {
    /// It is starting.
    Starting,
    /// It failed to start, or stopped.
    Failed(&'a Fault),
    /// It runs; this is its snapshot.
    Running(&'a Snapshot),
}

/// Icon, tooltip and menu; equal trays look and act the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Tray {
    /// The icon.
    pub icon: Icon,
    /// The tooltip; the menu's first item has the same text.
    pub tooltip: String,
    /// The menu.
    pub menu: Menu,
}

impl Tray {
    /// The tray for this state.
    #[must_use]
    pub fn of(state: EngineViewState<'_>) -> Self {
        let status = menu::status_line(state);
        Self { icon: Icon::of(state), menu: Menu::of(state, &status), tooltip: format!("Postern: {status}") }
    }
}

/// What a click on the icon or a menu item does.
#[derive(Debug, Clone, PartialEq)]
pub enum TrayAction {
    /// Show or hide the window: a click on the icon.
    ToggleWindow,
    /// Send a request to the engine.
    Request(Request),
    /// Copy this to the clipboard.
    Copy(String),
    /// Open this in the browser.
    OpenUrl(String),
    /// Show this view of the window.
    Show(View),
    /// Start the engine again.
    RetryStart,
    /// Quit the program.
    Quit,
}
