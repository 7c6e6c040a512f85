//! Sessions: what keeps itself up. A [`HubSession`] holds a connection to a hub, with a relay if it has a name for
//! one; a [`ChannelSession`] holds a secure channel through such a connection; a [`CredentialSession`] holds a valid credential.
//!
//! ```text
//! HubSession      connect ─► channel with the hub ─► register relay ─► Up ─── either ends ──► Down ─ backoff ─► connect …
//!                            (as an identity only)
//! ChannelSession  hub is Up ─► handshakes until one is answered ─► Up ─── cut, or suspected dead ─► handshakes …
//! ```
//!
//! # Example
//!
//! A connection that reconnects by itself, and a secure channel that follows it:
//!
//! ```
//! use postern_node::{Echoer, Node, SecureChannelOptions, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alices, bobs) = (Node::new(), Node::new());
//! let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
//! let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
//! let channels = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
//! bobs.start_worker("echoer", Echoer)?;
//! bobs.expose("echoer", &channels)?;
//! let tcp = bobs.tcp_listen("127.0.0.1:0").await?;
//! bobs.expose("listener", &tcp)?;
//!
//! // Dropping a session ends it.
//! let connection = alices.keep_connected(tcp.local_addr().to_string(), None);
//! let only_bob = SecureChannelOptions::trust_only([bob.identifier()]);
//! let session = alices.keep_channel(&connection, &alice, route!["listener"], only_bob).await?;
//! let channel = session.up().await?;
//! let reply = alices.context()?.send_and_receive::<String>(route![&channel, "echoer"], "hello").await?;
//! assert_eq!(reply.body(), "hello");
//! # Ok(())
//! # }
//! ```

mod channel;
mod credential;
mod error;
mod hub;
mod mailbox;
mod retry_schedule;
mod state;
mod static_route;

pub(crate) use channel::keep as keep_channel;
pub use channel::{ChannelSession, FIRST_HANDSHAKE_RETRY, LONGEST_HANDSHAKE_RETRY, RETIRE_AFTER};
pub(crate) use credential::keep as keep_credential;
pub use credential::{CredentialSession, CredentialSource};
pub use error::SessionError;
pub(crate) use hub::keep as keep_hub;
pub use hub::{HUB_LISTENER, HubOptions, HubSession, HubUp};
pub(crate) use mailbox::keep as keep_mailbox;
pub use mailbox::{Acknowledger, MailboxSession};
pub use retry_schedule::{FIRST_RETRY, LONG_OUTAGE, LONG_OUTAGE_RETRY, LONGEST_RETRY};
pub use state::State;
pub(crate) use static_route::open as open_static_route;
