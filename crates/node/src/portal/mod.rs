//! Portals (`docs/wire.md` §9): a TCP service beside one node appears on the localhost of another.
//!
//! ```text
//! client ─► Inlet ─► Stream ─ seal ─► hub ─► open ─► Stream ─ Outlet ─► service
//!                    (one at each end of every TCP connection; both directions; no mailbox in between)
//! ```
//!
//! The task that reads a socket seals what it read where it lies and pushes it to the connection; the task that
//! reads a connection opens records where they lie and writes them to the socket. Between two Postern nodes every
//! stream has a credit window, so a stalled reader stalls nobody else; half-close, refusals and resets are carried;
//! and data follows the Ping at once. All that is negotiated in the tails of Ping and Pong, which other
//! implementations ignore. The packet counter is always sent and always checked: what is lost ends the stream.

mod admission;
mod flow_control;
mod inlet;
mod message;
mod meter;
mod outlet;
mod stream;
mod target;

pub use admission::{AdmissionPolicy, Permit, Revocation, StreamEnd};
pub(crate) use flow_control::FlowControlPool;
pub use inlet::{Inlet, InletRoute, PROBE_EVERY, PROBE_TIMEOUT, ProbeReport};
pub use message::{EndReason, MAX_PAYLOAD};
pub use meter::Meter;
pub use outlet::{Outlet, OutletOptions};
pub use stream::{BASIC_PEER_BUFFER, CONNECT_TIMEOUT, INITIAL_WINDOW};
pub use target::check_target;

/// Why a portal could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortalError {
    /// The inlet cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As it was given.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
}
