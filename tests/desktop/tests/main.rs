//! The real app on private desktops: every test has a screen, a bus, a keyring and a home directory of its own, so that they
//! can share this program and run side by side.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![cfg(target_os = "linux")]

mod keychain;
mod panel;
mod people;
mod restore;
mod shell;
mod six_clicks;
mod window;
