//! Streams: messages that travel through logs kept by a service on a hub, one log for each direction (`docs/wire.md` §15).
//!
//! ```text
//! Alice ─► producer ══ push ══► hub: stream alice_to_bob ══ pull ══► consumer ─► Bob's worker or channel
//!       ◄─ consumer ◄═ pull ═══ hub: stream bob_to_alice ◄═ push ═══ producer ◄─
//! ```
//!
//! A hub keeps a stream in memory, in a file, or as a Kafka topic. The two programs need not be there at the same time. What they
//! send should be a secure channel: the hub and Kafka can read everything else. Its handshake is the usual one, over
//! `route![&stream, "listener"]`.
//!
//! # What is guaranteed
//!
//! - **Order.** Messages arrive in the order in which the producer took them. Some may come again, with those behind them.
//! - **From the producer to the hub, at least once**, while the program runs: what is not confirmed is sent again, over
//!   new connections too. A hub that has the extension stores it once. Above a [budget](StreamStats::refused) senders wait
//!   (backpressure), at most 5 s each; far above it messages are refused.
//! - **From the hub to the receiver, at least once**: the place in the stream is saved behind the last message before which all were
//!   handled. A worker has handled a message when [`handle_message`](crate::Worker::handle_message) has returned and the
//!   [`Routed`](crate::Routed) message was dropped, also through a secure channel; a program that [receives](crate::Context::receive)
//!   when it drops the `Routed` message. One that keeps a message keeps back the place, and with it what is more than 65,536
//!   messages behind. Messages that were in a mailbox when the program ended come again, and one whose handler panics.
//! - **Backpressure to the hub:** at most 1,024 messages and 4 MB are delivered and not handled, and two replies of 1 MB wait.
//!   The stream goes on only when a message was handled; nothing is lost meanwhile.
//!
//! Not guaranteed is what ends with a process: messages that its producer had taken and not pushed, and the keys of its channels.
//! A message of a channel that is gone cannot be opened by anybody, and is skipped. For messages that survive restarts there is
//! reliable delivery on top.
//!
//! A hub, or whoever operates Kafka, can delay, drop, repeat, reorder and delete what is in a stream. Over a secure channel that
//! costs messages, and the channel, but nothing false is accepted. [`Notice`] tells what can be seen of it.
//!
//! # Example
//!
//! ```
//! use postern_hub::{Hub, HubConfig};
//! use postern_node::stream::Stream;
//! use postern_node::{Echoer, Node, SecureChannelOptions, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::start(&HubConfig::parse("listen = '127.0.0.1:0'")?).await?;
//! let (alices, bobs) = (Node::new(), Node::new());
//! let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
//!
//! // What is exposed to a stream before it is connected also gets what waits there already.
//! let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
//! let listener = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
//! bobs.start_worker("echoer", Echoer)?;
//! bobs.expose("echoer", &listener)?;
//! let connection = bobs.tcp_connect(hub.local_addr().to_string()).await?;
//! let streams = Stream::new(&bobs).client_id("bob").expose("listener");
//! let _to_alice = streams.connect(&connection, "bob_to_alice", "alice_to_bob").await?;
//!
//! // A session reconnects by itself, and the stream with it.
//! let session = alices.keep_connected(hub.local_addr().to_string(), None);
//! let streams = Stream::new(&alices).client_id("alice");
//! let to_bob = streams.connect(&session, "alice_to_bob", "bob_to_alice").await?;
//!
//! let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
//! let channel = alices.create_secure_channel(&alice, route![&to_bob, "listener"], only_bob).await?;
//! let context = alices.context()?;
//! let echo = context.send_and_receive::<String>(route![&channel, "echoer"], "hello").await?;
//! assert_eq!(echo.body(), "hello");
//! # Ok(())
//! # }
//! ```

mod builder;
mod consumer;
mod deliverer;
mod direction;
mod error;
mod handle;
mod path;
mod producer;
mod progress;
mod protocol;
mod queue;
mod reply;
mod report;
mod transport_message;
mod window;

pub use builder::{INDEX_SERVICE, STREAM_SERVICE, StreamBuilder};
pub use error::StreamError;
pub use handle::{Stream, Unconfirmed};
pub use path::HubPath;
pub use protocol::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Cursor, EXTENDED_PREFIX, HOLD_MS_MAX, HeldPull, IndexReply, IndexRequest,
    NAME_LEN_MAX, PushBatch, Record, SHARE_MAX, Status, StreamReply, StreamRequest, is_valid_name,
};
pub use report::{Direction, Notice, Notices, StreamState, StreamStats};
pub use transport_message::TransportMessage;
