//! What one end of a connection with notices knows.

use super::window::SendWindow;
use crate::address::Address;
use crate::route::Route;
use crate::sync::{BackpressureGate, lock};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Hops behind one connection that have a window, or must be waited for; for others the connection is held. Chosen: more peers
/// than an owner serves at once, and a few hundred bytes each.
pub const HOPS_MAX: usize = 1024;

/// What was sent over a connection and is not confirmed.
pub(super) enum Sent {
    /// A node has a window for each next hop behind a hub.
    ByHop(Mutex<HashMap<Address, SendWindow>>),
    /// A hub has one for all: the node behind the connection takes everything at once, and names whose messages nobody takes.
    InAll(Mutex<SendWindow>),
}

/// A sender whose messages the other end does not take.
pub(super) struct NamedSender {
    /// Closed until they are taken again.
    pub(super) gate: Arc<BackpressureGate>,
    /// Bytes of theirs since they were named.
    pub(super) passed_on: u64,
}

/// The windows of the peers behind one connection.
pub(crate) struct HopWindows {
    /// Where the other end takes notices.
    pub(super) notices: Route,
    /// The connection.
    pub(super) ended: CancellationToken,
    pub(super) sent: Sent,
    /// Whether the other end has ever named somebody whose messages wait.
    pub(super) any_congested: AtomicBool,
    /// Whose messages wait before they are passed on along the connection.
    pub(super) congested: Mutex<HashMap<Address, NamedSender>>,
    /// Whose messages the other end was told to wait with.
    pub(super) told: Mutex<HashSet<Address>>,
    /// Marks of the other end that wait for their confirmation.
    pub(super) marks: AtomicUsize,
}

impl HopWindows {
    /// Those of the end that asked for them, or of the hub, which was asked.
    pub(super) fn new(notices: Route, ended: CancellationToken, has_asked: bool) -> Self {
        Self {
            sent: match has_asked {
                true => Sent::ByHop(Mutex::default()),
                false => {
                    let connection = notices.front().unwrap_or_else(Address::random);
                    Sent::InAll(Mutex::new(SendWindow::in_all(connection, &ended)))
                }
            },
            notices,
            ended,
            any_congested: AtomicBool::default(),
            congested: Mutex::default(),
            told: Mutex::default(),
            marks: AtomicUsize::default(),
        }
    }

    /// The connection has ended: nobody waits any longer.
    pub(crate) fn end(&self) {
        lock(&self.congested).drain().for_each(|(_, named)| named.gate.open());
        match &self.sent {
            Sent::ByHop(sent) => lock(sent).drain().for_each(|(_, window)| window.gate.open()),
            Sent::InAll(window) => lock(window).gate.open(),
        }
    }
}
