//! Sessions: what keeps itself up. A [`HubSession`] holds a connection to a hub, with a relay if it has a name for
//! one; a [`ChannelSession`] holds a secure channel through such a connection.
//!
//! ```text
//! HubSession      connect ─► channel with the hub ─► register relay ─► Up ─── either ends ──► Down ─ backoff ─► connect …
//!                            (as an identity only)
//! ChannelSession  hub is Up ─► handshakes until one is answered ─► Up ─── cut, or suspected dead ─► handshakes …
//! ```

mod channel;
mod error;
mod hub;
mod mailbox;
mod state;

pub(crate) use channel::keep as keep_channel;
pub use channel::{ChannelSession, FIRST_HANDSHAKE_RETRY, LONGEST_HANDSHAKE_RETRY, RETIRE_AFTER};
pub use error::SessionError;
pub(crate) use hub::keep as keep_hub;
pub use hub::{
    FIRST_RETRY, HUB_LISTENER, HubOptions, HubSession, HubUp, LONG_OUTAGE, LONG_OUTAGE_RETRY, LONGEST_RETRY,
};
pub(crate) use mailbox::keep as keep_mailbox;
pub use mailbox::{Acknowledger, MailboxSession};
pub use state::State;
