//! The running node with the identity of this person: what every task that talks to peers or hubs needs.
//!
//! Owns the tasks, their cancellation, the channel to the driver, and sessions that several portals share. It knows nothing
//! of what the tasks do. In: events of tasks. Out: the same, to the driver, with backpressure.

use crate::core::Event;
use minicbor::Decoder;
use postern_env::task::JoinHandle;
use postern_node::identity::{ChangeHistory, Identifier, Identity};
use postern_node::session::HubSession;
use postern_node::{Node, SecureChannel, SecureChannelListener, SecureChannelOptions};
use std::collections::HashMap;
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
/// Peers whose number of keys is remembered as reported. Chosen: as many as contacts (`MAX_CONTACTS`); above, all are
/// reported once more.
const MAX_REPORTED: usize = 1_024;

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
    /// Ends every task.
    pub(super) stop: CancellationToken,
    events: mpsc::Sender<TaskEvent>,
    tasks: TaskTracker,
    retry: Notify,
    sessions: Mutex<HashMap<String, Weak<HubSession>>>,
    reported: Mutex<HashMap<Identifier, u32>>,
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
        let options = SecureChannelOptions::trust_anyone();
        let listener = node.create_secure_channel_listener(&identity, LISTENER, options).await?;
        Ok(Self(Arc::new(Inner {
            node,
            identity,
            listener,
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

    /// Reports to the core how long a peer's key history is, unless that is what was reported last: a longer one means that
    /// the peer has a new key.
    pub(super) fn report_history(&self, history: &ChangeHistory) {
        let peer = history.identifier();
        let Ok(Some(changes)) = Decoder::new(&history.export()).array() else { return };
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        {
            let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
            if reported.get(&peer) == Some(&changes) {
                return;
            }
            if reported.len() >= MAX_REPORTED {
                reported.clear();
            }
            reported.insert(peer, changes);
        }
        let context = self.clone();
        self.spawn(async move { context.emit(Event::PeerIdentified(peer, changes)).await });
    }

    /// [`report_history`](Self::report_history) of a peer whose history the node knows.
    pub(super) fn report_known_history(&self, peer: &Identifier) {
        if let Some(history) = self.node.known_identities().get(peer) {
            self.report_history(&history);
        }
    }

    /// A session with a node that is none of our hubs, shared by all who need it; it ends with the last of them.
    pub(super) fn shared_session(&self, address: &str) -> Arc<HubSession> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(session) = sessions.get(address).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(self.node.keep_connected(address, None));
        sessions.insert(address.to_owned(), Arc::downgrade(&session));
        session
    }

    /// Ends every wait of [`retry_requested`](Self::retry_requested).
    pub(super) fn request_retry(&self) {
        self.retry.notify_waiters();
    }

    /// Waits until something suggests that a failed attempt may succeed now: the network changed, the machine woke up, or
    /// the user asked for it. Used beside the wait of a backoff.
    pub(super) async fn retry_requested(&self) {
        self.retry.notified().await;
    }
}
