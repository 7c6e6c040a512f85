//! The running node with the identity of this person: what every task that talks to peers or hubs needs.
//!
//! Owns the tasks, their cancellation, the channel to the driver, and sessions that several portals share. It knows nothing
//! of what the tasks do. In: events of tasks. Out: the same, to the driver, with backpressure.

use super::contacts::Contacts;
use crate::core::{Event, HistoryRefusal, KeyHistory};
use crate::dial_policy::{ChosenBy, attached_networks, may_dial};
use crate::peer::ContactInfo;
use postern_env::task::JoinHandle;
use postern_node::identity::{ChangeHash, ChangeHistory, Comparison, Identifier, Identity};
use postern_node::sealed::PostalAddress;
use postern_node::session::HubSession;
use postern_node::tcp::Target;
use postern_node::{Node, SecureChannel, SecureChannelListener, SecureChannelOptions};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Address of the secure channel listener of every Postern. Part of the protocol.
pub(super) const LISTENER: &str = "api";
/// Address of the worker that takes requests, behind the listener. Part of the protocol.
pub(super) const REQUESTS: &str = "desk";
/// Address of the worker that takes notifications, behind channels that we have opened. Part of the protocol.
pub(super) const NOTIFICATIONS: &str = "news";
/// Peers whose key history is remembered as reported. Chosen: as many as contacts (`MAX_CONTACTS`); above, all are
/// reported once more.
const MAX_REPORTED: usize = 1_024;

/// A `host:port` to connect to; where somebody else chose it, only those of its addresses that may be dialed for a peer.
pub(super) fn dial_target(address: &str, chosen_by: ChosenBy) -> Target {
    let is_permitted = move |socket: SocketAddr| match may_dial(socket.ip(), chosen_by, &attached_networks()) {
        Ok(()) => true,
        Err(forbidden) => {
            tracing::debug!(?forbidden, "an address that a peer named is not dialed");
            false
        }
    };
    match chosen_by {
        ChosenBy::User => address.into(),
        ChosenBy::Peer => Target::filtered(address, Arc::new(is_permitted)),
    }
}

/// An event of a task, on its way to the driver.
pub(super) struct TaskEvent {
    pub(super) event: Event,
    /// Gets a message once everything that follows from the event is done and on disk.
    pub(super) handled: Option<oneshot::Sender<()>>,
}

/// A running node with an identity; clones share it.
#[derive(Clone)]
pub(super) struct NodeContext(Arc<Inner>);

pub(super) struct Inner {
    pub(super) node: Node,
    pub(super) identity: Identity,
    /// Where peers open channels with us.
    pub(super) listener: SecureChannelListener,
    /// Whose channels are never closed for those of strangers.
    pub(super) contacts: Contacts,
    /// Ends every task.
    pub(super) stop: CancellationToken,
    events: mpsc::Sender<TaskEvent>,
    tasks: TaskTracker,
    retry: Notify,
    sessions: Mutex<HashMap<(Identifier, String), Weak<HubSession>>>,
    reported: Mutex<HashMap<Identifier, ChangeHash>>,
}

impl Deref for NodeContext {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl NodeContext {
    /// Opens the secure channel listener of an identity on a node.
    pub(super) async fn open(
        node: Node,
        identity: Identity,
        events: mpsc::Sender<TaskEvent>,
    ) -> postern_node::Result<Self> {
        // Every identity may authenticate: what it may do is decided for each request and stream, so that a peer who may do
        // nothing gets an answer that says so.
        let contacts = Contacts::default();
        let options =
            SecureChannelOptions { contacts: Some(contacts.predicate()), ..SecureChannelOptions::trust_anyone() };
        let listener = node.create_secure_channel_listener(&identity, LISTENER, options).await?;
        report_refusals(&node, events.clone());
        Ok(Self(Arc::new(Inner {
            node,
            identity,
            listener,
            contacts,
            stop: CancellationToken::new(),
            events,
            tasks: TaskTracker::new(),
            retry: Notify::new(),
            sessions: Mutex::default(),
            reported: Mutex::default(),
        })))
    }

    /// Sends an event to the driver; waits while its queue is full.
    pub(super) async fn emit(&self, event: Event) {
        // The driver may have stopped.
        let _ = self.events.send(TaskEvent { event, handled: None }).await;
    }

    /// Sends an event to the driver, and waits until what follows from it is done.
    pub(super) async fn emit_and_wait(&self, event: Event) {
        let (handled, is_handled) = oneshot::channel();
        if self.events.send(TaskEvent { event, handled: Some(handled) }).await.is_ok() {
            let _ = is_handled.await;
        }
    }

    /// Runs a task until it ends or the network closes.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let stop = self.stop.clone();
        postern_env::task::spawn(self.tasks.track_future(async move {
            stop.run_until_cancelled(task).await;
        }))
    }

