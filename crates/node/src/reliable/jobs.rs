//! What one peer's task has asked of the store and not got yet. One of each kind at a time, so that what comes meanwhile is done
//! together by the next: several messages are stored by one commit, and several acknowledgements need one sync.

use super::error::DeliveryError;
use super::event::SendRequest;
use super::message_id::{Epoch, MessageId, Stamp};
use super::receiver::Mark;
use super::sender::Ready;
use super::store::{Appended, StoreError, Usage};
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What a job has come to.
pub(super) enum Done {
    /// Messages of the program were stored.
    Append { requests: Vec<SendRequest>, stamps: Vec<(Stamp, Bytes)>, result: Result<Appended, StoreError> },
    /// All that was written before is on the disk: messages that handlers have sent, and marks.
    Sync { sequence: u64, handled: Option<(Epoch, Mark)>, result: Result<(), StoreError> },
    /// Acknowledged messages were deleted.
    Acknowledge { sequence: u64, stamp: Stamp, result: Result<Usage, StoreError> },
    /// Outstanding messages were read.
    Read { result: Result<Vec<Ready>, StoreError> },
}

type Job = Pin<Box<dyn Future<Output = Done> + Send>>;

/// The jobs that run.
#[derive(Default)]
pub(super) struct Jobs {
    running: [Option<Job>; 4],
}

/// The kinds of jobs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Append,
    Sync,
    Acknowledge,
    Read,
}

impl Jobs {
    pub(super) fn is_running(&self, kind: Kind) -> bool {
        self.running[kind as usize].is_some()
    }

    /// Begins a job; the caller has seen that none of its kind runs.
    pub(super) fn begin(&mut self, kind: Kind, job: impl Future<Output = Done> + Send + 'static) {
        self.running[kind as usize] = Some(Box::pin(job));
    }

    /// Waits for the next job that is done. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Done {
        poll_fn(|context| {
            for slot in &mut self.running {
                if let Some(job) = slot
                    && let Poll::Ready(done) = job.as_mut().poll(context)
                {
                    *slot = None;
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for the job of a kind, if one runs.
    pub(super) async fn take(&mut self, kind: Kind) -> Option<Done> {
        match self.running[kind as usize].take() {
            Some(job) => Some(job.await),
            None => None,
        }
    }
}

impl SendRequest {
    pub(super) fn answer(self, result: Result<Vec<MessageId>, DeliveryError>) {
        // Who has given up waiting is not told; the messages are sent all the same.
        let _ = self.stored.send(result);
    }
}
