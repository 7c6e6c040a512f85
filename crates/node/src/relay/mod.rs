//! Relays (`docs/wire.md` §8): an address on a hub that forwards to a node that cannot be connected to.
//!
//! ```text
//! node ── register "bob" ──► service          client ──► [bob, listener] ──► Relay ──► [connection, listener]
//!      ◄────── "bob" ────── Relay (at "bob")                                            over the node's own connection
//! ```
//!
//! A relay belongs to who registered it, and ends with the connection or channel it was registered over. A name that is an
//! [`Identifier`](crate::identity::Identifier) belongs to that identity alone, at any time and on any hub: it can be
//! registered only through the identity's own channel (but see [`RelayServiceOptions::identifiers_are_free`]). Any other name is free while nobody has it. Relays cannot take the
//! address of anything else in the hub's node, and nothing else can take theirs.
//!
//! Registered through a secure channel with the hub, it belongs to the identity at its other end. What comes to it goes
//! through that channel too, as programs on `ockam` expect, or, for [`OWNED_FORWARDING_SERVICE`], over the connection
//! beneath: what is forwarded is sealed end to end already, and need not be sealed once more for the last hop.
//!
//! # Example
//!
//! ```
//! use postern_node::relay::{RelayService, RelayServiceOptions};
//! use postern_node::{Echoer, Node, Origin, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> postern_node::Result<()> {
//! let hub = Node::new();
//! let tcp = hub.tcp_listen("127.0.0.1:0").await?;
//! RelayService::start(&hub, RelayServiceOptions::default(), &[tcp.origin()])?;
//!
//! // Bob connects out. What comes to the relay comes to him over this connection.
//! let bob = Node::new();
//! bob.start_worker("echoer", Echoer)?;
//! let connection = bob.tcp_connect(tcp.local_addr().to_string()).await?;
//! bob.create_relay(&connection, Some("bob")).await?;
//! bob.expose("echoer", &connection)?;
//!
//! // Without a secure channel the hub can read this, see the crate's example.
//! let alice = Node::new();
//! let connection = alice.tcp_connect(tcp.local_addr().to_string()).await?;
//! let reply = alice.context()?.send_and_receive::<String>(route![&connection, "bob", "echoer"], "hello").await?;
//! assert_eq!(reply.body(), "hello");
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod name;
mod registration_reply;
mod service;
mod superseded;
mod table;

pub use client::Relay;
pub(crate) use client::{register, register_owned};
pub use error::RelayError;
pub use name::MAX_NAME;
pub(crate) use service::start;
pub use service::{RelayService, RelayServiceOptions};
#[cfg(postern_hot_path)]
pub(crate) use table::register_among;

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
