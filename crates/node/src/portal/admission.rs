//! Admission control: an [`AdmissionPolicy`] in front of an outlet decides about every stream, and can cut it at any moment.
//!
//! ```text
//! Ping ─► Outlet ─► AdmissionPolicy::admit ─┬─ Err(reason) ─► the inlet shows the reason
//!                                └─ Ok(Permit) ──► stream ─ Revocation::revoke(reason) ─► cut, both ends show the reason
//!                                                     └──── whatever ends it ───────────► Permit::when_ended
//! ```

use super::message::EndReason;
use super::meter::{LiveStream, Meter};
use crate::identity::VerifiedPeer;
use postern_env::time::{self, Duration, Instant};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Decides about every stream that is to be opened through an outlet, and is notified of its end.
pub trait AdmissionPolicy: Send + Sync + 'static {
    /// Admits a stream, or gives the reason for refusing it, which is sent to the other side. `peer` is `None` without a secure
    /// channel.
    ///
    /// It runs on the task that reads the connection, before the service is connected to: it must not block.
    ///
    /// # Errors
    /// Why the stream is refused.
    fn admit(&self, peer: Option<&VerifiedPeer>) -> Result<Permit, EndReason>;
}

/// Ends, at once and for a reason, every stream that was let in under it. Clones revoke the same streams.
#[derive(Debug, Clone, Default)]
pub struct Revocation(Arc<Revoked>);

#[derive(Debug, Default)]
struct Revoked {
    token: CancellationToken,
    reason: OnceLock<EndReason>,
}

impl Revocation {
    /// One that has not happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the streams under it: both programs see a reset, and the reason is sent to the other side.
    ///
    /// Streams let in under it later end at once. Only the first reason counts.
    pub fn revoke(&self, reason: EndReason) {
        let _ = self.0.reason.set(reason);
        self.0.token.cancel();
    }

    /// Whether it has happened.
    pub fn is_revoked(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// Waits until it happens.
    pub(super) async fn revoked(&self) -> EndReason {
        self.0.token.cancelled().await;
        self.0.reason.get().copied().unwrap_or(EndReason::Revoked)
    }
}

/// What became of a stream that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEnd {
    /// Bytes from the service to the client.
    pub sent: u64,
    /// Bytes from the client to the service.
    pub received: u64,
    /// From being let in to the end.
    pub duration: Duration,
    /// Why it ended early, if both sides had not finished.
    pub result: Result<(), EndReason>,
}

type OnEnd = Box<dyn FnOnce(StreamEnd) + Send>;

/// What a gate gives to a stream that it lets in. The stream counts as live in its [`Meter`] from now until it ends.
pub struct Permit {
    live: LiveStream,
    revocation: Option<Revocation>,
    on_end: Option<OnEnd>,
}

impl Permit {
    /// Lets a stream in that counts what it carries in `meter`.
    pub fn new(meter: &Arc<Meter>) -> Self {
        Self::from(meter.enter(u64::MAX).unwrap_or_else(|| unreachable!("so many streams fit no machine")))
    }

    /// The same, if `meter` has fewer than `max` live streams.
    ///
    /// # Errors
    /// [`EndReason::TooMany`].
    pub fn limited(meter: &Arc<Meter>, max: u64) -> Result<Self, EndReason> {
        meter.enter(max).map(Self::from).ok_or(EndReason::TooMany)
    }

    /// Ends the stream when this is revoked.
    #[must_use]
    pub fn revocable_by(mut self, revocation: &Revocation) -> Self {
        self.revocation = Some(revocation.clone());
        self
    }

    /// Calls this once when the stream has ended, whatever ended it, and is no longer live in its meter. It must not
    /// block.
    #[must_use]
    pub fn when_ended(mut self, on_end: impl FnOnce(StreamEnd) + Send + 'static) -> Self {
        self.on_end = Some(Box::new(on_end));
        self
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        self.live.meter()
    }

    pub(super) fn revocation(&self) -> Option<&Revocation> {
        self.revocation.as_ref()
    }
}

impl From<LiveStream> for Permit {
    fn from(live: LiveStream) -> Self {
        Self { live, revocation: None, on_end: None }
    }
}

/// A permit in use: notifies the policy of the end of its stream, also when the stream's task is dropped.
pub(super) struct ActivePermit {
    live: Option<LiveStream>,
    on_end: Option<OnEnd>,
    begun: Instant,
}

impl ActivePermit {
    pub(super) fn under(permit: Permit) -> Self {
        Self { live: Some(permit.live), on_end: permit.on_end, begun: time::now() }
    }

    pub(super) fn finish(mut self, (sent, received): (u64, u64), result: Result<(), EndReason>) {
        self.notify(sent, received, result);
    }

    fn notify(&mut self, sent: u64, received: u64, result: Result<(), EndReason>) {
        // The callback must not find the stream live any more.
        self.live = None;
        if let Some(on_end) = self.on_end.take() {
            on_end(StreamEnd { sent, received, duration: time::since(self.begun), result });
        }
    }
}

impl Drop for ActivePermit {
    fn drop(&mut self) {
        self.notify(0, 0, Err(EndReason::Stopping));
    }
}
