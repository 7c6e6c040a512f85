//! Why a secure channel was not opened, or is no more.

use super::handshake::HandshakeError;
use crate::identity::Error as IdentityError;
use crate::router::AddressTaken;
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;

/// Why a secure channel was not opened, or is no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer did not answer, or is not there.
    #[error("no answer from the other side within {} seconds: is it running, and is the route right?", .0.as_secs())]
    Timeout(Duration),
    /// The other side answers other requests over the same connection, but no handshake: it has no identity.
    #[error("the other side answers, but takes no secure channel")]
    NotOffered,
    /// The first hop of the route could not be reached.
    #[error("cannot reach the other side: {0}")]
    Unreachable(#[from] Undeliverable),
    /// The cryptographic handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// The peer failed to prove its identity, or is not trusted.
    #[error("the other side was refused: {0}")]
    Identity(#[from] IdentityError),
    /// The peer gave no way back.
    #[error("the other side gave no way back")]
    NoRoute,
    /// The system has no randomness to give.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// A fresh random address was taken.
    #[error("a random address was already in use")]
    AddressInUse,
    /// The listener's address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
    /// It was closed meanwhile.
    #[error("the channel was closed")]
    Closed,
}
