//! The handle of a stream.

use super::error::StreamError;
use super::queue::Queue;
use super::report::{Notices, Report, StreamState, StreamStats};
use crate::address::Address;
use crate::core::Core;
use crate::origin::{Origin, OriginId, Source};
use crate::sync::lock;
use postern_env::time::{self, Duration};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A pair of streams on a hub, one for each direction, that carries routed messages between two programs.
///
/// As the first hop of a [`Route`](crate::Route) it sends to the other program: `route![&stream, "listener"]`. What comes from
/// there reaches the addresses that are exposed to it. It keeps itself up until it is dropped or its node stops; what was sent
/// and not confirmed is then sent for one more second, and is lost after that.
///
/// See the [module](super) for what is guaranteed.
pub struct Stream {
    core: Arc<Core>,
    source: Arc<Source>,
    state: watch::Receiver<StreamState>,
    report: Arc<Report>,
    queue: Arc<Queue>,
    stop: CancellationToken,
    unknown: Mutex<Option<mpsc::Receiver<Address>>>,
}

/// What a stream's handle holds.
pub(super) struct StreamParts {
    pub(super) core: Arc<Core>,
    pub(super) source: Arc<Source>,
    pub(super) state: watch::Receiver<StreamState>,
    pub(super) report: Arc<Report>,
    pub(super) queue: Arc<Queue>,
    pub(super) stop: CancellationToken,
    pub(super) unknown: mpsc::Receiver<Address>,
}

/// What was sent and is not confirmed by the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unconfirmed {
    /// Messages.
    pub messages: usize,
    /// Their bytes in the stream.
    pub bytes: usize,
    /// How long the oldest has waited; nothing if everything is confirmed.
    pub oldest: Option<Duration>,
}

impl Stream {
    pub(super) fn of(parts: StreamParts) -> Self {
        let StreamParts { core, source, state, report, queue, stop, unknown } = parts;
        Self { core, source, state, report, queue, stop, unknown: Mutex::new(Some(unknown)) }
    }

    /// The address that sends to the other program.
    pub fn sender(&self) -> &Address {
        &self.source.sender
    }

    /// How it is doing now.
    pub fn state(&self) -> StreamState {
        self.state.borrow().clone()
    }

    /// Follows how it is doing.
    pub fn watch(&self) -> watch::Receiver<StreamState> {
        self.state.clone()
    }

    /// Waits until both directions are up.
    ///
    /// # Errors
    /// Why they are not, when an attempt has failed; it goes on trying.
    pub async fn up(&self) -> Result<(), Arc<StreamError>> {
        let mut state = self.state.clone();
        match state.wait_for(|state| !matches!(state, StreamState::Connecting)).await.as_deref() {
            Ok(StreamState::Up) => Ok(()),
            Ok(StreamState::Down(reason)) => Err(reason.clone()),
            _ => Err(Arc::new(StreamError::Stopped)),
        }
    }

    /// What the program should know of: gaps, records that were skipped, refusals of the hub.
    pub fn notices(&self) -> Notices {
        self.report.notices.clone()
    }

    /// What it has carried.
    pub fn stats(&self) -> &StreamStats {
        &self.report.stats
    }

    /// What was sent and is not confirmed by the hub. It is sent again until it is.
    pub fn unconfirmed(&self) -> Unconfirmed {
        let (messages, bytes) = self.queue.unconfirmed();
        Unconfirmed { messages, bytes, oldest: self.queue.unconfirmed_since().map(time::since) }
    }

    /// Waits until the hub has confirmed everything that was sent. Dropping the future changes nothing.
    pub async fn flushed(&self) {
        self.queue.drained().await;
    }

    /// The addresses of received messages that nothing in this node has, for the layer above, which asks once: messages of an
    /// earlier secure channel are among them.
    pub(crate) fn take_undeliverable(&self) -> Option<mpsc::Receiver<Address>> {
        lock(&self.unknown).take()
    }
}

impl From<&Stream> for Address {
    fn from(stream: &Stream) -> Self {
        stream.sender().clone()
    }
}

impl Origin for Stream {
    fn origin(&self) -> OriginId {
        self.source.origin
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.queue.close();
        self.stop.cancel();
        self.source.ended.cancel();
        self.core.router.withdraw(self.source.origin);
    }
}
