//! Where remote messages come from: the origin that access control at an address is decided by.
//!
//! Every connection and every channel has an [`OriginId`], and so has every listener. A message carries its [`Source`]:
//! its origin, that of the listener which accepted it, and who the channel says is at the other end.

use crate::address::Address;
use crate::identity::VerifiedPeer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Names where messages come from: a connection, a channel, or the listener that made them.
///
/// A remote side reaches an address only if the address was exposed to its flow or to its listener's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OriginId(u64);

impl OriginId {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Anything that remote messages come from, and that an address can therefore be exposed to.
pub trait Origin {
    /// The flow of its messages.
    fn origin(&self) -> OriginId;
}

impl Origin for OriginId {
    fn origin(&self) -> OriginId {
        *self
    }
}

/// Where a remote message came from.
pub(crate) struct Source {
    pub(crate) origin: OriginId,
    /// The listener's flow, if one accepted this connection or channel.
    pub(crate) listener: Option<OriginId>,
    /// Goes on the front of the return route: what answers must be sent to.
    pub(crate) sender: Address,
    /// Who is at the other end, if a secure channel says so.
    pub(crate) peer: Option<Arc<VerifiedPeer>>,
    /// The connection right under it, if it is a channel that runs over one.
    pub(crate) carrier_address: Option<Address>,
    /// Set once a secure channel was made over it: larger frames are allowed then.
    pub(crate) authenticated: AtomicBool,
    /// Set on a connection that many peers share, whose streams have flow control: it is not held for long for one of them.
    pub(crate) flow_controlled: AtomicBool,
    /// Set on a connection by every frame in either direction, for whoever asks whether it is used.
    pub(crate) used: AtomicBool,
    /// Cancelled when nothing more will come from there.
    pub(crate) ended: CancellationToken,
    /// Cancelled when the connection that carries it ends: what was on the way is then lost.
    pub(crate) carrier: CancellationToken,
    /// Set once the other end is known to ask regularly whether we are there: its silence then means something.
    pub(crate) probed: Arc<AtomicBool>,
    /// How long the handshake of a channel took, there and back. Nothing is known of connections.
    pub(crate) round_trip: Duration,
}

#[cfg(test)]
impl Source {
    /// A connection that is open.
    pub(crate) fn of_connection(sender: Address, listener: Option<OriginId>) -> Self {
        let ended = CancellationToken::new();
        Self {
            origin: OriginId::fresh(),
            listener,
            sender,
            peer: None,
            carrier_address: None,
            authenticated: AtomicBool::default(),
            flow_controlled: AtomicBool::default(),
            used: AtomicBool::default(),
            carrier: ended.clone(),
            ended,
            probed: Arc::default(),
            round_trip: Duration::ZERO,
        }
    }
}
