//! A private desktop for every person in a test, and the real app on it.
//!
//! ```text
//! Person ── Desktop: Xvfb, openbox, a session bus without service activation, gnome-keyring in a HOME of its own
//!   ├─ Tray     the panel: StatusNotifierWatcher and a reader of menus   ◄─┐
//!   ├─ Corner   the notification server                                  ◄─┼─ postern-app (the real one)
//!   ├─ Page     the window, over WebDriver                               ◄─┤
//!   └─ ask, sees: the engine, over the control socket                    ◄─┘
//! ```
//!
//! Panel, notification server and bus are the test's own, so that it sees what a desktop sees and presses what a person
//! presses. Everything is in process groups that end with the test; every wait is for a state. What goes wrong panics:
//! these are tests. Linux only.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking, in its helpers too")]

mod corner;
mod desktop;
mod page;
mod person;
mod tray;
mod wait;

pub use corner::{Corner, Note};
pub use desktop::{Desktop, Keyring};
pub use page::Page;
pub use person::{Person, free_port};
pub use tray::{Line, Tray};
pub use wait::{PATIENCE, until};
