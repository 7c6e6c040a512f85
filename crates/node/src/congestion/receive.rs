//! The receiver's side: confirming marks, and telling whose messages nobody takes, instead of holding the connection.

use super::notice::Notice;
use super::state::{HOPS_MAX, HopWindows, NamedSender};
use crate::address::Address;
use crate::core::Core;
use crate::delivery::{Delivery, HOLD_TIMEOUT, Held, HoldLimit, hold_for};
use crate::origin::Source;
use crate::route::RouteRef;
use crate::sync::{BackpressureGate, lock};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Lets the connection that a message came over be read on, if what took the message is over its budget and its sender is told
/// another way: a next hop has a window; somebody whose messages a program here does not take is named. The return route is
/// given as it came. The delivery is given back as it was where the connection must be held.
pub(crate) fn spare_connection(
    core: &Arc<Core>,
    windows: &Arc<HopWindows>,
    delivery: Delivery,
    return_route: RouteRef<'_>,
) -> Delivery {
    let Some(gate) = delivery.closed_gate().filter(|gate| !gate.is_overfull()).cloned() else { return delivery };
    if gate.connection().is_some() {
        return delivery.ignoring_backpressure();
    }
    let Some(hop) = return_route.front().map(Address::from) else { return delivery };
    match windows.tell(&hop, || notify(core, windows, &Notice::Congestion { hop: hop.clone(), congested: true })) {
        None => return delivery,
        Some(false) => {}
        Some(true) => {
            let (held, windows) = (core.clone(), windows.clone());
            core.spawn(async move {
                let ended = windows.ended.clone();
                ended.run_until_cancelled(clear_when_open(&held, &windows, hop, &gate)).await;
            });
        }
    }
    delivery.ignoring_backpressure()
}

/// Waits until a gate opens, and tells the other end. What takes nothing for too long is given up.
async fn clear_when_open(core: &Arc<Core>, windows: &HopWindows, hop: Address, gate: &BackpressureGate) {
    let _ = hold_for(gate, HoldLimit::WhileTaken, HOLD_TIMEOUT).await;
    let notice = Notice::Congestion { hop: hop.clone(), congested: false };
    windows.clear(&hop, || notify(core, windows, &notice));
}

/// Confirms what came up to a mark of the other end: now if there is room behind `hop`, else as soon as there is.
pub(super) fn on_mark(core: &Arc<Core>, source: &Arc<Source>, windows: &Arc<HopWindows>, hop: Address, position: u64) {
    let gate = core.router.gate_of(hop.as_ref(), Some(source), Some(&source.sender)).filter(|gate| gate.is_closed());
    let Some(gate) = gate else {
        notify(core, windows, &Notice::Confirmed { hop, position });
        return;
    };
    // An honest sender has eight for each hop; one that has more gets no confirmation, and waits.
    if windows.marks.fetch_add(1, Ordering::Relaxed) >= 8 * HOPS_MAX {
        windows.marks.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let (held, windows) = (core.clone(), windows.clone());
    core.spawn(async move {
        let confirming = async {
            if let Held::TooLong(receiver) = hold_for(&gate, HoldLimit::WhileTaken, HOLD_TIMEOUT).await {
                let receiver: String = receiver.to_string().chars().take(8).collect();
                let seconds = HOLD_TIMEOUT.as_secs();
                tracing::warn!(%receiver, seconds, "a receiver was ended: it took nothing while others waited for it");
            }
            notify(&held, &windows, &Notice::Confirmed { hop, position });
        };
        windows.ended.run_until_cancelled(confirming).await;
        windows.marks.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Sends a notice; whether it was queued.
fn notify(core: &Core, windows: &HopWindows, notice: &Notice) -> bool {
    windows.send(core, &mut notice.encode()).is_ok()
}

impl HopWindows {
    /// Notes that the other end is told to wait with messages from this hop, if `send` sends that. `None`: there is no room, or it
    /// was not sent. `Some(false)`: it had been told before.
    ///
    /// Notices are sent under the lock, so that they leave in the order of its changes.
    fn tell(&self, hop: &Address, send: impl FnOnce() -> bool) -> Option<bool> {
        let mut told = lock(&self.told);
        if told.contains(hop) {
            return Some(false);
        }
        if told.len() >= HOPS_MAX || !send() {
            return None;
        }
        Some(told.insert(hop.clone()))
    }

    /// Notes that the other end need no longer wait, as `send` tells it.
    fn clear(&self, hop: &Address, send: impl FnOnce() -> bool) {
        let mut told = lock(&self.told);
        told.remove(hop);
        send();
    }

    /// Runs what begins notices: none of another task leaves meanwhile.
    pub(super) fn in_order<T>(&self, send: impl FnOnce() -> T) -> T {
        let _order = lock(&self.told);
        send()
    }

    /// The other end has said that messages from this hop must wait, or need no longer.
    pub(super) fn on_congestion(&self, hop: Address, congested: bool) {
        let mut named = lock(&self.congested);
        if !congested {
            if let Some(sender) = named.remove(&hop) {
                sender.gate.open();
            }
        } else if named.len() < HOPS_MAX && !named.contains_key(&hop) && !self.ended.is_cancelled() {
            let gate = BackpressureGate::of_peer(hop.clone(), self.ended.clone());
            gate.close();
            named.insert(hop, NamedSender { gate: Arc::new(gate), passed_on: 0 });
            self.any_congested.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;
    use tokio_util::sync::CancellationToken;

    fn windows() -> HopWindows {
        HopWindows::new(Route::new(), CancellationToken::new(), false)
    }

    #[test]
    fn only_the_messages_that_a_notice_is_about_wait() {
        let (windows, bob, alice) = (windows(), Address::from("bob"), Address::from("alice"));
        assert!(windows.gate_of(Some(&bob)).is_none());
        windows.on_congestion(bob.clone(), true);
        assert!(windows.gate_of(Some(&alice)).is_none() && windows.gate_of(None).is_none());
        let gate = windows.gate_of(Some(&bob)).unwrap();
        assert!(gate.is_closed());
        windows.on_congestion(bob.clone(), false);
        assert!(!gate.is_closed() && windows.gate_of(Some(&bob)).is_none());
        windows.on_congestion(bob.clone(), true);
        let gate = windows.gate_of(Some(&bob)).unwrap();
        windows.end();
        assert!(!gate.is_closed());
    }

    #[test]
    fn no_more_hops_than_the_limit_are_kept() {
        let windows = windows();
        for number in 0..=HOPS_MAX {
            windows.on_congestion(number.to_string().into(), true);
            let told = windows.tell(&number.to_string().into(), || true);
            assert_eq!(told, (number < HOPS_MAX).then_some(true));
        }
        assert_eq!(lock(&windows.congested).len(), HOPS_MAX);
        assert_eq!(windows.tell(&"0".into(), || unreachable!()), Some(false));
        windows.clear(&"0".into(), || true);
        assert_eq!(windows.tell(&"0".into(), || false), None);
        assert_eq!(windows.tell(&"0".into(), || true), Some(true));
    }
}
