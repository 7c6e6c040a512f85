//! Requests of peers, our responses, and our notifications to peers.
//!
//! ```text
//! a peer's request ─► rate limit ─► Event::PeerRequest ─► the core ─► Effect::Reply ─► the route the request came by
//! Effect::NotifyPeer ─► back through the channel that the peer last sent a request over ─► "news"
//! a peer's notification ─► Event::PeerNotification
//! ```
//!
//! The secure channel has authenticated the peer; without an identity nothing gets here. A request beyond the rate limit
//! gets no response, and so no effort.

use super::node_context::{NOTIFICATIONS, NodeContext};
use crate::api::Code;
use crate::core::{CallId, Event};
use crate::peer::{MAX_MESSAGE, PeerNotification, PeerRequest, PeerResponse};
use bytes::Bytes;
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::Identifier;
use postern_node::rate_limit::{Rate, TokenBucket};
use postern_node::{Context, Route, Routed, Worker, WorkerError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Peers that are remembered, with the route for notifications and the rate limit. As many as contacts (`MAX_CONTACTS`).
const MAX_PEERS: usize = 1_024;
/// Requests that may wait for the core's answer. Chosen: as many as events that may be queued.
const MAX_PENDING: usize = 256;
/// So many of them are reserved for contacts. Chosen: a quarter, as of the channels of a listener.
const RESERVED_PENDING: usize = MAX_PENDING / 4;
/// Rate limit for each peer. Chosen: the burst is more than one peer needs after a reconnect, the refill bounds the work of a
/// peer that never stops.
const RATE: Rate = Rate::new(32, Duration::from_millis(250));

/// Responds to peers and notifies them; clones share the state.
#[derive(Clone)]
pub(super) struct PeerServer {
    context: NodeContext,
    started: Instant,
    state: Arc<Mutex<PeerTable>>,
}

#[derive(Default)]
struct PeerTable {
    peers: HashMap<Identifier, Peer>,
    /// The way back of each request that has no response yet.
    pending: HashMap<CallId, Route>,
    last_call: u64,
}

/// A peer that has sent requests.
struct Peer {
    /// To its worker for notifications, through the channel that it last used.
    notifications: Route,
    bucket: TokenBucket,
    /// When its last request was admitted, since the server's start.
    seen: Duration,
    /// Whether it could use a service of ours then. Others make room for it.
    is_contact: bool,
}

impl PeerServer {
    pub(super) fn new(context: NodeContext) -> Self {
        Self { context, started: time::now(), state: Arc::default() }
    }

    /// Responds to a request; nothing happens if there is no such request.
    pub(super) fn reply(&self, call: CallId, response: &PeerResponse) {
        let Some(route) = self.table().pending.remove(&call) else { return };
        match response.encode() {
            Ok(bytes) => self.send(route, bytes),
            Err(_) => tracing::warn!("a response is too long and was not sent; the peer will ask again"),
        }
    }

    /// Notifies a peer, if it has sent requests over a channel that is still open.
    pub(super) fn notify(&self, peer: Identifier, notification: &PeerNotification) {
        let Some(route) = self.table().peers.get(&peer).map(|it| it.notifications.clone()) else { return };
        if let Ok(bytes) = notification.encode() {
            self.send(route, bytes);
        }
    }

    /// Notifies all peers, and waits until the notifications are on their way.
    pub(super) async fn notify_all(&self, notification: &PeerNotification) {
        let routes: Vec<Route> = self.table().peers.values().map(|peer| peer.notifications.clone()).collect();
        let sender = self.context.node.context();
        let (Ok(bytes), Ok(mut sender)) = (notification.encode().map(Bytes::from), sender) else { return };
        for route in routes {
            if let Err(error) = sender.send(route, bytes.clone()).await {
                tracing::debug!(%error, "a peer was not notified; it will notice by itself");
            }
        }
    }

    /// Forgets all peers and requests.
    pub(super) fn clear(&self) {
        *self.table() = PeerTable::default();
    }

    /// Admits a request, unless the peer's rate limit or the core's queue is exhausted.
    fn admit(&self, from: Identifier, return_route: &Route) -> Option<CallId> {
        let is_contact = self.context.contacts.contains(&from);
        self.table().admit(from, is_contact, return_route, time::since(self.started))
    }

    /// Sends from a mailbox of its own, so that a slow connection delays nobody else.
    fn send(&self, route: Route, bytes: Vec<u8>) {
        let node = self.context.node.clone();
        self.context.spawn(async move {
            let Ok(mut sender) = node.context() else { return };
            if let Err(error) = sender.send(route, Bytes::from(bytes)).await {
                tracing::debug!(%error, "a message to a peer was not delivered; the peer will ask again");
            }
        });
    }

    fn table(&self) -> MutexGuard<'_, PeerTable> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerTable {
    /// Admits a request. An identity costs its maker nothing, so strangers get only what contacts leave, and make room first.
    fn admit(&mut self, from: Identifier, is_contact: bool, return_route: &Route, now: Duration) -> Option<CallId> {
        let reserved = if is_contact { 0 } else { RESERVED_PENDING };
        if self.pending.len() + reserved >= MAX_PENDING {
            return None;
        }
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&from) {
            let (first, peer) = self.peers.iter().min_by_key(|(_, peer)| (peer.is_contact, peer.seen))?;
            if peer.is_contact && !is_contact {
                return None;
            }
            let first = *first;
            self.peers.remove(&first);
        }
        let peer = self.peers.entry(from).or_insert_with(|| Peer {
            notifications: Route::new(),
            bucket: TokenBucket::full(RATE, now),
            seen: now,
            is_contact,
        });
        if !peer.bucket.take(RATE, now) {
            return None;
        }
        // The last hop is the mailbox of the request; before it is the peer's end of the channel.
        let channel: Route = return_route.iter().take(return_route.len().saturating_sub(1)).collect();
        peer.notifications = channel.then(NOTIFICATIONS);
        peer.seen = now;
        peer.is_contact = is_contact;
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.pending.insert(call, return_route.clone());
        Some(call)
    }
}

