//! Whole engines in one process, data of an earlier version, the real keychain, and the types of the app's window.
//!
//! One program for all of them, because linking costs more than compiling. They can run side by side: every engine has a data
//! directory of its own, and what depends on environment variables runs in processes of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::disallowed_methods, reason = "tests run on the real clock, sockets and files")]

#[cfg(unix)]
mod compatibility;
#[cfg(target_os = "linux")]
mod gnome_keyring;
mod scenarios;
mod types;
