//! Relays (`docs/wire.md` §8): an address on a hub that forwards to a node which nobody can connect to.
//!
//! ```text
//! node ── register "bob" ──► service          client ──► [bob, listener] ──► Relay ──► [connection, listener]
//!      ◄────── "bob" ────── Relay (at "bob")                                            over the node's own connection
//! ```
//!
//! A relay belongs to who registered it, and ends with the connection or channel it was registered over. The name of an
//! identity's relay stays reserved for it, as long as the hub runs, for [`RESERVED_FOR`]. Relays cannot take the address of anything else in the hub's node, and nothing else can take theirs.
//!
//! Registered through a secure channel with the hub, it belongs to the identity at its other end. What comes to it goes
//! through that channel too, as programs on `ockam` expect, or, for [`OWNED_FORWARDING_SERVICE`], over the connection
//! beneath: what is forwarded is sealed end to end already, and need not be sealed once more for the last hop.

mod client;
mod registration_reply;
mod reserved;
mod service;

pub use client::Relay;
pub(crate) use client::{register, register_owned};
pub use reserved::RESERVED_FOR;
pub use service::{MAX_NAME, RelayService, RelayServiceOptions};

/// Worker address where nodes register relays with random names.
pub const FORWARDING_SERVICE: &str = "forwarding_service";
/// Worker address where nodes register relays with names that they choose.
pub const STATIC_FORWARDING_SERVICE: &str = "static_forwarding_service";
/// Worker address where nodes register, through a secure channel with the hub, relays that belong to their identity.
pub const OWNED_FORWARDING_SERVICE: &str = "owned_forwarding_service";
/// What a node says to get a relay with a random name.
const REGISTER: &str = "register";

use std::time::Duration;

/// How long a registration waits for its confirmation. A hub that refuses says nothing.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);

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
}
