//! The node and this person's identity in it, and everything that hangs on both.

use super::dialer::{DESK, LISTENER, NEWS};
use super::hubs::Hubs;
use super::mail_transport::MailTransport;
use super::peer_rpc::{NotificationHandler, PeerRequestHandler, PeerRpc};
use crate::core::Event;
use crate::peer::PeerNotification;
use minicbor::Decoder;
use postern_node::identity::{ChangeHistory, Identifier, Identity};
use postern_node::session::HubSession;
use postern_node::{Node, SecureChannel, SecureChannelListener, SecureChannelOptions};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long telling friends that we leave may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// People whose history is remembered as told.
const MAX_MET: usize = 1_024;

/// An event on its way to the heart, and who waits until it has been dealt with.
pub(crate) struct TaskEvent {
    pub(crate) event: Event,
    pub(crate) done: Option<oneshot::Sender<()>>,
}

/// A running node with an identity; clones share it.
#[derive(Clone)]
pub(crate) struct NodeContext(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) node: Node,
    pub(crate) identity: Identity,
    /// Where others open channels with us.
    pub(crate) listener: SecureChannelListener,
    pub(crate) hubs: Hubs,
    pub(crate) calls: PeerRpc,
    pub(crate) post: MailTransport,
    pub(crate) stop: CancellationToken,
    events: mpsc::Sender<TaskEvent>,
    tasks: TaskTracker,
    nudge: Arc<Notify>,
    sessions: Mutex<HashMap<String, Weak<HubSession>>>,
    met: Mutex<HashMap<Identifier, u32>>,
}

impl Deref for NodeContext {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl NodeContext {
    /// Opens the desk of a person on a node.
    pub(crate) async fn open(
        node: Node,
        identity: Identity,
        post: MailTransport,
        events: mpsc::Sender<TaskEvent>,
    ) -> postern_node::Result<Self> {
        // Everybody may prove who they are: what they may do is decided behind, so that they can be told.
        let options = SecureChannelOptions::trust_anyone();
        let listener = node.create_secure_channel_listener(&identity, LISTENER, options).await?;
        let net = Self(Arc::new(Inner {
            node,
            identity,
            listener,
            hubs: Hubs::default(),
            calls: PeerRpc::default(),
            post,
            stop: CancellationToken::new(),
            events,
            tasks: TaskTracker::new(),
            nudge: Arc::default(),
            sessions: Mutex::default(),
            met: Mutex::default(),
        }));
        net.node.start_worker(DESK, PeerRequestHandler(net.clone()))?;
        net.node.expose(DESK, &net.listener)?;
        net.node.start_worker(NEWS, NotificationHandler(net.clone()))?;
        Ok(net)
    }

    /// Tells the heart something; waits while it is busy.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send(TaskEvent { event, done: None }).await;
    }

    /// Tells the heart something, and waits until what follows from it is done.
    pub(crate) async fn tell_and_wait(&self, event: Event) {
        let (done, is_done) = oneshot::channel();
        if self.events.send(TaskEvent { event, done: Some(done) }).await.is_ok() {
            let _ = is_done.await;
        }
    }

    /// Runs something until it ends or everything does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        })
    }

    /// Lets news come through a channel that we have opened.
    pub(crate) fn hear_news_from(&self, channel: &SecureChannel) {
        if let Err(error) = self.node.expose(NEWS, channel) {
            tracing::warn!(%error, "news cannot be heard");
        }
    }

    /// Tells the heart how long somebody's history is, whenever that is not what it was told last.
    pub(crate) fn met(&self, history: &ChangeHistory) {
        let who = history.identifier();
        let Ok(Some(changes)) = Decoder::new(&history.export()).array() else { return };
        let changes = u32::try_from(changes).unwrap_or(u32::MAX);
        {
            let mut met = self.0.met.lock().unwrap_or_else(PoisonError::into_inner);
            if met.get(&who) == Some(&changes) {
                return;
            }
            if met.len() >= MAX_MET {
                met.clear();
            }
            met.insert(who, changes);
        }
        let net = self.clone();
        self.spawn(async move { net.tell(Event::PeerIdentified(who, changes)).await });
    }

    /// The same, for somebody whose history the node knows.
    pub(crate) fn met_again(&self, who: &Identifier) {
        if let Some(history) = self.node.known_identities().get(who) {
            self.met(&history);
        }
    }

    /// A session with a node that is none of our hubs, shared by all who need it and gone with the last of them.
    pub(crate) fn pooled(&self, address: &str) -> Arc<HubSession> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(session) = sessions.get(address).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(self.node.keep_connected(address, None));
        sessions.insert(address.to_owned(), Arc::downgrade(&session));
        session
    }

    /// Makes everything that waits for its next attempt try now.
    pub(crate) fn nudge(&self) {
        self.nudge.notify_waiters();
        self.hubs.doubt(self);
    }

    /// Waits for the next [`nudge`](Self::nudge).
    pub(crate) async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Ends everything: says goodbye first.
    pub(crate) async fn close(&self) {
        // Nobody comes back before we have left.
        self.listener.close();
        let told = self.calls.push_to_all(self, &PeerNotification::GoingOffline);
        let _ = tokio::time::timeout(GOODBYE_WITHIN, told).await;
        // The node first: it says goodbye over connections that the tasks would end.
        self.node.shutdown().await;
        self.stop.cancel();
        self.tasks.close();
        self.hubs.clear();
        self.calls.clear();
        self.tasks.wait().await;
    }
}
