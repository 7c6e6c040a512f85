//! The receiving half of a delivery from one peer: what to take, and what to tell the sender. No I/O, no clock.
//!
//! ```text
//! counter:   … acknowledged ≤ synced ≤ handled ≤ received │ next to take
//!               said             on the disk    in the handler's queue
//! ```

use super::message_id::{Epoch, Stamp};
use super::protocol::{DeliveryWindow, Message};
use super::store::Incoming;

/// While more wait to be handled, so many are acknowledged together: a sync costs milliseconds on many disks, and the sender has
/// a window of many times as many on the way.
const ACKNOWLEDGE_EVERY: u64 = 16;

/// A counter, and the stamp of the message there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) counter: u64,
    pub(super) stamp: Stamp,
}

pub(super) struct Receiver {
    /// What the peer is told to have on the way at most.
    window: DeliveryWindow,
    epoch: Option<Epoch>,
    received: u64,
    handled: Mark,
    synced: Option<Mark>,
    acknowledged: u64,
    acknowledge_again: bool,
    /// The Hello that waits for its answer.
    hello: Option<u64>,
}

/// What to do with a message that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next one.
    Take,
    /// It is here already.
    Duplicate,
    /// Those before it are missing, or it belongs to no Hello: this one is expected.
    OutOfOrder(u64),
}

impl Receiver {
    pub(super) fn new(window: DeliveryWindow) -> Self {
        let (handled, synced) = (Mark::default(), None);
        Self {
            window,
            epoch: None,
            received: 0,
            handled,
            synced,
            acknowledged: 0,
            acknowledge_again: false,
            hello: None,
        }
    }

    pub(super) fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// The channel was replaced: an unanswered Hello is void.
    pub(super) fn forget_channel(&mut self) {
        self.hello = None;
        self.acknowledge_again = false;
    }

    /// Another epoch, of which so much was handled. What was taken of the one before and not handled is not counted.
    pub(super) fn enter_epoch(&mut self, epoch: Epoch, incoming: Incoming) {
        let window = self.window;
        let handled = Mark { counter: incoming.last, stamp: incoming.stamp };
        *self = Self { epoch: Some(epoch), received: incoming.last, handled, ..Self::new(window) };
    }

    /// A Hello of the present epoch.
    pub(super) fn on_hello(&mut self, number: u64) {
        self.hello = Some(number);
    }

    pub(super) fn on_data(&mut self, epoch: Epoch, counter: u64) -> Arrival {
        if self.epoch != Some(epoch) || counter > self.received + 1 {
            return Arrival::OutOfOrder(self.received + 1);
        }
        if counter <= self.received {
            // The sender may have missed the acknowledgement.
            self.acknowledge_again |= counter <= self.handled.counter;
            return Arrival::Duplicate;
        }
        Arrival::Take
    }

    /// The message that was to be taken is in the queue.
    pub(super) fn took(&mut self) {
        self.received += 1;
    }

    pub(super) fn on_handled(&mut self, epoch: Epoch, mark: Mark) {
        if self.epoch == Some(epoch) && mark.counter > self.handled.counter {
            self.handled = mark;
            self.received = self.received.max(mark.counter);
        }
    }

    /// What a sync that begins now puts on the disk, if the peer is to be told anything.
    pub(super) fn wants_sync(&self) -> Option<(Epoch, Mark)> {
        let unsaid = self.handled.counter.saturating_sub(self.acknowledged);
        let idle = self.received == self.handled.counter;
        let owed = self.hello.is_some() || self.acknowledge_again || unsaid >= if idle { 1 } else { ACKNOWLEDGE_EVERY };
        self.epoch.filter(|_| owed && self.synced != Some(self.handled)).map(|epoch| (epoch, self.handled))
    }

    pub(super) fn on_synced(&mut self, epoch: Epoch, mark: Mark) {
        if self.epoch == Some(epoch) && self.synced.is_none_or(|synced| synced.counter < mark.counter) {
            self.synced = Some(mark);
        }
    }

