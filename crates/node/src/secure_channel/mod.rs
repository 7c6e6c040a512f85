//! Secure channels (`docs/wire.md` §7): mutually authenticated, end-to-end encrypted, over any route.
//!
//! ```text
//! initiator                                      responder (behind a listener)
//!   m1 ── e ───────────────────────────────────────►  HandshakeEndpoint   makes one PendingResponder per handshake
//!   PendingInitiator ◄──────── e, ee, s, es, proof ── m2
//!   m3 ── s, se, proof ────────────────────────────►  PendingResponder
//!   Encryptor ══ records ══════════════════════════►  Decryptor ─► worker, portal, another channel
//!   Decryptor ◄══════════════════════════ records ══  Encryptor
//! ```
//!
//! The computations of handshakes run beside the tasks that read connections, in turns of those who cause them. An unfinished
//! handshake has no task of its own and costs about 5 KB, most of it an ML-KEM key pair (`docs/wire.md §7.7`), until it times
//! out. A message that does not verify is ignored. The static key is made by the listener or the initiator and attested by
//! its identity; who the peer is, is decided before the last message is written or believed.
//!
//! # Example
//!
//! Two identities that accept only each other:
//!
//! ```
//! use postern_node::{Echoer, Node, SecureChannelOptions, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> postern_node::Result<()> {
//! let (alices, bobs) = (Node::new(), Node::new());
//! let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
//!
//! let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
//! let channels = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
//! bobs.start_worker("echoer", Echoer)?;
//! bobs.expose("echoer", &channels)?;
//! let tcp = bobs.tcp_listen("127.0.0.1:0").await?;
//! bobs.expose("listener", &tcp)?;
//!
//! let connection = alices.tcp_connect(tcp.local_addr().to_string()).await?;
//! let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
//! let channel = alices.create_secure_channel(&alice, route![&connection, "listener"], only_bob).await?;
//! let reply = alices.context()?.send_and_receive::<String>(route![&channel, "echoer"], "hello").await?;
//! assert_eq!(reply.body(), "hello");
//! # Ok(())
//! # }
//! ```

mod channel;
mod channel_key;
mod channel_table;
mod decryptor;
mod encryptor;
mod error;
mod handle;
mod handshake;
mod handshake_queue;
mod hybrid;
mod initiator;
mod listener;
mod options;
mod plaintext;
pub(crate) mod record;
mod responder;

pub(crate) use channel_key::ChannelKey;
pub use error::ChannelError;
pub use handle::SecureChannel;
pub use handshake::HandshakeError;
pub(crate) use initiator::{open, open_with};
pub(crate) use listener::listen;
pub use listener::{IDLE_TIMEOUT, ROUTE_GRACE, SILENCE_TIMEOUT, SecureChannelListener};
pub use options::{HANDSHAKE_TIMEOUT, IsContact, SecureChannelOptions};
pub use record::{REKEY_INTERVAL, REPLAY_WINDOW};
