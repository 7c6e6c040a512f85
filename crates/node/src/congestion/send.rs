//! The sender's side: of what goes to each next hop behind the connection, only so much is unconfirmed.

use super::state::{HOPS_MAX, HopWindows, Sent};
use super::window::{MARK_EVERY, ON_THE_WAY_MAX, SendWindow, in_all};
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
        let (named, is_ignored) = self.passed_on(message.via(), bytes);
        // Whoever ignores windows, and several senders together, are held by the connection itself.
        let gate = if is_ignored { named } else { gate.or(named) };
        let gate = gate.filter(|gate| gate.is_overfull() || !otherwise.is_overfull());
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
            Sent::InAll(window) => {
                let mut window = lock(window);
                let counted = window.counted(&in_all(), bytes);
                if self.ended.is_cancelled() {
                    // What waited was released when the connection ended.
                    window.gate.open();
                    return (None, None);
                }
                return counted;
            }
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
    pub(crate) fn gate_of(&self, via: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        if !self.any_congested.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.congested).get(via?).map(|named| named.gate.clone())
    }

    /// Counts a message that came from `via`. The gate that its sender must wait for, if the other end has named it, and whether
    /// it goes on regardless: more came than can have been on the way when it was named.
    fn passed_on(&self, via: Option<&Address>, bytes: usize) -> (Option<Arc<BackpressureGate>>, bool) {
        if !self.any_congested.load(Ordering::Acquire) {
            return (None, false);
        }
        let mut congested = lock(&self.congested);
        let Some(named) = via.and_then(|via| congested.get_mut(via)) else { return (None, false) };
        named.passed_on = named.passed_on.saturating_add(bytes as u64);
        let is_ignored = named.passed_on > ON_THE_WAY_MAX;
        if is_ignored {
            named.gate.set_overfull();
        }
        (Some(named.gate.clone()), is_ignored)
    }
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
    use super::super::notice::Notice;
    use super::super::window::SEND_WINDOW_IN_ALL;
    use super::*;
    use tokio_util::sync::CancellationToken;

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
