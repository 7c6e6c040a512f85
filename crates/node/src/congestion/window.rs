//! How much was sent and is not confirmed, to one next hop or over a whole connection.

use super::notice::Notice;
use crate::address::Address;
use crate::sync::BackpressureGate;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Bytes to one next hop behind a connection that are not confirmed. Chosen: twice as much, what is confirmed while it is being
/// written and what follows, fits a connection's queue (`MAX_QUEUED`); 37 MB/s over 80 ms.
pub const SEND_WINDOW: u64 = 3 * 1024 * 1024;
/// Bytes that a hub has unconfirmed on one connection in all. Chosen: with what one stream may have pending before its sender is
/// named (`BASIC_PEER_BUFFER`) less than what makes its node stop reading, 8 MiB; 75 MB/s over 80 ms.
pub(super) const SEND_WINDOW_IN_ALL: u64 = 6 * 1024 * 1024;
/// A mark is sent behind so many bytes: eight in a window, and less than a thousandth of the bytes.
pub(super) const MARK_EVERY: u64 = SEND_WINDOW / 8;

/// Bytes that a hub passes on from a sender that its receiver has named, before it holds the sender's connection: what a sender may
/// have unconfirmed, and the frame of at most 1 MiB that filled the window. The receiver has room for them.
pub(super) const ON_THE_WAY_MAX: u64 = SEND_WINDOW + 1024 * 1024;

/// What was sent to one next hop.
pub(super) struct SendWindow {
    size: u64,
    sent: u64,
    marked: u64,
    confirmed: u64,
    /// Closed while the window is full.
    pub(super) gate: Arc<BackpressureGate>,
}

impl SendWindow {
    pub(super) fn new(hop: &Address, ended: &CancellationToken) -> Self {
        let gate = Arc::new(BackpressureGate::of_peer(hop.clone(), ended.clone()));
        Self { size: SEND_WINDOW, sent: 0, marked: 0, confirmed: 0, gate }
    }

    /// The window of a whole connection, which ends when it is given up: its other end takes nothing.
    pub(super) fn in_all(connection: Address, ended: &CancellationToken) -> Self {
        let gate = Arc::new(BackpressureGate::of_connection(connection, ended.clone()));
        Self { size: SEND_WINDOW_IN_ALL, sent: 0, marked: 0, confirmed: 0, gate }
    }

    pub(super) fn unconfirmed(&self) -> u64 {
        self.sent.wrapping_sub(self.confirmed)
    }

    /// Counts a message; the position of the mark that is due behind it.
    fn on_sent(&mut self, bytes: u64) -> Option<u64> {
        self.sent = self.sent.wrapping_add(bytes);
        if self.unconfirmed() >= self.size {
            self.gate.close();
        }
        let is_due = self.sent.wrapping_sub(self.marked) >= MARK_EVERY;
        is_due.then(|| {
            self.marked = self.sent;
            self.marked
        })
    }

    /// As [`on_sent`](Self::on_sent) does; the gate that the sender must wait for, if it is closed, and the notice that is due.
    pub(super) fn counted(&mut self, hop: &Address, bytes: usize) -> (Option<Arc<BackpressureGate>>, Option<Vec<u8>>) {
        let due = self.on_sent(bytes as u64);
        let gate = self.gate.is_closed().then(|| self.gate.clone());
        (gate, due.map(|position| Notice::Mark { hop: hop.clone(), position }.encode()))
    }

    /// Takes a confirmation, if it is of something that was sent and not confirmed.
    pub(super) fn on_confirmed(&mut self, position: u64) {
        if position.wrapping_sub(self.confirmed) <= self.marked.wrapping_sub(self.confirmed) {
            self.confirmed = position;
            self.gate.note_taken();
            if self.unconfirmed() < self.size {
                self.gate.open();
            }
        }
    }
}

/// The hop of a mark that is about all messages on a connection.
pub(super) fn in_all() -> Address {
    Address::new(Address::LOCAL, b"")
}
