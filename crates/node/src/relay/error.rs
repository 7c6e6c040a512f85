//! Why a relay was not registered.

use super::REGISTER_TIMEOUT;
use super::name::MAX_NAME;
use crate::router::AddressTaken;
use crate::undeliverable::Undeliverable;

/// Why there is no relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The hub did not confirm; hubs do not say why they refuse.
    #[error(
        "the hub did not confirm the relay within {} seconds: its name may belong to somebody else, \
         or there is no relay service",
        REGISTER_TIMEOUT.as_secs()
    )]
    NotConfirmed,
    /// The name is somebody else's.
    #[error("the name `{0}` belongs to somebody else on this hub")]
    NameTaken(String),
    /// The hub's limits are reached.
    #[error("the hub has no room for another relay")]
    Full,
    /// The name is not one that a relay can have.
    #[error("`{0}` cannot be a relay's name: use 1 to {MAX_NAME} letters, digits, or . _ - : / + =")]
    InvalidName(String),
    /// The connection ended meanwhile.
    #[error("the connection to the hub ended")]
    Disconnected,
    /// The first hop to the hub could not be reached.
    #[error("cannot deliver: {0}")]
    Unreachable(#[from] Undeliverable),
    /// The node was stopped meanwhile.
    #[error("the node was stopped")]
    Stopped,
    /// An address in this node that the registration needs is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
}
