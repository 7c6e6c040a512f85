//! Relays (`docs/wire.md` §8): an address on a hub that forwards to a node that cannot be connected to.
//!
//! ```text
//! node ── register "bob" ──► service          client ──► [bob, listener] ──► Relay ──► [connection, listener]
//!      ◄────── "bob" ────── Relay (at "bob")                                            over the node's own connection
//! ```
//!
//! A relay belongs to who registered it, and ends with the connection or channel it was registered over. The name of an
//! identity's relay stays reserved for it, as long as the hub runs, for [`RESERVED_FOR`]. Relays cannot take the address of
//! anything else in the hub's node, and nothing else can take theirs.
//!
//! Registered through a secure channel with the hub, it belongs to the identity at its other end. What comes to it goes
//! through that channel too, as programs on `ockam` expect, or, for [`OWNED_FORWARDING_SERVICE`], over the connection
//! beneath: what is forwarded is sealed end to end already, and need not be sealed once more for the last hop.

mod client;
mod error;
mod name;
mod registration_reply;
mod reserved;
mod service;

pub use client::Relay;
pub(crate) use client::{register, register_owned};
pub use error::RelayError;
pub use name::MAX_NAME;
pub use reserved::RESERVED_FOR;
pub(crate) use service::start;
pub use service::{RelayService, RelayServiceOptions};

use postern_env::time::Duration;

/// Worker address where nodes register relays with random names.
pub const FORWARDING_SERVICE: &str = "forwarding_service";
/// Worker address where nodes register relays with names that they choose.
pub const STATIC_FORWARDING_SERVICE: &str = "static_forwarding_service";
/// Worker address where nodes register, through a secure channel with the hub, relays that belong to their identity.
pub const OWNED_FORWARDING_SERVICE: &str = "owned_forwarding_service";
/// The request for a relay with a random name.
const REGISTER: &str = "register";

/// How long a registration waits for its confirmation. A hub on `ockam` that refuses does not answer. Chosen.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);
