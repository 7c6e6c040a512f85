//! Why a connection or a listener could not be made.

use super::connection::CONNECT_TIMEOUT;
use crate::dialing::DialError;

/// What can go wrong when a connection or a listener is made.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As it was given.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The connection was refused or failed.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// As it was given.
        address: String,
        /// The system's reason; of several addresses, what became of each that was tried.
        source: std::io::Error,
    },
    /// None of the addresses that the name resolves to passes the [`AddressFilter`](super::AddressFilter).
    #[error("{address} is not connected to: its addresses are not permitted")]
    NotPermitted {
        /// As it was given.
        address: String,
    },
    /// No answer within [`CONNECT_TIMEOUT`].
    #[error("no answer from {address} within {} seconds: is it running, and reachable from here?", CONNECT_TIMEOUT.as_secs())]
    Timeout {
        /// As it was given.
        address: String,
    },
    /// Nothing more came over the connection, and what was sent was not acknowledged.
    #[error("the connection to {address} stopped answering")]
    Silent {
        /// As it was given.
        address: String,
    },
}

impl TcpError {
    pub(super) fn of_dialing(address: &str, error: DialError) -> Self {
        let address = address.to_owned();
        match error {
            DialError::NotPermitted => Self::NotPermitted { address },
            DialError::Name(source) => Self::Connect { address, source },
            DialError::Failed(failures) if failures.is_unanswered_alone() => Self::Timeout { address },
            DialError::Failed(failures) => Self::Connect { address, source: failures.into_io() },
        }
    }
}
