//! The outcome of delivering a message: it was taken, or dropped, or its sender must wait (backpressure).

use crate::local_message::OwnedMessage;
use crate::outbox::Flush;
use crate::sync::BackpressureGate;
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long backpressure makes a sender wait for a full mailbox or a congested connection. Chosen: a connection that takes
/// nothing for so long is ended, so that a stream never misses a part.
pub(crate) const BACKPRESSURE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is left to do when a message was taken: to flush it, and to wait before sending more.
#[derive(Default)]
#[must_use]
pub(crate) struct Delivery {
    flush: Option<Flush>,
    pressure: Backpressure,
}

#[derive(Default)]
enum Backpressure {
    #[default]
    None,
    /// What took the message may be over its budget.
    OverBudget(Arc<BackpressureGate>),
    /// The mailbox is full; the message comes back with the place to put it.
    Mailbox(mpsc::Sender<OwnedMessage>, Box<OwnedMessage>),
}

impl Delivery {
    /// A frame was queued on a connection.
    pub(crate) fn sent(flush: Option<Flush>, gate: &Arc<BackpressureGate>) -> Self {
        Self { flush, pressure: Backpressure::OverBudget(gate.clone()) }
    }

    /// The mailbox has no room for the message now.
    pub(crate) fn mailbox_full(mailbox: &mpsc::Sender<OwnedMessage>, message: OwnedMessage) -> Self {
        Self { flush: None, pressure: Backpressure::Mailbox(mailbox.clone(), Box::new(message)) }
    }

    /// The message was taken by something that wants no more until `gate` opens.
    pub(crate) fn blocked_on(gate: &Arc<BackpressureGate>) -> Self {
        Self { flush: None, pressure: Backpressure::OverBudget(gate.clone()) }
    }

    /// The same with nothing to wait for: what a node sends by itself while it reads (credit, answers, handshakes) is
    /// bounded otherwise. A node that stopped reading because it cannot write would stop its peers, and they it.
    pub(crate) fn ignoring_backpressure(self) -> Self {
        Self { flush: self.flush, pressure: Backpressure::None }
    }

    /// Flushes and waits for nothing; a message that finds no room in a mailbox is dropped.
    pub(crate) fn flush_without_waiting(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::Mailbox(..) => Err(Undeliverable::Full),
            Backpressure::None | Backpressure::OverBudget(_) => Ok(()),
        }
    }

    /// Flushes, and returns the gate that closes while no more should be sent. Waits for nothing.
    pub(crate) fn flush_at_once(self) -> Result<Option<Arc<BackpressureGate>>, Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::None => Ok(None),
            Backpressure::OverBudget(gate) => Ok(Some(gate)),
            Backpressure::Mailbox(..) => Err(Undeliverable::Full),
        }
    }

    /// Flushes, and waits until more may be sent, at most [`BACKPRESSURE_TIMEOUT`]; a message that found no room in a mailbox
    /// until then is dropped.
    pub(crate) async fn flush_and_wait(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        self.pressure.wait_for_capacity().await
    }

    /// Flushes, and waits until more may be sent, however long: for what can wait without holding up others, and must lose
    /// nothing. Dropping the future drops a message that found no room in a mailbox.
    pub(crate) async fn flush_and_wait_without_limit(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::None => Ok(()),
            Backpressure::OverBudget(gate) => {
                gate.opened().await;
                Ok(())
            }
            Backpressure::Mailbox(mailbox, message) => mailbox.send(*message).await.map_err(|_| Undeliverable::Closed),
        }
    }

    /// Flushes, and returns the gate that the sender must wait for before it sends more.
    pub(crate) async fn flush(self) -> Result<Option<Arc<BackpressureGate>>, Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::OverBudget(gate) => Ok(Some(gate)),
            pressure => pressure.wait_for_capacity().await.map(|()| None),
        }
    }

    /// Like [`flush_and_wait`](Self::flush_and_wait), but where nothing needs to be waited for the flush is left to the caller.
    pub(crate) async fn wait_deferring_flush(self, unflushed: &mut Vec<Flush>) -> Result<(), Undeliverable> {
        unflushed.extend(self.flush);
        match &self.pressure {
            Backpressure::None => return Ok(()),
            Backpressure::OverBudget(gate) if !gate.is_closed() => return Ok(()),
            _ => unflushed.clear(),
        }
        self.pressure.wait_for_capacity().await
    }
}

impl Backpressure {
    async fn wait_for_capacity(self) -> Result<(), Undeliverable> {
        match self {
            Self::None => Ok(()),
            Self::OverBudget(gate) => {
                if gate.is_closed()
                    && !gate.is_given_up()
                    && time::timeout(BACKPRESSURE_TIMEOUT, gate.opened()).await.is_err()
                {
                    gate.give_up();
                }
                Ok(())
            }
            Self::Mailbox(mailbox, message) => match mailbox.send_timeout(*message, BACKPRESSURE_TIMEOUT).await {
                Ok(()) => Ok(()),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(Undeliverable::Full),
                Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Undeliverable::Closed),
            },
        }
    }
}