/// The worker that takes requests.
pub(super) struct PeerRequestHandler(pub(super) PeerServer);

impl Worker for PeerRequestHandler {
    type Message = Bytes;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let Some(from) = message.peer().copied() else { return Ok(()) };
        if message.body().len() > MAX_MESSAGE {
            return Ok(());
        }
        let Some(call) = self.0.admit(from, message.return_route()) else {
            tracing::warn!(peer = %short(&from), "a peer exceeded its rate limit; its request was dropped");
            return Ok(());
        };
        match PeerRequest::decode(message.body()) {
            Ok(mut request) => {
                let context = &self.0.context;
                match &mut request {
                    PeerRequest::Redeem { contact, .. } => {
                        context.report_history_again(&from).await;
                        context.check_postal(from, contact).await;
                    }
                    PeerRequest::Sync { contact, .. } => {
                        context.report_history(&from).await;
                        context.check_postal(from, contact).await;
                    }
                    PeerRequest::Seen { .. } | PeerRequest::Decline { .. } | PeerRequest::GiveBack { .. } => {
                        context.report_history(&from).await;
                    }
                }
                self.0.context.emit(Event::PeerRequest(call, from, request)).await;
            }
            Err(_) => self.0.reply(call, &PeerResponse::Refused(Code::Invalid)),
        }
        Ok(())
    }
}

/// The worker that takes notifications, over channels that we have opened.
pub(super) struct NotificationHandler(pub(super) NodeContext);

impl Worker for NotificationHandler {
    type Message = Bytes;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        let Some(from) = message.peer().copied() else { return Ok(()) };
        match PeerNotification::decode(message.body()) {
            Ok(notification) => self.0.emit(Event::PeerNotification(from, notification)).await,
            Err(error) => tracing::debug!(peer = %short(&from), %error, "a notification was dropped"),
        }
        Ok(())
    }
}

/// As much of an identifier as a log may show.
fn short(peer: &Identifier) -> String {
    peer.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_node::route;

    const ANN: Identifier = Identifier::from_bytes([1; 32]);
    const BEN: Identifier = Identifier::from_bytes([2; 32]);

    #[test]
    fn a_peer_that_asks_too_much_waits_and_others_do_not() {
        let mut table = PeerTable::default();
        let mut admit =
            |peer, millis| table.admit(peer, true, &route!["channel", "mailbox"], Duration::from_millis(millis));
        assert_eq!((0..40).filter(|_| admit(ANN, 1_000).is_some()).count(), 32);
        assert!(admit(BEN, 1_000).is_some());
        assert!(admit(ANN, 1_249).is_none());
        assert!(admit(ANN, 1_250).is_some() && admit(ANN, 1_250).is_none());
    }

    /// Somebody else for each number.
    fn peer(number: usize) -> Identifier {
        let mut bytes = [9; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Identifier::from_bytes(bytes)
    }

    #[test]
    fn strangers_make_room_for_each_other_and_for_contacts_and_contacts_for_contacts_only() {
        let mut table = PeerTable::default();
        let mut millis = 0;
        let mut admit = |table: &mut PeerTable, peer, is_contact| {
            millis += 1;
            let call = table.admit(peer, is_contact, &route!["channel", "mailbox"], Duration::from_millis(millis));
            call.map(|call| table.pending.remove(&call)).is_some()
        };
        assert!(admit(&mut table, ANN, true));
        for number in 0..2 * MAX_PEERS {
            assert!(admit(&mut table, peer(number), false));
        }
        assert_eq!(table.peers.len(), MAX_PEERS);
        assert!(table.peers.contains_key(&ANN) && !table.peers.contains_key(&peer(0)));
        assert!(admit(&mut table, BEN, true) && table.peers.contains_key(&ANN));
        // When all are contacts, the one that was idle longest.
        for number in 0..MAX_PEERS - 2 {
            assert!(admit(&mut table, peer(number), true));
        }
        assert!(!admit(&mut table, peer(2 * MAX_PEERS), false));
        assert!(admit(&mut table, peer(2 * MAX_PEERS), true));
        assert!(!table.peers.contains_key(&ANN) && table.peers.contains_key(&BEN));
        assert_eq!(table.peers.len(), MAX_PEERS);
    }

    #[test]
    fn requests_that_wait_are_bounded_and_notifications_go_behind_the_channel() {
        let mut table = PeerTable::default();
        let now = Duration::from_secs(1);
        let strangers = MAX_PENDING - RESERVED_PENDING;
        for number in 0..=strangers {
            let call = table.admit(peer(number), false, &route!["channel", "mailbox"], now);
            assert_eq!(call.is_some(), number < strangers);
        }
        for number in strangers..=MAX_PENDING {
            let call = table.admit(peer(number), true, &route!["channel", "mailbox"], now);
            assert_eq!(call.is_some(), number < MAX_PENDING);
        }
        table.pending.clear();
        assert!(table.admit(ANN, false, &route!["channel", "mailbox"], now).is_some());
        assert_eq!(table.peers[&ANN].notifications, route!["channel", "news"]);
    }
}
