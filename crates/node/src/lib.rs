//! Postern's messaging runtime: end-to-end encryption between programs, through a hub that is not trusted.
//!
//! A [`Node`] holds workers, connections, secure channels, relays and portals, each at an [`Address`]. Messages travel along
//! [`Route`]s, lists of addresses, and carry the return route with them. Access control is by [`Origin`]: what comes from
//! outside reaches only the addresses that were [exposed](Node::expose) to where it comes from. The wire protocol is that of
//! the `ockam` crate 0.150 (`docs/wire.md`).
//!
//! # Layout
//!
//! From the lowest layer to the highest. A module imports from its own layer and from lower ones, never from a higher one
//! (`layers.toml`); each layer has error types of its own, which [`Error`] joins.
//!
//! | layer | modules |
//! |---|---|
//! | formats, pure helpers | [`Address`], [`Route`], [`MultiAddr`], wire encodings, [`Stats`], [`backoff`], [`rate_limit`] |
//! | cryptography | [`crypto`]: keys, signatures, AEAD, hashing |
//! | secret keys | [`vault`] |
//! | identities, access control | [`identity`]: key histories, which are hash chains, and credentials; [`policy`]: expressions |
//! | runtime | router, delivery with backpressure, [`Message`], shared state, outbox, [`tcp`] |
//! | programs | [`Context`], [`Worker`]: an address with a mailbox and a task; [`Processor`]: a loop with an address |
//! | channels | [`secure_channel`]: Noise XX between two identities, over any route |
//! | services over them | [`sealed`] messages, [`relay`], [`mailbox`], [`request`]s with credential issuers |
//! | sessions | [`session`]: connections, channels and mailboxes that reconnect by themselves |
//! | streams | [`stream`]: messages through logs on a hub, for instance Kafka topics |
//! | portals | [`portal`]: a TCP service on the localhost of somebody else |
//! | the handle | [`Node`], [`Error`] |
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
//! Everything up to the mailbox happens on the task that read the message, in the buffer it was read into. Bulk data of
//! portals uses no mailbox. A sender that is faster than the next hop waits (backpressure), for a bounded time; streams of
//! portals have flow control of their own, so that a stalled one causes no head-of-line blocking for the others.
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

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests use the real clock, sockets and tasks"))]

mod address;
pub mod backoff;
pub mod congestion;
mod context;
mod core;
pub mod crypto;
mod delivery;
mod dialing;
mod endpoint;
mod extensions;
mod fairness;
#[cfg(postern_hot_path)]
pub mod hot_path;
pub mod identity;
mod local_message;
pub mod mailbox;
mod message;
mod multiaddr;
mod node;
mod origin;
mod outbox;
pub mod policy;
pub mod portal;
mod processor;
pub mod rate_limit;
pub mod relay;
pub mod reliable;
pub mod request;

mod round_trip;
mod route;
mod router;
pub mod sealed;
pub mod secure_channel;
pub mod session;
mod stats;
pub mod stream;
mod sync;
pub mod tcp;
mod undeliverable;
pub mod vault;
mod wire;
mod worker;

pub use crate::core::Limits;
pub use address::{Address, InvalidAddress, MAX_ADDRESS_LEN};
pub use context::{Context, ContextError, DEFAULT_TIMEOUT, MAILBOX, UnexpectedMessage};
pub use message::{Bare, BareMessage, DecodeError, Message, Routed};
pub use multiaddr::{InvalidMultiAddr, MultiAddr};
pub use node::{Error, Node, Result, SHUTDOWN_TIMEOUT};
pub use origin::{Origin, OriginId, SourceAddress};
pub use processor::Processor;
pub use route::{MAX_HOPS, Route};
pub use router::AddressTaken;
pub use secure_channel::{SecureChannel, SecureChannelListener, SecureChannelOptions};
pub use stats::{Counter, Stats};
pub use tcp::{TcpConnection, TcpListener};
pub use undeliverable::Undeliverable;
pub use worker::{Echoer, Uppercase, Worker, WorkerError, WorkerOptions};
