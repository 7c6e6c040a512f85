//! What both directions of a stream do: they find a way to the hub, work over it until it fails, and try again.

use super::error::StreamError;
use super::path::{HubPath, Link};
use super::report::{Direction, Report};
use crate::backoff::Backoff;
use crate::core::Core;
use postern_env::random;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// First wait before a direction tries again: as for the connection to the hub.
const FIRST_RETRY: Duration = crate::session::FIRST_RETRY;
/// Longest wait. Chosen: a stream that is full, or that belongs to others, may change; each attempt is one request.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// One direction of a stream.
pub(super) trait DirectionTask: Send {
    const DIRECTION: Direction;

    /// Works over a link until that fails.
    fn serve(&mut self, link: &Link) -> impl Future<Output = StreamError> + Send;

    /// How far it has come: a failure after it has moved is a new one.
    fn moved(&self) -> u64;

    fn report(&self) -> &Report;
}

/// Keeps a direction up, until there is no way to the hub any more or `stop` is cancelled. A task that has something to do then
/// watches the token itself.
pub(super) async fn keep<D: DirectionTask>(core: Arc<Core>, mut path: HubPath, stop: CancellationToken, mut task: D) {
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        let down = |error: StreamError| task.report().down(D::DIRECTION, Arc::new(error));
        let link = match stop.run_until_cancelled(path.next(&core, down)).await {
            Some(Ok(link)) => link,
            stopped => return down(stopped.and_then(Result::err).unwrap_or(StreamError::Stopped)),
        };
        let moved = task.moved();
        let error = task.serve(&link).await;
        tracing::debug!(direction = ?D::DIRECTION, %error, "a stream is down");
        task.report().down(D::DIRECTION, Arc::new(error));
        if task.moved() != moved {
            backoff.reset();
        }
        stop.run_until_cancelled(time::sleep(backoff.next(random::fraction()))).await;
    }
}
