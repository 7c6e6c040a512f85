//! The channels between the driver and its frontends.
//!
//! In: [`EngineCommand`]s, at most [`MAX_REQUESTS`] of them queued; a frontend that sends more waits (backpressure). Out:
//! the snapshot, traffic and notices, which never wait for a frontend: a slow one sees only the newest snapshot, and
//! misses the oldest notices.

use crate::api::{Answer, Fault, Notice, Request, Snapshot, Traffic};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Requests that may be queued. Chosen: more than all frontends of one person send at once.
pub(crate) const MAX_REQUESTS: usize = 64;

/// What a frontend asks of the driver.
pub(crate) enum EngineCommand {
    /// Carries out a request and sends its answer.
    Request(Request, ResponseSender),
    /// Stops the engine.
    Shutdown,
}

/// Where the answer to a request goes. Nobody may be waiting any more.
pub(crate) type ResponseSender = oneshot::Sender<Result<Answer, Fault>>;

/// The driver's ends of the channels.
pub(crate) struct FrontendChannels {
    pub(crate) commands: mpsc::Receiver<EngineCommand>,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) traffic: watch::Sender<Arc<Traffic>>,
    pub(crate) notices: broadcast::Sender<Notice>,
}
