//! The outcome of delivering a message: it was taken, or dropped, or its sender must wait (backpressure).

use crate::address::Address;
use crate::local_message::OwnedMessage;
use crate::outbox::Flush;
use crate::sync::BackpressureGate;
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long backpressure makes a sender wait for a full mailbox, and a connection that many peers share for a congested one.
/// Chosen: what gives no room for so long is ended, so that a stream never misses a part.
pub(crate) const BACKPRESSURE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long any other connection is held (not read) for a receiver that takes nothing. Chosen: peers without flow control stall
/// for as long as their user, or their disk, does; a held sender must learn at some time that it waits in vain.
pub(crate) const HOLD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection is held for what cannot take its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HoldLimit {
    /// For [`BACKPRESSURE_TIMEOUT`]: many peers share it, whose streams have flow control. Who takes too little then is ended.
    Short,
    /// For as long as the receiver takes something in every [`HOLD_TIMEOUT`].
    WhileTaken,
}

impl HoldLimit {
    fn within(self) -> Duration {
        match self {
            Self::Short => BACKPRESSURE_TIMEOUT,
            Self::WhileTaken => HOLD_TIMEOUT,
        }
    }
}

/// How holding a connection ended.
#[derive(Debug)]
pub(crate) enum Held {
    /// There was room, or no reason to wait for it any longer: the receiver is ended instead.
    Released,
    /// Nothing was taken for too long by the receiver of this address.
    TooLong(Address),
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