    /// What to tell the peer now. All of it is on the disk.
    pub(super) fn answers(&mut self) -> [Option<Message>; 2] {
        let (Some(epoch), Some(synced)) = (self.epoch, self.synced) else { return [None, None] };
        let resume = match self.hello {
            // Behind what is handled, the sender would send again what is not needed.
            Some(number) if synced == self.handled => {
                self.hello = None;
                let Mark { counter: last, stamp } = synced;
                Some(Message::Resume { number, epoch, last, stamp, window: self.window })
            }
            _ => None,
        };
        let news = synced.counter > self.acknowledged || self.acknowledge_again;
        let acknowledge = news.then(|| {
            (self.acknowledged, self.acknowledge_again) = (synced.counter, false);
            Message::Acknowledge { epoch, counter: synced.counter }
        });
        [resume, acknowledge]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: DeliveryWindow = DeliveryWindow { messages: 10, bytes: 1000 };

    fn epoch(number: u8) -> Epoch {
        Epoch::from_bytes([number; 16])
    }

    fn mark(counter: u64) -> Mark {
        Mark { counter, stamp: Stamp::from_bytes(counter.to_be_bytes()) }
    }

    fn receiver(last: u64) -> Receiver {
        let mut receiver = Receiver::new(WINDOW);
        receiver.enter_epoch(epoch(1), Incoming { last, stamp: mark(last).stamp, begun: last });
        receiver
    }

    #[test]
    fn only_the_next_message_is_taken() {
        let mut receiver = receiver(4);
        assert_eq!(receiver.on_data(epoch(2), 5), Arrival::OutOfOrder(5));
        assert_eq!(receiver.on_data(epoch(1), 6), Arrival::OutOfOrder(5));
        assert_eq!(receiver.on_data(epoch(1), 5), Arrival::Take);
        // Where the queue had no room it is not counted.
        assert_eq!(receiver.on_data(epoch(1), 5), Arrival::Take);
        receiver.took();
        assert_eq!(receiver.on_data(epoch(1), 5), Arrival::Duplicate);
        assert_eq!(receiver.on_data(epoch(1), u64::MAX), Arrival::OutOfOrder(6));
    }

    #[test]
    fn nothing_is_said_before_it_is_on_the_disk() {
        let mut receiver = receiver(0);
        receiver.on_hello(7);
        assert_eq!(receiver.answers(), [None, None]);
        let (at, synced) = receiver.wants_sync().unwrap();
        receiver.on_synced(at, synced);
        let resume = Message::Resume { number: 7, epoch: epoch(1), last: 0, stamp: Stamp::default(), window: WINDOW };
        assert_eq!(receiver.answers(), [Some(resume), None]);
        assert_eq!((receiver.answers(), receiver.wants_sync()), ([None, None], None));

        for counter in 1..=3 {
            assert_eq!(receiver.on_data(epoch(1), counter), Arrival::Take);
            receiver.took();
            receiver.on_handled(epoch(1), mark(counter));
        }
        assert_eq!(receiver.answers(), [None, None]);
        // One sync for all three, and what is handled meanwhile waits for the next.
        let (at, synced) = receiver.wants_sync().unwrap();
        receiver.on_handled(epoch(1), mark(4));
        receiver.on_synced(at, synced);
        assert_eq!(receiver.answers()[1], Some(Message::Acknowledge { epoch: epoch(1), counter: 3 }));
        assert_eq!(receiver.wants_sync(), Some((epoch(1), mark(4))));
    }

    #[test]
    fn a_duplicate_is_acknowledged_again() {
        let mut receiver = receiver(4);
        receiver.on_synced(epoch(1), mark(4));
        receiver.answers();
        assert_eq!(receiver.on_data(epoch(1), 2), Arrival::Duplicate);
        assert_eq!(receiver.answers()[1], Some(Message::Acknowledge { epoch: epoch(1), counter: 4 }));
        assert_eq!(receiver.answers(), [None, None]);
    }

    #[test]
    fn what_another_epoch_has_done_does_not_count() {
        let mut receiver = receiver(4);
        receiver.enter_epoch(epoch(2), Incoming::default());
        receiver.on_handled(epoch(1), mark(5));
        receiver.on_synced(epoch(1), mark(5));
        receiver.on_hello(1);
        assert_eq!(receiver.wants_sync(), Some((epoch(2), Mark::default())));
        assert_eq!(receiver.answers(), [None, None]);
    }
}
