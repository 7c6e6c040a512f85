//! The sending half of a delivery to one peer: which message goes next, and what the peer's answers mean. No I/O, no clock.
//!
//! ```text
//! sequence:   … acknowledged │ on the way (in_flight) │ cursor … buffer │ … sendable │ not yet on the disk …
//! ```

use super::message_id::{Epoch, Stamp};
use super::protocol::{DeliveryWindow, Message};
use super::store::Outgoing;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// A message in plain text, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub(super) sequence: u64,
    pub(super) stamp: Stamp,
    pub(super) body: Bytes,
}

pub(super) struct Sender {
    record: Outgoing,
    /// Everything up to here is on the disk.
    sendable: u64,
    /// Our own limit.
    limit: DeliveryWindow,
    /// What the peer takes as well.
    window: DeliveryWindow,
    /// Number of the newest Hello, and what was acknowledged when it was sent.
    hello: (u64, u64),
    /// Whether that Hello waits for its Resume.
    awaiting: bool,
    /// Whether the peer has said, over this channel, where to begin.
    ready: bool,
    /// The next to send.
    cursor: u64,
    /// The highest that was ever sent in this epoch.
    sent: u64,
    in_flight: VecDeque<(u64, Stamp, usize)>,
    in_flight_bytes: u64,
    /// From the cursor on, without gaps.
    buffer: VecDeque<Ready>,
    buffered_bytes: usize,
}

/// What a Resume means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    /// Not the answer to the newest Hello.
    Ignored,
    /// Go on behind this sequence, if the message there has this stamp.
    From(u64, Stamp),
    /// The peer has handled what this store has never sent: the store is an old copy.
    Ahead,
    /// The peer does not know any more that it handled these, and they are deleted.
    Missing(RangeInclusive<u64>),
}

/// What an Acknowledge means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// Nothing new.
    Ignored,
    /// For something that was not sent.
    Beyond,
    /// Everything up to this sequence may be deleted.
    UpTo(u64, Stamp),
}

