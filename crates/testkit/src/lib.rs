//! The test harness: what every test of whole programs stands on.
//!
//! The tests start the real `postern` and the real programs of other people, and observe them only from outside.
//!
//! ```text
//!  client program ──► inlet ──► Capture ──► hub ──► Capture ──► outlet ──► Service | Postgres | Sshd
//!    (Process)      (Process)  (records)  (Process)            (Process)
//! ```
//!
//! - [`program`] builds the workspace's binaries and names them; [`Process`] runs one and collects its output.
//! - [`Service`] and [`Sink`] are small TCP services in this process; [`Payload`] is the bytes they carry.
//! - [`Capture`] is a TCP proxy between two programs: it records every byte, counts, and disconnects.
//! - [`Postgres`] and [`Sshd`] are the real servers, each with its own directory, keys and port.
//! - [`HubOutletInlet`] is a portal through a hub, the three ends as processes.
//! - `Person` is a whole engine with a data directory of its own, driven by commands, and `World` two of them with a hub
//!   and a service; `FakeClock` sets their clock (feature `people`, which needs the engine).
//! - `streams` is the conformance suite of stream services, which runs against each of their storages (feature `streams`).
//! - [`eventually`] and [`eventually_async`] wait for a state, [`in_time`] for a future. Nothing here waits for time.
//!
//! Everything ends when it is dropped. What fails panics, at the caller's line: these are tests. Programs are started on
//! Unix only; waiting, payloads and ports are portable.

pub mod json;
mod payload;
pub mod port;
#[cfg(feature = "streams")]
pub mod streams;
mod wait;

pub use payload::{Payload, Sha256, sha256};
pub use wait::{eventually, eventually_async, in_time, within};

#[cfg(unix)]
mod capture;
#[cfg(unix)]
pub mod client;
#[cfg(unix)]
mod connections;
#[cfg(unix)]
pub mod debian;
#[cfg(unix)]
mod hub_outlet_inlet;
#[cfg(unix)]
pub mod network_namespace;
#[cfg(all(unix, feature = "people"))]
pub mod person;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod process;
#[cfg(unix)]
pub mod program;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod sshd;
#[cfg(all(unix, feature = "people"))]
mod world;

#[cfg(unix)]
pub use capture::Capture;
#[cfg(unix)]
pub use hub_outlet_inlet::{Hub, HubOutletInlet, Inlet, Outlet};
#[cfg(all(unix, feature = "people"))]
pub use person::{FakeClock, Person};
#[cfg(unix)]
pub use postgres::Postgres;
#[cfg(unix)]
pub use process::{Finished, Process};
#[cfg(unix)]
pub use service::{Received, Service, Sink};
#[cfg(unix)]
pub use sshd::Sshd;
#[cfg(all(unix, feature = "people"))]
pub use world::World;

/// How long anything may take whose speed is not tested: a minute is enough on a machine that is busy with other things,
/// where opening a key file alone takes seconds.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// A new empty directory, removed with everything in it when dropped.
///
/// # Panics
/// When it cannot be created.
#[must_use]
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("postern-").tempdir().expect("Failed to create a temporary directory")
}

/// Says that this test is skipped, and why, past the capture of its output: `cargo xtask` counts such lines. The caller returns.
pub fn skipped(why: &str) {
    use std::io::Write;
    let test = std::thread::current();
    // A line of its own: with one test thread, the name of the test is already printed. A closed output is nobody's problem.
    let _ = writeln!(std::io::stdout(), "\nskipped: {}: {why}", test.name().unwrap_or("?"));
}

/// Whether `bytes` contain `needle`.
#[must_use]
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
