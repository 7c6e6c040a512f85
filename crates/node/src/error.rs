//! What can go wrong in a node.

use crate::address::Address;
use crate::delivery::Undeliverable;
use crate::identity::Error as IdentityError;
use crate::mailbox::MailboxError;
use crate::message::DecodeError;
use crate::portal::PortalError;
use crate::relay::RelayError;
use crate::router::AddressTaken;
use crate::secure_channel::ChannelError;
use crate::tcp::TcpError;
use crate::vault::Error as VaultError;
use std::time::Duration;

/// The result of most of what a node does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a node. Every variant says in which room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first hop of a route could not be reached.
    #[error("cannot deliver: {0}")]
    Undeliverable(#[from] Undeliverable),
    /// Nothing came within the time.
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    /// The worker or its node was stopped.
    #[error("the node was stopped")]
    Stopped,
    /// A payload was of another type than expected.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
    /// There is no such address in this node.
    #[error("there is nothing at the address `{0}` in this node")]
    NoSuchAddress(Address),
    /// The TCP transport.
    #[error(transparent)]
    Tcp(#[from] TcpError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// An identity, ours or the peer's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A secure channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// A mailbox.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// A portal.
    #[error(transparent)]
    Portal(#[from] PortalError),
    /// A worker's own error.
    #[error("{0}")]
    Worker(Box<dyn std::error::Error + Send + Sync>),
}
