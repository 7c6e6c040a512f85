//! The local socket of a running engine: how the command line, a second launch and a deep link reach it.
//!
//! ```text
//! Client ── {"postern":1} ──────────────► serve      who opens speaks first, so that nobody learns anything by opening
//!        ◄─ {"postern":1,"version":…} ──
//!        ── {"call":"request",…} ───────► Host       one line each way, until either side closes
//!        ◄─ {"say":"answer",…} ──────────            or a fault
//!        ── {"call":"watch"} ───────────►            from here on the engine speaks: snapshots, notices, traffic
//!        ── {"call":"raise",…} ─────────►            the program shows its window, or opens the link
//! ```
//!
//! The socket is in the data directory and answers this user only: by its mode, by who the system says is at the
//! other end, and on Windows by a name that only this user can read. Whoever holds the data directory's lock owns the
//! socket: what a killed engine left behind is replaced. Every line is bounded, every wait is timed, and nothing that
//! passes is logged, because links and passphrases do.

mod client;
mod line;
#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, ControlError, Watch};
pub use server::{Control, Host, serve};

use crate::api::{Answer, Fault, Notice, Request, Secret, Snapshot, Traffic};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of what is spoken here; another is refused.
pub const VERSION: u32 = 1;
/// Longest line that an engine takes, in bytes.
pub const MAX_CALL: usize = 64 * 1024;
/// Longest line that a client takes, in bytes: a snapshot, or a page of receipts.
pub const MAX_SAID: usize = 16 * 1024 * 1024;
/// Most clients at once; further ones are turned away.
pub const MAX_CLIENTS: usize = 64;
/// How long either side waits for the other's hello, and an engine for a line to be taken.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may say nothing between two calls.
pub const IDLE: Duration = Duration::from_secs(60);

/// The first line of a client.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    postern: u32,
}

/// The first line of an engine.
#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    postern: u32,
    /// The program's version, for people.
    version: String,
    /// The engine's process.
    process: u32,
}

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Call {
    Request { request: Request },
    Watch,
    Raise { link: Option<Secret> },
}

/// What an engine says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
enum ServerMessage {
    Answer { answer: Answer },
    Fault { fault: Fault },
    Raised,
    Snapshot { snapshot: Box<Snapshot> },
    Notice { notice: Notice },
    Traffic { traffic: Traffic },
}
