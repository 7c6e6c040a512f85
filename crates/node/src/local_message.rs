//! Messages on their way through this node: owned, for workers, or borrowed from the buffer that they were read into.

use crate::address::Address;
use crate::origin::Source;
use crate::route::{Route, RouteRef};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Learns how the handling of messages ended that it has given a [`Completion`].
pub(crate) trait CompletionObserver: Send + Sync {
    /// The message of this number is no longer held by anything.
    fn ended(&self, number: u64, outcome: HandlingOutcome);
}

/// How the handling of a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlingOutcome {
    /// Its receiver has done with it.
    Handled,
    /// It was still in a queue when that was dropped.
    Abandoned,
    /// Its receiver panicked.
    Panicked,
}

/// Reports when a message was handled: when the last clone of this is dropped.
///
/// Only what must know it gives a message one (a stream's consumer, before it saves its place); most have none. A receiver
/// keeps it as long as it works on the message, and whatever passes the message on passes this on too.
#[derive(Clone)]
pub(crate) struct Completion(Arc<Handling>);

struct Handling {
    observer: Arc<dyn CompletionObserver>,
    number: u64,
    /// Queues that the message is in.
    queued: AtomicUsize,
}

impl Completion {
    pub(crate) fn new(observer: Arc<dyn CompletionObserver>, number: u64) -> Self {
        Self(Arc::new(Handling { observer, number, queued: AtomicUsize::new(0) }))
    }

    /// A clone that goes into a queue. It counts as handled only if it was taken out again.
    pub(crate) fn queued(&self) -> Self {
        self.0.queued.fetch_add(1, Ordering::Relaxed);
        self.clone()
    }

    /// Says that the message was taken out of a queue.
    pub(crate) fn taken(&self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        let outcome = match *self.queued.get_mut() {
            _ if std::thread::panicking() => HandlingOutcome::Panicked,
            0 => HandlingOutcome::Handled,
            _ => HandlingOutcome::Abandoned,
        };
        self.observer.ended(self.number, outcome);
    }
}

/// An owned message in this node.
#[derive(Clone)]
pub(crate) struct OwnedMessage {
    pub(crate) onward: Route,
    pub(crate) return_route: Route,
    pub(crate) payload: Bytes,
    pub(crate) source: Option<Arc<Source>>,
    pub(crate) completion: Option<Completion>,
}

/// A message that was copied out of the buffer that it was read into, to be worked on later.
pub(crate) struct DetachedMessage {
    onward: Route,
    return_route: Route,
    payload: Vec<u8>,
    source: Option<Arc<Source>>,
    depth: u8,
    completion: Option<Completion>,
}

impl DetachedMessage {
    /// Bytes of its payload.
    pub(crate) fn len(&self) -> usize {
        self.payload.len()
    }

    /// Hands it over as if it had just come.
    pub(crate) fn hand_over<T>(mut self, take: impl FnOnce(BorrowedMessage<'_>) -> T) -> T {
        self.completion.iter().for_each(Completion::taken);
        take(BorrowedMessage {
            onward: self.onward.as_ref(),
            return_route: self.return_route.as_ref(),
            body: PayloadBuf::exactly(&mut self.payload),
            source: self.source.as_ref(),
            depth: self.depth,
            completion: self.completion.as_ref(),
        })
    }
}

/// A payload, and the bytes around it that its receiver may overwrite with headers.
pub(crate) struct PayloadBuf<'a> {
    pub(crate) buffer: &'a mut [u8],
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> PayloadBuf<'a> {
    /// A payload with no bytes around it.
    pub(crate) fn exactly(buffer: &'a mut [u8]) -> Self {
        let end = buffer.len();
        Self { buffer, start: 0, end }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }
}

/// A message on its way through this node, borrowed from the buffer that it was read into.
pub(crate) struct BorrowedMessage<'a> {
    pub(crate) onward: RouteRef<'a>,
    pub(crate) return_route: RouteRef<'a>,
    pub(crate) body: PayloadBuf<'a>,
    /// Set on what came from outside; its sender then belongs on the front of the return route.
    pub(crate) source: Option<&'a Arc<Source>>,
    pub(crate) depth: u8,
    pub(crate) completion: Option<&'a Completion>,
}

impl BorrowedMessage<'_> {
    pub(crate) fn via(&self) -> Option<&Address> {
        self.source.map(|source| &source.sender)
    }

    /// The return route as a worker sees it.
    pub(crate) fn full_return_route(&self) -> Route {
        self.return_route.behind(self.via())
    }

    /// A copy to be worked on later, with everything as it came.
    pub(crate) fn detach(&self) -> DetachedMessage {
        DetachedMessage {
            onward: self.onward.behind(None),
            return_route: self.return_route.behind(None),
            payload: self.body.payload().to_vec(),
            source: self.source.cloned(),
            depth: self.depth,
            completion: self.completion.map(Completion::queued),
        }
    }

    /// A copy for a queue.
    pub(crate) fn to_owned_message(&self) -> OwnedMessage {
        OwnedMessage {
            onward: self.onward.behind(None),
            return_route: self.full_return_route(),
            payload: Bytes::copy_from_slice(self.body.payload()),
            source: self.source.cloned(),
            completion: self.completion.map(Completion::queued),
        }
    }
}
