//! Mailboxes (`docs/wire.md` §11): a hub keeps sealed messages for identities that are not there.
//!
//! ```text
//! sender ── Deposit(to, sealed) ─► hub: mailbox ── Mail ─► MailboxSession ─► program
//!        ◄───────────── Answer ──    (its disk)  ◄─ Acknowledge ── once the program has done with it
//! ```
//!
//! Everything goes through a secure channel with the hub, so the hub knows for certain whose mailbox may be read: that of
//! the identity at the other end. Every identity with a channel may deposit, for those who have
//! opened a mailbox there. A message comes **at least once**: it stays until it
//! is acknowledged or [too old](EXPIRY), and may come again after every reconnection. The hub can drop, delay and repeat
//! messages, and sees for whom they are; what is in them, and who wrote it, is for [`sealed`](crate::sealed) to protect.
//!
//! # Example
//!
//! ```
//! use postern_hub::{Hub, HubConfig};
//! use postern_node::identity::TrustPolicy;
//! use postern_node::session::HubOptions;
//! use postern_node::Node;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::start(&HubConfig::parse("listen = '127.0.0.1:0'")?).await?;
//! let address = hub.local_addr().to_string();
//! let options = || HubOptions { relay: None, trust: TrustPolicy::only([hub.identifier()]) };
//! let (alices, bobs) = (Node::new(), Node::new());
//! let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
//!
//! // A hub keeps mail only for those who have been there: Bob opens his mailbox once.
//! let session = bobs.keep_connected_as(&bob, &address, options()).await?;
//! let mailbox = bobs.keep_mailbox(&session);
//! mailbox.watch().wait_for(|state| state.up().is_some()).await?;
//! drop((mailbox, session));
//!
//! // Alice deposits. A real program seals the message first, so that the hub cannot read it.
//! let session = alices.keep_connected_as(&alice, &address, options()).await?;
//! let channel = session.up().await?.channel.expect("a session as an identity has a channel");
//! let id = alices.deposit_mail(&channel, bob.identifier(), b"hello").await?;
//!
//! // Later Bob receives, and acknowledges.
//! let session = bobs.keep_connected_as(&bob, &address, options()).await?;
//! let mut mailbox = bobs.keep_mailbox(&session);
//! let mail = mailbox.next().await.expect("the node runs");
//! assert_eq!((mail.id, &*mail.sealed), (id, &b"hello"[..]));
//! mailbox.acknowledge(mail.id);
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod message;

pub(crate) use client::deposit;
pub use client::{ANSWER_TIMEOUT, MAILBOX_SERVICE};
pub use error::MailboxError;
pub use message::{Mail, MailId, MailboxReply, MailboxRequest, Outcome, add_hub_time, hub_time};

use crate::sealed::SEALED_SIZE_MAX;
use postern_env::time::Duration;

/// The most bytes of a message.
pub const MAIL_SIZE_MAX: usize = SEALED_SIZE_MAX;
/// How long a hub keeps a message, unless configured otherwise.
pub const EXPIRY: Duration = Duration::from_secs(14 * 24 * 3600);
/// Messages that a hub sends to a subscriber before it waits for the first to be acknowledged.
pub const IN_FLIGHT: usize = 32;
