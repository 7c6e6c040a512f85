//! The channel that a peer's task uses.

use crate::address::Address;
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use tokio_util::sync::CancellationToken;

/// The channel that is used.
pub(super) struct CurrentChannel {
    pub(super) address: Address,
    pub(super) to_peer: Route,
    pub(super) ended: CancellationToken,
    /// Its handle, if this node has made it.
    pub(super) own: Option<SecureChannel>,
}

/// Waits until the channel ends.
pub(super) async fn ended(channel: Option<&CurrentChannel>) {
    match channel {
        Some(channel) => channel.ended.cancelled().await,
        None => std::future::pending().await,
    }
}
