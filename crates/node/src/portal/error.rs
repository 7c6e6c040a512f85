//! Why a portal could not be made.

use crate::router::AddressTaken;

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
    /// The outlet's address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
}
