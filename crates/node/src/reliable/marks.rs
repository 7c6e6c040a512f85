//! How far the messages of one sender and epoch were handled: written to the store while the handler goes on with the next.
//!
//! ```text
//! counter:   … written │ handled, not written (at most `unmarked`) │ announced: the handler may be called │ …
//! ```
//!
//! As long as a mark is not written, one write of the newest is under way: the more messages are handled meanwhile, the more one
//! write covers. A handler that is slower than the store has each mark written before its next call ends.

use super::event::Event;
use super::handler::Handler;
use super::message_id::Epoch;
use super::receiver::Mark;
use super::shared::Shared;
use super::store::{DeliveryStore, Incoming, Progress, StoreError};
use crate::backoff::Backoff;
use crate::identity::Identifier;
use postern_env::{random, time};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a write puts into the store; it is repeated until it succeeds.
struct Write {
    incoming: Incoming,
    done: Pin<Box<dyn Future<Output = ()> + Send>>,
}

pub(super) struct Marks<S, H> {
    shared: Arc<Shared<S, H>>,
    peer: Identifier,
    epoch: Epoch,
    events: mpsc::UnboundedSender<Event>,
    /// What the store has.
    written: Incoming,
    /// The last message whose handler has succeeded.
    handled: Mark,
    /// The highest that a handler was called with, or was about to be, by the process before, or was called with by this one.
    called: u64,
    /// Messages behind the last one handled that are announced to the store with its mark, at most.
    ahead: u64,
    /// Messages behind the last one handled that have arrived.
    waiting: u64,
    /// Whether a message was handled while the present write is under way.
    overlapped: bool,
    write: Option<Write>,
}

impl<S: DeliveryStore, H: Handler<S>> Marks<S, H> {
    /// Takes up what the store has; waits until it can be read.
    pub(super) async fn load(
        shared: &Arc<Shared<S, H>>,
        peer: Identifier,
        epoch: Epoch,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Self {
        let mut backoff = shared.handler_backoff();
        let written = loop {
            match shared.store.incoming(&peer, &epoch).await {
                Ok(incoming) => break incoming,
                Err(error) => wait_for_store(shared, peer, &error, &mut backoff).await,
            }
        };
        let handled = Mark { counter: written.last, stamp: written.stamp };
        let (shared, events, called) = (shared.clone(), events.clone(), written.begun);
        Self {
            shared,
            peer,
            epoch,
            events,
            written,
            handled,
            called,
            ahead: 1,
            waiting: 0,
            overlapped: false,
            write: None,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last message whose handler has succeeded.
    pub(super) fn last(&self) -> u64 {
        self.handled.counter
    }

    /// What the store is to have when the handler has succeeded with a message.
    fn after(&self, handled: Mark) -> Incoming {
        let Mark { counter, stamp } = handled;
        let announced = counter + self.ahead.min(self.waiting);
        Incoming { last: counter, stamp, begun: announced.max(self.written.begun) }
    }

    /// Makes sure that the store knows of a call of the handler with the next message before it happens, in case the process ends
    /// in it. Returns whether it may have been called with it before.
    pub(super) async fn begin(&mut self, counter: u64) -> bool {
        while self.written.begun < counter {
            if self.write.is_some() {
                // The handler is faster than the store: announce more.
                if self.overlapped {
                    self.ahead = (2 * self.ahead).min(self.shared.options.unmarked.max(1));
                }
                self.wait_for_write().await;
            } else {
                let Mark { counter: last, stamp } = self.handled;
                self.begin_write(Incoming { last, stamp, begun: counter });
            }
        }
        let before = self.called >= counter;
        self.called = self.called.max(counter);
        before
    }

    /// The handler has succeeded with the next message, behind which so many wait; its mark may be written later.
    pub(super) async fn handled(&mut self, mark: Mark, waiting: usize) {
        let unmarked = self.shared.options.unmarked.max(1);
        (self.handled, self.waiting) = (mark, waiting as u64);
        self.overlapped = self.write.is_some();
        self.ahead = self.ahead.max(unmarked.min(2));
        if self.write.is_none() {
            self.begin_write(self.after(mark));
        }
        while self.handled.counter - self.written.last >= unmarked {
            self.wait_for_write().await;
        }
    }

    /// What a commit of the handler's own effects is to write with them.
    pub(super) fn progress_after(&mut self, mark: Mark, waiting: usize) -> Progress {
        // Such a handler waits for each commit: it gains nothing from announcements, each of which may be a wrong flag.
        (self.ahead, self.waiting) = (1, waiting as u64);
        Progress { peer: self.peer, epoch: self.epoch, incoming: self.after(mark) }
    }

    /// That commit has been made. A write of an older mark that is still under way changes nothing in the store.
    pub(super) fn committed(&mut self, incoming: Incoming) {
        self.handled = Mark { counter: incoming.last, stamp: incoming.stamp };
        self.on_written(incoming);
    }

    fn begin_write(&mut self, incoming: Incoming) {
        let progress = Progress { peer: self.peer, epoch: self.epoch, incoming };
        let (shared, peer) = (self.shared.clone(), self.peer);
        self.overlapped = false;
        let done = Box::pin(async move {
            let mut backoff = shared.handler_backoff();
            while let Err(error) = shared.store.commit(None, progress, Vec::new()).await {
                wait_for_store(&shared, peer, &error, &mut backoff).await;
            }
        });
        self.write = Some(Write { incoming, done });
    }

    fn on_written(&mut self, incoming: Incoming) {
        let Incoming { last, stamp, begun } = incoming;
        if last > self.written.last {
            (self.written.last, self.written.stamp) = (last, stamp);
            let mark = Mark { counter: last, stamp };
            let _ = self.events.send(Event::Handled { epoch: self.epoch, mark });
        }
        self.written.begun = self.written.begun.max(begun);
    }

    /// Waits until what is being written is written, and begins with what was handled meanwhile; for ever if nothing is.
    /// Dropping the future loses nothing.
    async fn wait_for_write(&mut self) {
        let Some(write) = &mut self.write else { return std::future::pending().await };
        write.done.as_mut().await;
        let incoming = write.incoming;
        self.write = None;
        self.on_written(incoming);
        if self.handled.counter > self.written.last {
            self.begin_write(self.after(self.handled));
        }
    }

    /// Runs a future while marks are written.
    pub(super) async fn write_during<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        loop {
            tokio::select! {
                // First what was handled before: the store gets it before what the future asks of it.
                biased;
                () = self.wait_for_write(), if self.write.is_some() => {
                    // The handler is slower than the store: announce no more than it needs.
                    if !self.overlapped {
                        self.ahead = self.ahead.min(2);
                    }
                }
                done = &mut future => return done,
            }
        }
    }

    /// Waits until every mark is written.
    pub(super) async fn settle(&mut self) {
        while self.write.is_some() {
            self.wait_for_write().await;
        }
    }
}

/// Says that the store has failed, and waits before the next attempt.
pub(super) async fn wait_for_store<S: DeliveryStore, H: Handler<S>>(
    shared: &Shared<S, H>,
    peer: Identifier,
    error: &StoreError,
    backoff: &mut Backoff,
) {
    shared.store_failed(peer, error);
    time::sleep(backoff.next(random::fraction())).await;
}
