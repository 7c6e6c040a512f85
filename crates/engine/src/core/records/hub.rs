//! The user's hubs: their connections and pinned identifiers.

use super::{Records, profile};
use crate::api::{Fault, Notice};
use crate::core::limits::{MAX_REACH, NOTICE_EVERY};
use crate::core::observed::{DirectListening, HubNotices, HubState};
use crate::core::task_request::TaskRequest;
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

impl Records {
    fn any_hub_is_up(&self) -> bool {
        self.hubs.values().any(|it| it.is_up)
    }
}

/// The direct listener reports its addresses, or why it cannot listen.
pub(crate) fn listening(records: &mut Records, result: Result<Vec<String>, Fault>) {
    records.listening = match result {
        Ok(addresses) => DirectListening { addresses: addresses.into_iter().take(MAX_REACH).collect(), fault: None },
        Err(fault) => DirectListening { addresses: Vec::new(), fault: Some(fault) },
    };
}

/// A hub is connected. The first identifier that it shows is pinned.
pub(crate) fn up(records: &mut Records, tx: &mut Transaction, address: String, identifier: Option<Identifier>) {
    if !records.has_hub(&address) {
        return;
    }
    let pinned = records.profile.as_ref().and_then(|it| it.hub_pins.get(&address)).copied();
    let hub = records.hubs.entry(address.clone()).or_default();
    let was_up = hub.is_up;
    let identifier = identifier.or(hub.identifier);
    let is_other = pinned.is_some() && identifier.is_some() && identifier != pinned;
    *hub = HubState { identifier, is_up: true, is_other, down: None, clock_ahead_ms: hub.clock_ahead_ms };
    if let Some(identifier) = identifier.filter(|_| pinned.is_none()) {
        pin(records, tx, &address, identifier);
    }
    if was_up {
        return;
    }
    if std::mem::take(&mut records.hub_notices.lost_is_notified) {
        tx.notify(Notice::HubBack { address });
    }
    tx.request(TaskRequest::RetryPeers);
}

/// A hub says what time it is. A hint for the user, which decides about nothing: a hub may lie.
pub(crate) fn clock(records: &mut Records, address: &str, ahead_ms: Option<i64>) {
    if let Some(hub) = records.hubs.get_mut(address) {
        hub.clock_ahead_ms = ahead_ms;
    }
}

/// A hub is not connected. The user is notified when it was the last, at most once in [`NOTICE_EVERY`].
pub(crate) fn down(records: &mut Records, tx: &mut Transaction, address: String, fault: Fault) {
    if !records.has_hub(&address) {
        return;
    }
    let hub = records.hubs.entry(address.clone()).or_default();
    let was_up = std::mem::replace(&mut hub.is_up, false);
    let since = hub.down.take().map_or(tx.now.wall, |(_, since)| since);
    hub.down = Some((fault.clone(), since));
    let quiet = records.hub_notices.lost_at.is_some_and(|at| tx.now.ticks < at.saturating_add(NOTICE_EVERY));
    if was_up && !quiet && !records.any_hub_is_up() {
        records.hub_notices = HubNotices { lost_at: Some(tx.now.ticks), lost_is_notified: true };
        tx.notify(Notice::HubLost { address, fault });
    }
}

/// Accepts the identifier that a hub has now.
pub(crate) fn trust_anew(records: &mut Records, tx: &mut Transaction, address: &str) {
    let Some(hub) = records.hubs.get_mut(address).filter(|it| it.is_other) else { return };
    hub.is_other = false;
    if let Some(identifier) = hub.identifier {
        pin(records, tx, address, identifier);
    }
}

/// Removes a hub with everything known about it.
pub(crate) fn remove(records: &mut Records, tx: &mut Transaction, address: &str) {
    records.hubs.remove(address);
    profile::change(records, tx, |it| {
        it.hubs.retain(|hub| hub != address);
        it.hub_pins.remove(address);
    });
}

fn pin(records: &mut Records, tx: &mut Transaction, address: &str, identifier: Identifier) {
    profile::change(records, tx, |it| {
        it.hub_pins.insert(address.to_owned(), identifier);
    });
}
