//! The black-box harness: what every test of whole programs stands on.
//!
//! The tests live in `tests/*.rs` beside this library, start the real `postern` and the real programs of other
//! people, and look at them only from outside.
//!
//! ```text
//!  client program ──► inlet ──► Capture ──► hub ──► Capture ──► outlet ──► Service | Postgres | Sshd
//!    (Process)      (Process)  (records)  (Process)            (Process)
//! ```
//!
//! - [`program`] builds the workspace's binaries and names them; [`Process`] runs one and keeps what it says.
//! - [`Service`] and [`Sink`] are small TCP services in this process; [`Payload`] is the bytes they carry.
//! - [`Capture`] stands between two programs: it records every byte, counts, and cuts.
//! - [`Postgres`] and [`Sshd`] are the real servers, each with its own directory, keys and port.
//! - [`Person`] is a whole engine with a data directory of its own, reached by its commands; [`Clock`] turns its clock.
//! - [`Trio`] is hub, outlet and inlet around a service, the three as processes.
//! - [`eventually`] waits for a state. Nothing here waits for time.
//!
//! Everything ends when it is dropped. What goes wrong panics, at the caller's line: these are tests.

#![cfg(unix)]

mod capture;
pub mod client;
mod connections;
pub mod debian;
mod payload;
#[cfg(feature = "people")]
pub mod person;
mod postgres;
mod process;
pub mod program;
mod service;
mod sshd;
pub mod trio;
mod wait;

pub use capture::Capture;
pub use payload::{Payload, Sha256, sha256};
#[cfg(feature = "people")]
pub use person::{Clock, PATIENCE, Person};
pub use postgres::Postgres;
pub use process::{Finished, Process};
pub use service::{Received, Service, Sink};
pub use sshd::Sshd;
pub use trio::{Hub, Inlet, Outlet, Trio};
pub use wait::{eventually, within};

/// How long anything may take that is no question of speed: long enough for a machine busy with something else.
pub const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// A new empty directory, removed with everything in it when dropped.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("postern-").tempdir().expect("Failed to make a temporary directory")
}
