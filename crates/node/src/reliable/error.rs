//! Why something was not sent, or a delivery not begun.

use super::store::{BODY_SIZE_MAX, StoreError};
use crate::router::AddressTaken;
use crate::secure_channel::ChannelError;

/// Why something was not sent, or a delivery not begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The message is too large.
    #[error("a message of {size} bytes is too large: send at most {BODY_SIZE_MAX} bytes at once")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A node has one reliable delivery.
    #[error("{0}: a node has one reliable delivery; stop the other, or use another node")]
    AddressTaken(#[from] AddressTaken),
    /// The key of the channels could not be attested.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Too many peers at once.
    #[error("{0} peers are connected or waited for, and no more are allowed: raise `DeliveryOptions::peers`")]
    TooManyPeers(usize),
    /// There is a route to that peer already.
    #[error("a channel to this peer is kept already: drop the connection to it first")]
    AlreadyConnected,
    /// The delivery or its node was stopped.
    #[error("the delivery was stopped")]
    Stopped,
}
