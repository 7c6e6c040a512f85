//! What is in the tray: a pure function of what the engine shows.
//!
//! ```text
//! Shown ──► Tray { icon, tooltip, menu } ── only when it changed ──► ksni (Linux) or Tauri's tray (elsewhere)
//!                                        ◄────────── Click ─────────
//! ```
//!
//! Nothing here has an effect, and nothing asks: a menu item carries what it means as a value, never as a text to be
//! parsed.

mod icon;
mod menu;
mod picture;

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod backend;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod backend;

pub use backend::Backend;
pub use icon::Icon;
pub use menu::{Entry, Item, Menu};
pub use picture::Shade;

use postern_engine::api::{Fault, Request, Snapshot};

use crate::face::View;

/// What the shell knows of the engine.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
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
    pub fn of(shown: Shown<'_>) -> Self {
        let status = menu::status(shown);
        Self { icon: Icon::of(shown), menu: Menu::of(shown, &status), tooltip: format!("Postern: {status}") }
    }
}

/// What a person wants who clicked in the tray.
#[derive(Debug, Clone, PartialEq)]
pub enum Click {
    /// The icon itself: the window comes, or goes.
    Icon,
    /// Ask the engine.
    Ask(Request),
    /// Put this into the clipboard.
    Copy(String),
    /// Open this in the browser.
    OpenUrl(String),
    /// Show this part of the window.
    Show(View),
    /// Try to start again.
    Retry,
    /// End the program.
    Quit,
}
