//! The task that calls the handler with the messages of one sender, one after the other, and marks them as handled.
//!
//! ```text
//! queue ─► announced ─► handler ─► mark, written while the next is handled; or, with effects or replies,
//!                          │       one commit: mark, effects, replies          ─► peer task
//!                          └ error: again, same id, redelivered
//! ```

use super::event::{Event, Held};
use super::handler::{Handler, Received};
use super::marks::{Marks, wait_for_store};
use super::message_id::{Epoch, MessageId, Stamp};
use super::receiver::Mark;
use super::shared::Shared;
use super::state::DeliveryNotice;
use super::store::{DeliveryStore, Draft};
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
    generation: Arc<AtomicU64>,
    events: mpsc::UnboundedSender<Event>,
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
        Self { shared, handler, peer, queue, generation, events }
    }

    /// Ends with the queue. Dropping the future while the handler runs leaves the message to be handled again, and those before
    /// it whose marks are not written.
    pub(super) async fn run(mut self) {
        let mut known: Option<Marks<S, H>> = None;
        while let Some(queued) = self.take_next(known.as_mut()).await {
            let mut marks = match known {
                Some(marks) if marks.epoch() == queued.epoch => marks,
                other => {
                    if let Some(mut before) = other {
                        before.settle().await;
                    }
                    Marks::load(&self.shared, self.peer, queued.epoch, &self.events).await
                }
            };
            if self.is_valid(&queued) && queued.counter == marks.last() + 1 {
                self.handle(&queued, &mut marks).await;
            }
            known = Some(marks);
        }
    }

    async fn take_next(&mut self, marks: Option<&mut Marks<S, H>>) -> Option<Queued> {
        match marks {
            Some(marks) => marks.write_during(self.queue.recv()).await,
            None => self.queue.recv().await,
        }
    }

    fn is_valid(&self, queued: &Queued) -> bool {
        queued.generation == self.generation.load(Ordering::Acquire)
    }

    /// Calls the handler until it has succeeded and that is written, or is being written.
    async fn handle(&mut self, queued: &Queued, marks: &mut Marks<S, H>) {
        let mut redelivered = marks.begin(queued.counter).await;
        let mut backoff = self.shared.handler_backoff();
        let id = MessageId { epoch: queued.epoch, counter: queued.counter };
        for attempts in 1.. {
            let Err(error) = self.attempt(queued, id, redelivered, marks).await else { return };
            redelivered = true;
            let error = error.to_string().into();
            self.shared.notice(DeliveryNotice::HandlerFailed { peer: self.peer, id, attempts, error });
            marks.write_during(time::sleep(backoff.next(random::fraction()))).await;
            if !self.is_valid(queued) {
                // The sender has given what was not handled other ids.
                return;
            }
        }
    }

    /// Calls the handler once, and marks the message if it has succeeded.
    async fn attempt(
        &mut self,
        queued: &Queued,
        id: MessageId,
        redelivered: bool,
        marks: &mut Marks<S, H>,
    ) -> Result<(), WorkerError> {
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
        let called = marks.write_during(catch_panic(self.handler.handle(&mut message))).await;
        let Received { transaction, drafts, .. } = message;
        match called {
            Some(Ok(())) => {}
            // Without the transaction, what was written through it is undone.
            Some(Err(error)) => return Err(error),
            None => {
                // What it holds may be half changed.
                self.handler = self.shared.handler.clone();
                return Err("the handler panicked".into());
            }
        }
        let mark = Mark { counter: queued.counter, stamp: queued.stamp };
        if transaction.is_none() && drafts.is_empty() {
            marks.handled(mark, self.queue.len()).await;
            return Ok(());
        }
        self.commit(mark, marks, transaction, drafts).await
    }

    /// Marks a message together with what its handler has written and what it sends.
    async fn commit(
        &mut self,
        mark: Mark,
        marks: &mut Marks<S, H>,
        transaction: Option<S::Transaction>,
        drafts: Vec<Draft>,
    ) -> Result<(), WorkerError> {
        let progress = marks.progress_after(mark, self.queue.len());
        let (is_transactional, mut transaction) = (transaction.is_some(), transaction);
        let mut backoff = self.shared.handler_backoff();
        // A write of older marks that is under way is not waited for: it may itself wait for the end of the transaction.
        let sequences = loop {
            match self.shared.store.commit(transaction.take(), progress, drafts.clone()).await {
                Ok(sequences) => break sequences,
                // Its effect is undone.
                Err(error) if is_transactional => return Err(error.into()),
                Err(error) => wait_for_store(&self.shared, self.peer, &error, &mut backoff).await,
            }
        };
        for (draft, sequence) in drafts.iter().zip(sequences) {
            self.shared.appended(draft, sequence);
        }
        marks.committed(progress.incoming);
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
