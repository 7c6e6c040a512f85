//! The task that calls the handler with the messages of one sender, one after the other, and marks them as handled.
//!
//! ```text
//! queue ─► begun mark ─► handler ─► commit: handled mark, effects, replies, begun mark of the next ─► peer task
//!             (unless the commit before has written it)     │ error: again, same id, redelivered
//! ```

use super::endpoint::Shared;
use super::event::{Event, Held};
use super::handler::{Handler, Received};
use super::message_id::{Epoch, MessageId, Stamp};
use super::receiver::Mark;
use super::state::DeliveryNotice;
use super::store::{DeliveryStore, Draft, Incoming, Progress, StoreError};
use crate::backoff::Backoff;
use crate::identity::Identifier;
use crate::worker::WorkerError;
use bytes::Bytes;
use postern_env::{random, time};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use tokio::sync::mpsc;

/// A message that waits for the handler.
pub(super) struct Queued {
    /// Void if the peer task has begun another since.
    pub(super) generation: u64,
    pub(super) epoch: Epoch,
    pub(super) counter: u64,
    pub(super) stamp: Stamp,
    pub(super) body: Bytes,
    pub(super) _held: Held,
}

pub(super) struct Handling<S: DeliveryStore, H> {
    shared: Arc<Shared<S, H>>,
    handler: H,
    peer: Identifier,
    queue: mpsc::Receiver<Queued>,
    /// Taken from the queue, to be handled next.
    next: Option<Queued>,
    generation: Arc<AtomicU64>,
    events: mpsc::UnboundedSender<Event>,
    /// Marked as begun together with the one before; the handler was not called with it yet.
    announced: Option<(Epoch, u64)>,
}

impl<S: DeliveryStore, H: Handler<S>> Handling<S, H> {
    pub(super) fn new(
        shared: &Arc<Shared<S, H>>,
        peer: Identifier,
        queue: mpsc::Receiver<Queued>,
        generation: &Arc<AtomicU64>,
        events: mpsc::UnboundedSender<Event>,
    ) -> Self {
        let (shared, handler, generation) = (shared.clone(), shared.handler.clone(), generation.clone());
        Self { shared, handler, peer, queue, next: None, generation, events, announced: None }
    }

    /// Ends with the queue. Dropping the future while the handler runs leaves the message to be handled again.
    pub(super) async fn run(mut self) {
        let mut known: Option<Progress> = None;
        while let Some(queued) = self.take_next().await {
            let mut progress = match known.filter(|progress| progress.epoch == queued.epoch) {
                Some(progress) => progress,
                None => self.load(queued.epoch).await,
            };
            if self.is_valid(&queued) && queued.counter == progress.incoming.last + 1 {
                self.handle(&queued, &mut progress).await;
            }
            known = Some(progress);
        }
    }

    async fn take_next(&mut self) -> Option<Queued> {
        match self.next.take() {
            Some(queued) => Some(queued),
            None => self.queue.recv().await,
        }
    }

    fn is_valid(&self, queued: &Queued) -> bool {
        queued.generation == self.generation.load(Ordering::Acquire)
    }

    /// How far the store says that the epoch was handled.
    async fn load(&self, epoch: Epoch) -> Progress {
        let mut backoff = self.backoff();
        loop {
            match self.shared.store.incoming(&self.peer, &epoch).await {
                Ok(incoming) => return Progress { peer: self.peer, epoch, incoming },
                Err(error) => self.wait_for_store(error, &mut backoff).await,
            }
        }
    }

    fn backoff(&self) -> Backoff {
        let options = &self.shared.options;
        Backoff::new(options.first_handler_retry, options.longest_handler_retry)
    }

    async fn wait_for_store(&self, error: StoreError, backoff: &mut Backoff) {
        self.shared.store_failed(self.peer, &error);
        time::sleep(backoff.next(random::fraction())).await;
    }

    /// Calls the handler until it has succeeded and that is written.
    async fn handle(&mut self, queued: &Queued, progress: &mut Progress) {
        let mut redelivered = self.begin(queued, progress).await;
        let mut backoff = self.backoff();
        let id = MessageId { epoch: queued.epoch, counter: queued.counter };
        for attempts in 1.. {
            let mut message = Received {
                store: &self.shared.store,
                key: &self.shared.key,
                from: self.peer,
                id,
                redelivered,
                body: queued.body.clone(),
                transaction: None,
                drafts: Vec::new(),
            };
            let called = catch_panic(self.handler.handle(&mut message)).await;
            let Received { transaction, drafts, .. } = message;
            let called = called.unwrap_or_else(|| {
                // What it holds may be half changed.
                self.handler = self.shared.handler.clone();
                Err("the handler panicked".into())
            });
            let outcome = match called {
                Ok(()) => self.finish(queued, progress, transaction, drafts).await,
                Err(error) => {
                    drop(transaction);
                    Err(error)
                }
            };
            let Err(error) = outcome else { return };
            redelivered = true;
            let error = error.to_string().into();
            self.shared.notice(DeliveryNotice::HandlerFailed { peer: self.peer, id, attempts, error });
            time::sleep(backoff.next(random::fraction())).await;
            if !self.is_valid(queued) {
                // The sender has given what was not handled other ids.
                return;
            }
        }
    }

    /// Marks a message as begun, before the handler can have an effect. Returns whether it was before.
    async fn begin(&mut self, queued: &Queued, progress: &mut Progress) -> bool {
        let announced = self.announced.take() == Some((queued.epoch, queued.counter));
        if progress.incoming.begun >= queued.counter {
            return !announced;
        }
        progress.incoming.begun = queued.counter;
        let mut backoff = self.backoff();
        while let Err(error) = self.shared.store.commit(None, *progress, Vec::new()).await {
            self.wait_for_store(error, &mut backoff).await;
        }
        false
    }

    /// Marks a message as handled, and the next as begun if it is there: one commit for each message.
    async fn finish(
        &mut self,
        queued: &Queued,
        progress: &mut Progress,
        transaction: Option<S::Transaction>,
        drafts: Vec<Draft>,
    ) -> Result<(), WorkerError> {
        if self.next.is_none() {
            self.next = self.queue.try_recv().ok();
        }
        let next = self.next.as_ref().filter(|next| next.epoch == queued.epoch && self.is_valid(next));
        let announced = next.map(|next| next.counter).filter(|counter| *counter == queued.counter + 1);
        let begun = announced.unwrap_or(queued.counter);
        let incoming = Incoming { last: queued.counter, stamp: queued.stamp, begun };
        let handled = Progress { incoming, ..*progress };
        let (is_transactional, mut transaction) = (transaction.is_some(), transaction);
        let mut backoff = self.backoff();
        let sequences = loop {
            match self.shared.store.commit(transaction.take(), handled, drafts.clone()).await {
                Ok(sequences) => break sequences,
                // Its effect is undone.
                Err(error) if is_transactional => return Err(error.into()),
                Err(error) => self.wait_for_store(error, &mut backoff).await,
            }
        };
        *progress = handled;
        self.announced = announced.map(|counter| (queued.epoch, counter));
        for (draft, sequence) in drafts.iter().zip(sequences) {
            self.shared.appended(draft, sequence);
        }
        let mark = Mark { counter: queued.counter, stamp: queued.stamp };
        let _ = self.events.send(Event::Handled { epoch: queued.epoch, mark });
        Ok(())
    }
}

/// Runs a future to its end; nothing if it panics.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(None),
    })
    .await
}
