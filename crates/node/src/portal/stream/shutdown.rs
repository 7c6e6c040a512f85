//! What ends a stream from outside.

use super::super::admission::Revocation;
use super::super::message::EndReason;
use tokio_util::sync::CancellationToken;

/// What ends a stream from outside.
pub(in super::super) struct StreamShutdown {
    /// The connection that carries it.
    pub(in super::super) carrier: CancellationToken,
    /// The channel that it runs through.
    pub(in super::super) channel: CancellationToken,
    /// The inlet or outlet that it belongs to, and what is said when that closes.
    pub(in super::super) closed: (CancellationToken, EndReason),
    /// The whole node.
    pub(in super::super) stopping: CancellationToken,
    /// The permit it was let in with.
    pub(in super::super) revocation: Option<Revocation>,
}

impl StreamShutdown {
    pub(in super::super) async fn triggered(&self) -> EndReason {
        tokio::select! {
            // The most specific reason comes first: an owner who revokes may close the outlet in the same moment.
            biased;
            reason = revoked(self.revocation.as_ref()) => reason,
            // A node that stops closes its inlets and outlets: that is no decision of the owner.
            () = self.closed.0.cancelled() => match self.stopping.is_cancelled() {
                true => EndReason::Stopping,
                false => self.closed.1,
            },
            () = self.channel.cancelled() => EndReason::Disconnected,
            () = self.carrier.cancelled() => EndReason::Disconnected,
        }
    }
}

async fn revoked(revocation: Option<&Revocation>) -> EndReason {
    match revocation {
        Some(revocation) => revocation.revoked().await,
        None => std::future::pending().await,
    }
}
