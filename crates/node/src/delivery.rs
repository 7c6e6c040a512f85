//! What becomes of a message that was handed on: it is taken, or dropped, or its sender must wait.

use crate::router::OwnedMessage;
use crate::sync::BackpressureGate;
use crate::tcp::Flush;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a sender waits for room in a full mailbox or on a congested connection before the message is dropped.
pub(crate) const BACKPRESSURE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a message went nowhere. It is dropped and counted; nobody is told (`docs/wire.md` §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// The onward route is empty.
    #[error("the message has no onward route")]
    NoRoute,
    /// No such address in this node.
    #[error("no worker, connection or channel has that address")]
    UnknownAddress,
    /// The address was not exposed to where the message came from.
    #[error("the address is not exposed to where the message came from")]
    Denied,
    /// What has the address is closed or closing.
    #[error("the worker, connection or channel is closed")]
    Closed,
    /// The message is not one that its taker understands or accepts now.
    #[error("the message is malformed or came at the wrong time")]
    Malformed,
    /// The message is larger than what takes it allows.
    #[error("the message is too large")]
    TooLarge,
    /// A limit on what may wait or be open at once is reached.
    #[error("too much is waiting or open there")]
    Full,
    /// The message passes too many local hops.
    #[error("the route passes too many local hops")]
    TooDeep,
}

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
    BackpressureGate(Arc<BackpressureGate>),
    /// The mailbox is full; the message comes back with the place to put it.
    Mailbox(mpsc::Sender<OwnedMessage>, Box<OwnedMessage>),
}

impl Delivery {
    /// A frame was queued on a connection.
    pub(crate) fn sent(flush: Option<Flush>, gate: &Arc<BackpressureGate>) -> Self {
        Self { flush, pressure: Backpressure::BackpressureGate(gate.clone()) }
    }

    /// The mailbox has no room for the message now.
    pub(crate) fn mailbox_full(mailbox: &mpsc::Sender<OwnedMessage>, message: OwnedMessage) -> Self {
        Self { flush: None, pressure: Backpressure::Mailbox(mailbox.clone(), Box::new(message)) }
    }

    /// The message was taken by something that wants no more until `gate` opens.
    pub(crate) fn blocked_on(gate: &Arc<BackpressureGate>) -> Self {
        Self { flush: None, pressure: Backpressure::BackpressureGate(gate.clone()) }
    }

    /// The same with nothing to wait for: what a node says by itself while it reads (credit, answers, handshakes) is
    /// bounded otherwise. A node that stopped reading because it cannot write would stop its peers, and they it.
    pub(crate) fn ignoring_backpressure(self) -> Self {
        Self { flush: self.flush, pressure: Backpressure::None }
    }

    /// Flushes and waits for nothing; a message that finds no room in a mailbox is dropped.
    pub(crate) fn flush_without_waiting(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::Mailbox(..) => Err(Undeliverable::Full),
            Backpressure::None | Backpressure::BackpressureGate(_) => Ok(()),
        }
    }

    /// Flushes, and waits until more may be sent, at most [`BACKPRESSURE_TIMEOUT`]; a message that found no room in a mailbox
    /// until then is dropped.
    pub(crate) async fn flush_and_wait(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        self.pressure.wait_for_capacity().await
    }

    /// Flushes, and gives the gate that the sender is to mind before it sends more.
    pub(crate) async fn flush(self) -> Result<Option<Arc<BackpressureGate>>, Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::BackpressureGate(gate) => Ok(Some(gate)),
            pressure => pressure.wait_for_capacity().await.map(|()| None),
        }
    }

    /// Like [`flush_and_wait`](Self::flush_and_wait), but where nothing needs to be waited for the flush is left to the caller.
    pub(crate) async fn wait_deferring_flush(self, unflushed: &mut Vec<Flush>) -> Result<(), Undeliverable> {
        unflushed.extend(self.flush);
        match &self.pressure {
            Backpressure::None => return Ok(()),
            Backpressure::BackpressureGate(gate) if !gate.is_closed() => return Ok(()),
            _ => unflushed.clear(),
        }
        self.pressure.wait_for_capacity().await
    }
}

impl Backpressure {
    async fn wait_for_capacity(self) -> Result<(), Undeliverable> {
        match self {
            Self::None => Ok(()),
            Self::BackpressureGate(gate) => {
                if gate.is_closed()
                    && !gate.is_given_up()
                    && tokio::time::timeout(BACKPRESSURE_TIMEOUT, gate.opened()).await.is_err()
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
