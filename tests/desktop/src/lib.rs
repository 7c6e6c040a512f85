//! A private desktop for every user in a test, and the real app on it.
//!
//! ```text
//! DesktopUser ── Desktop: Xvfb, openbox, a session bus without service activation, gnome-keyring in a HOME of its own
//!   ├─ Tray                 the panel: StatusNotifierWatcher and a reader of menus   ◄─┐
//!   ├─ NotificationServer   org.freedesktop.Notifications                            ◄─┼─ postern-app (the real one)
//!   ├─ XfcePanel            a real panel instead
//!   ├─ Page                 the window's page, over WebDriver                        ◄─┤
//!   └─ request, wait_for    the engine, over the control socket                      ◄─┘
//! ```
//!
//! Panel, notification server and bus are the test's own, so that it observes what a desktop receives and sends what a click
//! sends. Everything is in process groups that end with the test; every wait is for a state. What fails panics: these are
//! tests. Linux only.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking, in its helpers too")]

mod desktop;
mod notification_server;
mod page;
mod tray;
mod user;
mod xfce;

pub use desktop::{Desktop, Geometry, Keyring};
pub use notification_server::{Notification, NotificationServer};
pub use page::Page;
pub use tray::{Line, Tray};
pub use user::DesktopUser;
pub use xfce::{PANEL_HEIGHT, XfcePanel};
