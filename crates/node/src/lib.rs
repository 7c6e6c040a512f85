//! Postern's messaging runtime: end-to-end encryption between programs, through a middle that is not trusted.
//!
//! A [`Node`] holds workers, connections, secure channels, relays and portals, each at an [`Address`]. Messages
//! travel along [`Route`]s, lists of addresses, and carry the way back with them. What comes from outside reaches
//! only what was [exposed](Node::expose) to where it comes from. It speaks the wire protocol of the `ockam` crate
//! 0.150 (`docs/wire.md`).
//!
//! # Layout
//!
//! | room | what is there |
//! |---|---|
//! | [`Address`], [`Route`], [`Message`] | where a message goes, how, and what it says |
//! | [`Worker`], [`Context`] | programs: an address with a mailbox and a task |
//! | [`Node`] | the runtime that holds everything; [`Limits`] and [`Stats`] |
//! | [`backoff`], [`rate_limit`] | exponential backoff with jitter; token buckets |
//! | [`tcp`] | frames between two nodes |
//! | [`vault`], [`identity`] | secret keys; who somebody is, what others say about them |
//! | [`policy`] | expressions that decide from it who may |
//! | [`secure_channel`] | Noise XX between two identities, over any route |
//! | [`sealed`] | messages for one identity, sealed once and left with somebody |
//! | [`relay`] | an address on a hub that forwards to a node nobody can connect to |
//! | [`portal`] | a TCP service that appears on the localhost of somebody else |
//! | [`session`] | connections and channels that keep themselves up |
//! | [`mailbox`] | messages that wait at a hub for whoever is not there |
//!
//! Lower rooms know nothing of higher ones.
//!
//! # The flow of a message
//!
//! ```text
//!  Context::send ─► Router ─► Encryptor ──────► Router ─► Connection ═► hub: Connection ─► Relay ─► Connection ═►
//!                   (front    (pops itself,     (front    (header,                        (pops itself, puts the
//!                   of the    seals the rest)   of the    outbox)                         owner's route in front)
//!                   route)                      channel's
//!                                               route)
//!
//!  ═► Connection ─► Router ─► Decryptor ─────► Router ─► mailbox ─► Worker::handle_message
//!     (frame in     (is it    (opens in        (is it    (an owned
//!     the buffer)   exposed?) place)           exposed?) copy)
//! ```
//!
//! Everything up to the mailbox happens on the task that read the message, in the buffer it was read into. Bulk data
//! of portals meets no mailbox at all. Who sends faster than the next hop takes is made to wait, never for ever.
//!
//! # Example
//!
//! Bob and Alice, a hub between them, and a message that only they can read:
//!
//! ```
//! use postern_node::relay::{RelayService, RelayServiceOptions};
//! use postern_node::{Echoer, Origin, Node, Result, SecureChannelOptions, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! // The hub relays for whoever connects. It is a node like the others.
//! let hub = Node::new();
//! let tcp = hub.tcp_listen("127.0.0.1:0").await?;
//! RelayService::start(&hub, RelayServiceOptions::default(), &[tcp.origin()])?;
//!
//! // Bob accepts secure channels; through them, and only so, his echoer is reached.
//! let bobs = Node::new();
//! let bob = bobs.create_identity().await?;
//! let listener =
//!     bobs.create_secure_channel_listener(&bob, "listener", SecureChannelOptions::trust_anyone()).await?;
//! bobs.start_worker("echoer", Echoer)?;
//! bobs.expose("echoer", &listener)?;
//!
//! // A relay on the hub forwards to him.
//! let connection = bobs.tcp_connect(tcp.local_addr().to_string()).await?;
//! let relay = bobs.create_relay(&connection, None).await?;
//! bobs.expose("listener", &connection)?;
//!
//! // Alice knows the hub, the relay's address and Bob's identifier: she gets Bob, or nobody.
//! let alices = Node::new();
//! let alice = alices.create_identity().await?;
//! let connection = alices.tcp_connect(tcp.local_addr().to_string()).await?;
//! let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
//! let through_the_hub = route![&connection, relay.address(), "listener"];
//! let channel = alices.create_secure_channel(&alice, through_the_hub, only_bob).await?;
//!
//! let context = alices.context()?;
//! let echo = context.send_and_receive::<String>(route![&channel, "echoer"], "Hello Bob!").await?;
//! assert_eq!(echo.body(), "Hello Bob!");
//! # Ok(())
//! # }
//! ```

mod address;
pub mod backoff;
#[doc(hidden)]
pub mod bench;
mod context;
mod delivery;
mod error;
pub mod identity;
pub mod mailbox;
mod message;
mod multiaddr;
mod node;
pub mod policy;
pub mod portal;
pub mod rate_limit;
pub mod relay;
mod route;
mod router;
pub mod sealed;
pub mod secure_channel;
pub mod session;
mod stats;
mod sync;
pub mod tcp;
pub mod vault;
mod wire;
mod worker;

pub use address::{Address, InvalidAddress, MAX_ADDRESS_LEN};
pub use context::{Context, DEFAULT_TIMEOUT, MAILBOX};
pub use delivery::Undeliverable;
pub use error::{Error, Result};
pub use message::{Bare, DecodeError, Message, Routed};
pub use multiaddr::{InvalidMultiAddr, MultiAddr};
pub use node::{Limits, Node, SHUTDOWN_TIMEOUT};
pub use route::{MAX_HOPS, Route};
pub use router::{AddressTaken, Origin, OriginId};
pub use secure_channel::{SecureChannel, SecureChannelListener, SecureChannelOptions};
pub use stats::{Counter, Stats};
pub use tcp::{TcpConnection, TcpListener};
pub use worker::{Echoer, Uppercase, Worker};
