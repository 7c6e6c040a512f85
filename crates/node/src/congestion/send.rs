//! The sender's side: of what goes to each next hop behind the connection, only so much is unconfirmed.

use super::notice::Notice;
use super::state::{HOPS_MAX, HopWindows, Sent};
use crate::address::{Address, AddressRef};
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::outbox::Flush;
use crate::route::Route;
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

/// Bytes to one next hop behind a connection that are not confirmed. Chosen: twice as much, what is confirmed while it is being
/// written and what follows, fits a connection's queue (`MAX_QUEUED`); 37 MB/s over 80 ms.
pub const SEND_WINDOW: u64 = 3 * 1024 * 1024;
/// Bytes that a hub has unconfirmed on one connection in all. Chosen: with what one stream may have pending before its sender is
/// named (`BASIC_PEER_BUFFER`) less than what makes its node stop reading, 8 MiB; 75 MB/s over 80 ms.
const SEND_WINDOW_IN_ALL: u64 = 6 * 1024 * 1024;
/// A mark is sent behind so many bytes: eight in a window, and less than a thousandth of the bytes.
const MARK_EVERY: u64 = SEND_WINDOW / 8;

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
    fn new(hop: &Address, ended: &CancellationToken) -> Self {
        let gate = Arc::new(BackpressureGate::of_peer(hop.clone(), ended.clone()));
        Self { size: SEND_WINDOW, sent: 0, marked: 0, confirmed: 0, gate }
    }

    /// The window of a whole connection: its hop has no name.
    pub(super) fn in_all(ended: &CancellationToken) -> Self {
        Self { size: SEND_WINDOW_IN_ALL, ..Self::new(&in_all(), ended) }
    }

    fn unconfirmed(&self) -> u64 {
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
    fn counted(&mut self, hop: &Address, bytes: usize) -> (Option<Arc<BackpressureGate>>, Option<Vec<u8>>) {
        let due = self.on_sent(bytes as u64);
        let gate = self.gate.is_closed().then(|| self.gate.clone());
        (gate, due.map(|position| Notice::Mark { hop: hop.clone(), position }.encode()))
    }

    /// Takes a confirmation, if it is of something that was sent and not confirmed.
    fn on_confirmed(&mut self, position: u64) {
        if position.wrapping_sub(self.confirmed) <= self.marked.wrapping_sub(self.confirmed) {
            self.confirmed = position;
            self.gate.note_taken();
            if self.unconfirmed() < self.size {
                self.gate.open();
            }
        }
    }
}

impl HopWindows {
    /// What is left to do when a message of so many bytes was queued on the connection, whose own gate is `otherwise`.
    pub(crate) fn delivery(
        &self,
        core: &Core,
        message: &BorrowedMessage<'_>,
        bytes: usize,
        flush: Option<Flush>,
        otherwise: &Arc<BackpressureGate>,
    ) -> Delivery {
        let (gate, mark) = self.on_sent(message.onward.rest().front(), bytes);
        let gate = gate.or_else(|| self.gate_of(message.via()));
        let delivery = Delivery::sent(flush, gate.as_ref().unwrap_or(otherwise));
        if let Some(mut mark) = mark {
            // If it is not queued the connection has ended.
            let _ = self.send(core, &mut mark);
        }
        delivery
    }

    /// Counts a message that was queued for the next hop `hop`: the gate that its sender must wait for, if it is closed, and the
    /// notice that is due behind the message.
    fn on_sent(&self, hop: Option<AddressRef<'_>>, bytes: usize) -> (Option<Arc<BackpressureGate>>, Option<Vec<u8>>) {
        let sent = match &self.sent {
            Sent::ByHop(sent) => sent,
            Sent::InAll(window) => return lock(window).counted(&in_all(), bytes),
        };
        let (mut sent, Some(hop)) = (lock(sent), hop) else { return (None, None) };
        if !sent.contains_key(hop.encoded()) {
            if !make_room(&mut sent) || self.ended.is_cancelled() {
                return (None, None);
            }
            let hop = Address::from(hop);
            let window = SendWindow::new(&hop, &self.ended);
            sent.insert(hop, window);
        }
        let window = sent.get_mut(hop.encoded());
        window.map_or((None, None), |window| window.counted(&hop.into(), bytes))
    }