impl Sender {
    pub(super) fn new(record: Outgoing, limit: DeliveryWindow) -> Self {
        let sendable = record.next - 1;
        let (hello, cursor) = ((0, record.acknowledged), record.acknowledged + 1);
        let (in_flight, buffer) = (VecDeque::new(), VecDeque::new());
        Self {
            record,
            sendable,
            limit,
            window: limit,
            hello,
            awaiting: false,
            ready: false,
            cursor,
            sent: cursor - 1,
            in_flight,
            in_flight_bytes: 0,
            buffer,
            buffered_bytes: 0,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.record.epoch
    }

    pub(super) fn counter(&self, sequence: u64) -> u64 {
        sequence - self.record.base
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.record.acknowledged
    }

    /// Messages that are on the disk and not acknowledged.
    pub(super) fn outstanding(&self) -> u64 {
        self.sendable - self.record.acknowledged
    }

    /// There is no channel any more, or another.
    pub(super) fn forget_channel(&mut self) {
        self.ready = false;
        self.awaiting = false;
        self.rewind(self.record.acknowledged);
    }

    /// Begins behind a sequence.
    fn rewind(&mut self, sequence: u64) {
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.cursor = sequence + 1;
        while self.buffer.front().is_some_and(|ready| ready.sequence < self.cursor) {
            self.pop_buffer();
        }
        if self.buffer.front().is_some_and(|ready| ready.sequence != self.cursor) {
            self.buffer.clear();
            self.buffered_bytes = 0;
        }
    }

    fn pop_buffer(&mut self) -> Option<Ready> {
        let ready = self.buffer.pop_front()?;
        self.buffered_bytes -= ready.body.len();
        Some(ready)
    }

    /// Says what there is, and asks where to begin.
    pub(super) fn hello(&mut self) -> Message {
        self.hello = (self.hello.0 + 1, self.record.acknowledged);
        self.awaiting = true;
        let (first, next) = (self.counter(self.record.acknowledged + 1), self.counter(self.sendable + 1));
        Message::Hello { number: self.hello.0, epoch: self.record.epoch, first, next }
    }

    /// Reads the answer to a Hello. It changes nothing until [`resume`](Self::resume).
    pub(super) fn on_resume(&self, number: u64, epoch: Epoch, last: u64, stamp: Stamp) -> Resumed {
        if !self.awaiting || number != self.hello.0 || epoch != self.record.epoch {
            return Resumed::Ignored;
        }
        let Some(sequence) = self.record.base.checked_add(last).filter(|it| *it <= self.sendable) else {
            return Resumed::Ahead;
        };
        // What was acknowledged before the Hello was on the peer's disk before the answer.
        if sequence < self.hello.1 {
            return Resumed::Missing(sequence + 1..=self.record.acknowledged);
        }
        match sequence < self.record.acknowledged {
            // Overtaken by an acknowledgement on the way.
            true => Resumed::From(self.record.acknowledged, self.record.acknowledged_stamp),
            false => Resumed::From(sequence, stamp),
        }
    }

    /// The stamp of a sequence, if it is known without asking the store.
    pub(super) fn known_stamp(&self, sequence: u64) -> Option<Stamp> {
        if sequence == self.record.acknowledged {
            return Some(self.record.acknowledged_stamp);
        }
        self.in_flight.iter().find(|(it, ..)| *it == sequence).map(|(_, stamp, _)| *stamp)
    }

    /// The peer has handled everything up to a sequence and takes so much at once: sends what is behind.
    pub(super) fn resume(&mut self, sequence: u64, stamp: Stamp, window: DeliveryWindow) {
        self.awaiting = false;
        self.ready = true;
        self.window = self.limit.smaller(window);
        if sequence >= self.record.acknowledged {
            (self.record.acknowledged, self.record.acknowledged_stamp) = (sequence, stamp);
            self.rewind(sequence);
        }
    }

    pub(super) fn on_acknowledge(&mut self, epoch: Epoch, counter: u64) -> Acknowledged {
        if epoch != self.record.epoch {
            return Acknowledged::Ignored;
        }
        let Some(sequence) = self.record.base.checked_add(counter).filter(|it| *it <= self.sent) else {
            return Acknowledged::Beyond;
        };
        let mut last = None;
        while let Some((sent, stamp, bytes)) = self.in_flight.front().copied().filter(|(sent, ..)| *sent <= sequence) {
            self.in_flight.pop_front();
            self.in_flight_bytes -= bytes as u64;
            last = Some((sent, stamp));
        }
        let Some((sequence, stamp)) = last else { return Acknowledged::Ignored };
        (self.record.acknowledged, self.record.acknowledged_stamp) = (sequence, stamp);
        Acknowledged::UpTo(sequence, stamp)
    }

    /// The store has put everything into a new epoch.
    pub(super) fn enter_epoch(&mut self, record: Outgoing) {
        let sendable = self.sendable;
        self.record = record;
        self.sendable = sendable;
        self.sent = record.acknowledged;
        self.forget_channel();
    }

    /// Messages up to a sequence are on the disk; those in plain text need not be read again, if they follow.
    pub(super) fn stored(&mut self, up_to: u64, fresh: impl IntoIterator<Item = Ready>) {
        self.sendable = self.sendable.max(up_to);
        for ready in fresh {
            if self.ready && ready.sequence == self.buffer_end() && self.has_buffer_room() {
                self.push_buffer(ready);
            }
        }
    }

    /// Whether something up to a sequence is stored and may not be on the disk.
    pub(super) fn has_unsynced(&self, appended: u64) -> bool {
        self.sendable < appended
    }

    /// A message that was just taken could not be sent: it comes next again.
    pub(super) fn lost(&mut self, message: &Message) {
        if !matches!(message, Message::Data { .. }) {
            return;
        }
        if let Some((sequence, _, bytes)) = self.in_flight.pop_back() {
            self.in_flight_bytes -= bytes as u64;
            self.cursor = sequence;
            self.buffer.clear();
            self.buffered_bytes = 0;
        }
    }

    fn buffer_end(&self) -> u64 {
        self.cursor + self.buffer.len() as u64
    }

    fn has_buffer_room(&self) -> bool {
        (self.buffered_bytes as u64) < self.window.bytes && (self.buffer.len() as u64) < self.window.messages
    }

    fn push_buffer(&mut self, ready: Ready) {
        self.buffered_bytes += ready.body.len();
        self.buffer.push_back(ready);
    }

    /// What has been read from the store, if it is still what comes next.
    pub(super) fn fill(&mut self, read: impl IntoIterator<Item = Ready>) {
        for ready in read {
            if ready.sequence == self.buffer_end() {
                self.push_buffer(ready);
            }
        }
    }

    /// What to read from the store: behind which sequence, how many messages and bytes. It is read ahead, up to a window and never
    /// less than half of one: a read costs as much as several messages.
    pub(super) fn wants(&self) -> Option<(u64, usize, usize)> {
        let (messages, bytes) = (self.buffer.len() as u64, self.buffered_bytes as u64);
        let is_low = messages <= self.window.messages / 2 && bytes <= self.window.bytes / 2;
        let next = self.buffer_end();
        let wanted = self.ready && is_low && next <= self.sendable;
        wanted.then(|| {
            let messages = self.window.messages.saturating_sub(messages).min(self.sendable + 1 - next);
            (next - 1, messages as usize, self.window.bytes.saturating_sub(bytes) as usize)
        })
    }

    /// The next message, if the window allows one.
    pub(super) fn next(&mut self) -> Option<Message> {
        let front = self.buffer.front().filter(|front| self.ready && front.sequence <= self.sendable)?;
        let after = self.in_flight_bytes + front.body.len() as u64;
        let fits = (self.in_flight.len() as u64) < self.window.messages && after <= self.window.bytes;
        if !self.in_flight.is_empty() && !fits {
            return None;
        }
        let Ready { sequence, stamp, body } = self.pop_buffer()?;
        self.in_flight.push_back((sequence, stamp, body.len()));
        self.in_flight_bytes = after;
        self.cursor = sequence + 1;
        self.sent = self.sent.max(sequence);
        Some(Message::Data { epoch: self.record.epoch, counter: self.counter(sequence), stamp, body })
    }

    /// Whether the peer owes an answer.
    pub(super) fn is_expecting(&self) -> bool {
        self.awaiting || !self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests;