    /// Waits until every task has ended; they are cancelled.
    pub(super) async fn end_tasks(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Lets notifications arrive through a channel that we have opened.
    pub(super) fn accept_notifications(&self, channel: &SecureChannel) {
        if let Err(error) = self.node.expose(NOTIFICATIONS, channel) {
            tracing::warn!(%error, "notifications cannot be received over a channel; the peer's mail and answers remain");
        }
    }

    /// Reports to the core what the node knows of a peer's key history, unless that is what was reported last: a longer one
    /// means that the peer has a new key. What is emitted afterwards reaches the core afterwards.
    pub(super) async fn report_history(&self, peer: &Identifier) {
        if let Some(history) = self.node.known_identities().get(peer).filter(|it| self.is_unreported(it)) {
            self.emit(Event::PeerIdentified(*peer, key_history(&history))).await;
        }
    }

    /// Reports a peer's key history although it may have been reported: the core keeps a bounded number of those of strangers.
    pub(super) async fn report_history_again(&self, peer: &Identifier) {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).remove(peer);
        self.report_history(peer).await;
    }

    /// Whether a history was not reported last for its identity; it counts as reported from now on.
    fn is_unreported(&self, history: &ChangeHistory) -> bool {
        let (peer, latest) = (history.identifier(), history.latest_hash());
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.get(&peer) == Some(&latest) {
            return false;
        }
        if reported.len() >= MAX_REPORTED {
            reported.clear();
        }
        reported.insert(peer, latest);
        true
    }

    /// Makes the node remember the key histories of contacts; none of them is refused or forgotten from now on.
    pub(super) fn pin_histories(&self, encoded: &[Vec<u8>]) {
        for history in encoded {
            let pinned =
                ChangeHistory::import(history).and_then(|history| self.node.known_identities().pin(history).map(drop));
            if let Err(error) = pinned {
                tracing::warn!(%error, "a stored key history cannot be used; an older key of its person would be accepted");
            }
        }
    }

    /// Removes a postal address that is not one of the peer who gave it: mail to the peer would go to somebody else.
    pub(super) async fn check_postal(&self, peer: Identifier, info: &mut ContactInfo) {
        if info.postal.is_empty() || is_postal_address_of(peer, &info.postal) {
            return;
        }
        info.postal.clear();
        self.emit(Event::PostalRefused(peer)).await;
    }

    /// A session with a node that is none of our hubs, shared by all portals of one owner; it ends with the last of them. Each
    /// owner has one of its own: a hub holds the connection for an owner that takes nothing.
    ///
    /// Peers name such nodes, so only addresses that may be dialed for a peer are connected to.
    pub(super) fn shared_session(&self, owner: Identifier, address: &str) -> Arc<HubSession> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        let key = (owner, address.to_owned());
        if let Some(session) = sessions.get(&key).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(self.node.keep_connected(dial_target(address, ChosenBy::Peer), None));
        sessions.insert(key, Arc::downgrade(&session));
        session
    }

    /// Ends every wait of [`retry_requested`](Self::retry_requested), and those of the node's sessions.
    pub(super) fn request_retry(&self) {
        self.node.network_changed();
        self.retry.notify_waiters();
    }

    /// Waits until something suggests that a failed attempt may succeed now: the network changed, the machine woke up, or
    /// the user asked for it. Used beside the wait of a backoff.
    pub(super) async fn retry_requested(&self) {
        self.retry.notified().await;
    }
}

/// Whether an encoded postal address belongs to an identity. Whether it can be used now is decided when mail is sent.
fn is_postal_address_of(peer: Identifier, encoded: &[u8]) -> bool {
    PostalAddress::decode(encoded).and_then(|address| address.identifier()).is_ok_and(|owner| owner == peer)
}

/// A history in the core's form.
pub(super) fn key_history(history: &ChangeHistory) -> KeyHistory {
    KeyHistory { changes: history.hashes().map(|hash| *hash.as_bytes()).collect(), encoded: history.export() }
}

/// Reports to the core whenever the node refuses a peer because of its key history.
fn report_refusals(node: &Node, events: mpsc::Sender<TaskEvent>) {
    node.known_identities().on_refusal(move |peer, how| {
        let how = match how {
            Comparison::Older => HistoryRefusal::Older,
            Comparison::Conflict => HistoryRefusal::Fork,
            Comparison::Equal | Comparison::Newer => return,
        };
        // A handshake must not wait. When the driver is busy, the next attempt is reported.
        let _ = events.try_send(TaskEvent { event: Event::HistoryRefused(peer, how), handled: None });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_node::identity::Timestamp;
    use postern_node::sealed::PostalKey;
    use postern_node::vault::{MemoryStore, MemoryVault};

    const NOW: Timestamp = Timestamp(1_800_000_000);

    async fn person() -> (Identifier, Vec<u8>) {
        let identity = Identity::create(Arc::new(MemoryVault::in_memory()), NOW).await.unwrap();
        let key = PostalKey::open(&identity, &MemoryStore::new(), NOW).await.unwrap();
        (identity.identifier(), key.address().encode())
    }

    #[tokio::test]
    async fn a_postal_address_belongs_to_the_identity_whose_history_it_contains() {
        let ((ann, of_ann), (ben, of_ben)) = (person().await, person().await);
        assert!(is_postal_address_of(ann, &of_ann) && is_postal_address_of(ben, &of_ben));
        assert!(!is_postal_address_of(ann, &of_ben) && !is_postal_address_of(ben, &of_ann));
        assert!(!is_postal_address_of(ann, b"nonsense") && !is_postal_address_of(ann, &of_ann[..of_ann.len() - 1]));
    }
}
