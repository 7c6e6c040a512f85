//! Everything that exists once there is an identity: the node, hubs, the dialer, requests to and from peers, mail.
//!
//! ```text
//! PeerRequest of the core ─► PeerRpc ────────┐                     ┌─► a peer's computer
//! mail of the core ─► MailTransport ─────────┼─► Dialer · Hubs ─► node
//! responses, notifications ─► PeerServer ────┘                     └─► hubs (relays, mailboxes)
//! ```

use super::dialer::Dialer;
use super::hub_session;
use super::hubs::Hubs;
use super::mail_transport::MailTransport;
use super::node_context::{NOTIFICATIONS, NodeContext, REQUESTS, TaskEvent};
use super::peer_rpc::PeerRpc;
use super::peer_server::{NotificationHandler, PeerRequestHandler, PeerServer};
use crate::peer::PeerNotification;
use postern_env::time::{self, Duration};
use postern_node::Node;
use postern_node::identity::Identity;
use postern_node::sealed::PostalKey;
use tokio::sync::mpsc;

/// How long telling peers that we go offline may take. Chosen: quitting must not seem to hang.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The node and what runs on it; clones share it.
#[derive(Clone)]
pub(super) struct PeerNetwork {
    pub(super) context: NodeContext,
    pub(super) dialer: Dialer,
    pub(super) rpc: PeerRpc,
    pub(super) server: PeerServer,
    pub(super) mail: MailTransport,
    hubs: Hubs,
}

impl PeerNetwork {
    /// Starts the workers that peers send requests and notifications to.
    pub(super) async fn open(
        node: Node,
        identity: Identity,
        key: PostalKey,
        events: mpsc::Sender<TaskEvent>,
    ) -> postern_node::Result<Self> {
        let context = NodeContext::open(node, identity, events).await?;
        let hubs = Hubs::default();
        let dialer = Dialer::new(context.clone(), hubs.clone());
        let server = PeerServer::new(context.clone());
        context.node.start_worker(REQUESTS, PeerRequestHandler(server.clone()))?;
        context.node.expose(REQUESTS, &context.listener)?;
        context.node.start_worker(NOTIFICATIONS, NotificationHandler(context.clone()))?;
        Ok(Self {
            rpc: PeerRpc::new(dialer.clone()),
            mail: MailTransport::new(context.clone(), hubs.clone(), key),
            context,
            dialer,
            server,
            hubs,
        })
    }

    /// Keeps a hub connected, with our relay and mailbox there, unless it is already; `is_pinned` if it has shown an identity
    /// before.
    pub(super) fn keep_hub(&self, address: String, is_pinned: bool) {
        hub_session::keep(&self.context, &self.hubs, &self.mail, address, is_pinned);
    }

    /// Disconnects from a hub.
    pub(super) fn drop_hub(&self, address: &str) {
        self.hubs.remove(address);
    }

    /// Lets everything that waits for its next attempt try now, and checks that hubs still answer.
    pub(super) fn retry_now(&self) {
        self.context.request_retry();
        self.hubs.probe(&self.context);
    }

    /// Tells peers that we go offline, and ends everything.
    pub(super) async fn close(&self) {
        // Nobody reconnects before we are gone.
        self.context.listener.close();
        let notified = self.server.notify_all(&PeerNotification::GoingOffline);
        let _ = time::timeout(GOODBYE_WITHIN, notified).await;
        // The node first: it closes channels in order over connections that the tasks would cut.
        self.context.node.shutdown().await;
        self.context.stop.cancel();
        self.hubs.clear();
        self.rpc.clear();
        self.server.clear();
        self.context.end_tasks().await;
    }
}
