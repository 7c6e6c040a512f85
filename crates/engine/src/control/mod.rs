//! The local socket of a running engine: how the command line, a second launch and a deep link reach it.
//!
//! ```text
//! Client ── {"postern":1} ──────────────► serve      the client speaks first, so that connecting alone reveals nothing
//!        ◄─ {"postern":1,"version":…} ──
//!        ── {"call":"request",…} ───────► EngineApi  one line each way, until either side closes
//!        ◄─ {"say":"answer",…} ──────────            or a fault
//!        ── {"call":"watch"} ───────────►            from here on the server sends: snapshots, notices, traffic
//!        ── {"call":"raise",…} ─────────►            the program shows its window, or opens the link
//! ```
//!
//! Access control: the socket is in the data directory and answers this user only, by its mode, by the peer credentials of the
//! connection, and on Windows by a name that only this user can read. Whoever holds the data directory's lock owns the
//! socket: one that a killed engine left behind is replaced. Every line is bounded, every wait has a timeout, and no line is
//! ever logged, because links and passphrases pass here.

mod authorization;
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
pub use server::{Control, serve};

use crate::api::{Answer, Fault, Notice, Request, Secret, Snapshot, Traffic};
use postern_env::time::Duration;
use serde::{Deserialize, Serialize};

/// The version of the protocol; another is refused.
pub const VERSION: u32 = 1;
/// Longest line that a server accepts, in bytes. Chosen: the longest link and description, several times.
pub const MAX_CALL: usize = 64 * 1024;
/// Longest line that a client accepts, in bytes. Chosen: the largest snapshot, or a page of audit entries.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// Most clients at once; further connections are closed. Chosen: more than one user's terminals and scripts.
pub const MAX_CLIENTS: usize = 64;
/// How long either side waits for the other's hello, and the server for a line to be read. Chosen: a local program that does
/// nothing for so long hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may send nothing between two calls. Chosen.
pub const IDLE: Duration = Duration::from_secs(60);

/// The first line of a client.
#[derive(Debug, Serialize, Deserialize)]
struct Hello {
    postern: u32,
}

/// The first line of a server.
#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    postern: u32,
    /// The program's version, for people.
    version: String,
    /// The engine's process.
    process: u32,
}

/// A call of a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Call {
    Request { request: Request },
    Watch,
    Raise { link: Option<Secret> },
}

/// A line of the server after its first.
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