    /// The gate that the sender must wait for now.
    pub(crate) fn closed_gate(&self) -> Option<&Arc<BackpressureGate>> {
        match &self.pressure {
            Backpressure::OverBudget(gate) if gate.is_closed() => Some(gate),
            _ => None,
        }
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

    /// The same for a message of a program, which waits for a connection however long. What the connection took is lost when it
    /// ends meanwhile.
    pub(crate) async fn flush_and_wait_for_connection(self) -> Result<(), Undeliverable> {
        drop(self.flush);
        match self.pressure {
            Backpressure::OverBudget(gate) if gate.connection().is_some() => {
                gate.opened().await;
                if gate.has_ended() { Err(Undeliverable::Closed) } else { Ok(()) }
            }
            pressure => pressure.wait_for_capacity().await,
        }
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

    /// Flushes and waits for a connection that is not read meanwhile; where nothing needs to be waited for, the flush is left to
    /// the caller. A message that found no room in a mailbox is dropped.
    pub(crate) async fn wait_deferring_flush(
        self,
        unflushed: &mut Vec<Flush>,
        limit: HoldLimit,
    ) -> Result<Held, Undeliverable> {
        unflushed.extend(self.flush);
        match &self.pressure {
            Backpressure::None => return Ok(Held::Released),
            Backpressure::OverBudget(gate) if !gate.is_closed() => return Ok(Held::Released),
            _ => unflushed.clear(),
        }
        self.pressure.hold(limit).await
    }
}

impl Backpressure {
    async fn wait_for_capacity(self) -> Result<(), Undeliverable> {
        match self {
            Self::None => Ok(()),
            Self::OverBudget(gate) => {
                let closed = gate.is_closed() && !gate.is_given_up();
                let opened = !closed || time::timeout(BACKPRESSURE_TIMEOUT, gate.opened()).await.is_ok();
                // Whether a connection is ended is decided where others are held for it.
                if !opened && gate.connection().is_none() {
                    gate.give_up();
                }
                Ok(())
            }
            Self::Mailbox(mailbox, message) => put(&mailbox, message, BACKPRESSURE_TIMEOUT).await,
        }
    }

    async fn hold(self, limit: HoldLimit) -> Result<Held, Undeliverable> {
        match (self, limit) {
            (Self::None, _) => Ok(Held::Released),
            (Self::OverBudget(gate), _) => Ok(hold_for(&gate, limit, limit.within()).await),
            (Self::Mailbox(mailbox, message), _) => {
                let receiver = message.onward.front().unwrap_or_else(|| Address::from(""));
                match put(&mailbox, message, limit.within()).await {
                    Err(Undeliverable::Full) if limit == HoldLimit::WhileTaken => Ok(Held::TooLong(receiver)),
                    put => put.map(|()| Held::Released),
                }
            }
        }
    }
}

async fn put(
    mailbox: &mpsc::Sender<OwnedMessage>,
    message: Box<OwnedMessage>,
    within: Duration,
) -> Result<(), Undeliverable> {
    mailbox.send_timeout(*message, within).await.map_err(|error| match error {
        mpsc::error::SendTimeoutError::Timeout(_) => Undeliverable::Full,
        mpsc::error::SendTimeoutError::Closed(_) => Undeliverable::Closed,
    })
}

/// Waits for a gate as long as the limit says, then gives up what is behind it.
pub(crate) async fn hold_for(gate: &BackpressureGate, limit: HoldLimit, within: Duration) -> Held {
    while gate.is_closed() && !gate.is_given_up() {
        let taken = gate.taken();
        if time::timeout(within, gate.opened()).await.is_ok() {
            break;
        }
        if limit == HoldLimit::Short || gate.taken() == taken {
            gate.give_up();
            return match gate.connection() {
                Some(receiver) if limit == HoldLimit::WhileTaken => Held::TooLong(receiver.clone()),
                _ => Held::Released,
            };
        }
    }
    Held::Released
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use tokio_util::sync::CancellationToken;

    /// Long enough that a task which runs meanwhile gets its turn.
    const WITHIN: Duration = Duration::from_millis(20);

    fn closed_gate() -> (Arc<BackpressureGate>, CancellationToken) {
        let ended = CancellationToken::new();
        let gate = Arc::new(BackpressureGate::of_connection("receiver".into(), ended.clone()));
        gate.close();
        (gate, ended)
    }

    #[tokio::test]
    async fn a_receiver_that_takes_nothing_is_ended_and_named() {
        let (gate, ended) = closed_gate();
        let held = hold_for(&gate, HoldLimit::WhileTaken, WITHIN).await;
        assert!(matches!(held, Held::TooLong(receiver) if receiver == "receiver".into()));
        assert!(ended.is_cancelled());
    }

    #[tokio::test]
    async fn a_sender_is_held_as_long_as_its_receiver_takes_something() {
        let (gate, ended) = closed_gate();
        // Something is taken before the time of each round is over, however late this is polled, until there is room.
        let mut rounds = 0;
        let mut held = pin!(hold_for(&gate, HoldLimit::WhileTaken, WITHIN));
        let released = poll_fn(|context| {
            gate.note_taken();
            rounds += 1;
            if rounds == 4 {
                gate.open();
            }
            held.as_mut().poll(context)
        });
        assert!(matches!(released.await, Held::Released));
        assert!(rounds >= 4 && !ended.is_cancelled() && !gate.is_closed());
        // A sender that many peers share does not wait for that.
        gate.close();
        gate.note_taken();
        assert!(matches!(hold_for(&gate, HoldLimit::Short, WITHIN).await, Held::Released));
        assert!(ended.is_cancelled());
    }

    #[tokio::test]
    async fn a_program_that_waits_for_a_connection_learns_of_its_end() {
        let (gate, ended) = closed_gate();
        let waiting = Delivery::sent(None, &gate).flush_and_wait_for_connection();
        tokio::pin!(waiting);
        assert!(time::timeout(WITHIN, &mut waiting).await.is_err());
        ended.cancel();
        gate.open();
        assert_eq!(waiting.await, Err(Undeliverable::Closed));
        let (gate, ended) = closed_gate();
        let waiting = Delivery::sent(None, &gate).flush_and_wait_for_connection();
        gate.open();
        assert_eq!(waiting.await, Ok(()));
        assert!(!ended.is_cancelled());
    }
}