    /// Sends a notice that is encoded.
    pub(crate) fn send(&self, core: &Core, notice: &mut [u8]) -> Result<(), Undeliverable> {
        let sent = core.router.dispatch(BorrowedMessage {
            onward: self.notices.as_ref(),
            return_route: Route::new().as_ref(),
            body: PayloadBuf::exactly(notice),
            source: None,
            depth: 1,
            completion: None,
        });
        sent.map(Delivery::ignoring_backpressure).map(drop)
    }

    pub(super) fn on_confirmed(&self, hop: &Address, position: u64) {
        match &self.sent {
            Sent::InAll(window) => lock(window).on_confirmed(position),
            Sent::ByHop(sent) => {
                if let Some(window) = lock(sent).get_mut(hop) {
                    window.on_confirmed(position);
                }
            }
        }
    }

    /// The gate of the window of the whole connection, while that is full.
    pub(crate) fn gate_in_all(&self) -> Option<Arc<BackpressureGate>> {
        let Sent::InAll(window) = &self.sent else { return None };
        let window = lock(window);
        window.gate.is_closed().then(|| window.gate.clone())
    }

    /// The gate that messages wait for which came from `via` before they are passed on along the connection.
    pub(super) fn gate_of(&self, via: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        if !self.any_congested.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.congested).get(via?).cloned()
    }
}

/// The hop of a mark that is about all messages on a connection.
fn in_all() -> Address {
    Address::new(Address::LOCAL, b"")
}

/// Makes room for another window: those of whom little is unconfirmed are forgotten, and would begin anew.
fn make_room(sent: &mut HashMap<Address, SendWindow>) -> bool {
    if sent.len() >= HOPS_MAX {
        sent.retain(|_, window| window.unconfirmed() >= MARK_EVERY);
    }
    sent.len() < HOPS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows() -> HopWindows {
        HopWindows::new(Route::new(), CancellationToken::new(), true)
    }

    #[test]
    fn a_window_closes_for_one_hop_and_opens_with_its_confirmation() {
        let (windows, bob, alice) = (windows(), Address::from("bob"), Address::from("alice"));
        let send = |hop: &Address| windows.on_sent(Some(hop.as_ref()), MARK_EVERY as usize);
        let mut closed = None;
        for number in 1..=8u64 {
            let (gate, mark) = send(&bob);
            let expected = Notice::Mark { hop: bob.clone(), position: number * MARK_EVERY };
            assert_eq!(Notice::read(&mark.unwrap()), Some(expected));
            assert_eq!(gate.is_some(), number == 8);
            closed = gate;
        }
        assert!(send(&alice).0.is_none());
        let gate = closed.unwrap();
        // What was never sent, or is behind what is confirmed, confirms nothing.
        windows.on_confirmed(&bob, 9 * MARK_EVERY);
        assert!(gate.is_closed());
        windows.on_confirmed(&bob, 2 * MARK_EVERY);
        assert!(!gate.is_closed());
        windows.on_confirmed(&bob, MARK_EVERY);
        let (none, closed) = (send(&bob).0, send(&bob).0.unwrap());
        assert!(none.is_none() && closed.is_closed());
        // What waits does not outlive the connection, and giving up one peer does not end it.
        closed.give_up();
        assert!(!windows.ended.is_cancelled());
        windows.end();
        assert!(!closed.is_closed());
    }

    #[test]
    fn small_messages_need_no_mark_and_few_windows_are_kept() {
        let windows = windows();
        for number in 0..=HOPS_MAX {
            let hop = Address::from(number.to_string());
            assert!(matches!(windows.on_sent(Some(hop.as_ref()), 100), (None, None)));
        }
        let Sent::ByHop(sent) = &windows.sent else { unreachable!() };
        assert_eq!(lock(sent).len(), 1);
    }

    #[test]
    fn a_hub_has_one_window_for_all_that_goes_over_a_connection() {
        let asked = HopWindows::new(Route::new(), CancellationToken::new(), false);
        let half = SEND_WINDOW_IN_ALL as usize / 2;
        let (bob, alice) = (Address::from("bob"), Address::from("alice"));
        assert!(asked.on_sent(Some(bob.as_ref()), half).0.is_none());
        let gate = asked.on_sent(Some(alice.as_ref()), half).0.unwrap();
        assert!(asked.gate_in_all().is_some_and(|gate| gate.is_closed()));
        asked.on_confirmed(&in_all(), half as u64);
        assert!(!gate.is_closed() && asked.gate_in_all().is_none());
    }
}
