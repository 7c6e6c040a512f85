//! The hub: the untrusted node in the middle, which relays ciphertext and stores sealed messages.
//!
//! ```text
//! owner ═► listen ─► forwarding_service ─► relay "bob"        status ─► /healthz   200, or 503 while draining
//! friend ═► listen ──────────────────────► relay "bob" ═► owner         /metrics   Prometheus text, /join if configured
//! either ═► listen ─► api (secure channel with the hub) ─► owned_forwarding_service, mailbox
//! either ═► listen, api ─► stream, stream_index ─► streams
//! ```
//!
//! The hub sees relay names and connections, never content: the peers at both ends encrypt what passes and what is
//! stored in its mailboxes. It authenticates clients only to decide whose relay and whose mailbox something is (access
//! control). Against abuse it has limits, quotas and rate limits. [`Hub::drain`] is a graceful drain: it accepts nobody
//! new and lets open connections finish.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests use the real clock, sockets and tasks"))]

mod authorization;
mod config;
mod identity;
mod mailbox;
mod metrics;
mod routes;
mod sqlite;
mod status;
mod stream;

pub use config::{ConfigError, HubConfig};

use mailbox::{MailboxStats, Store};
use postern_env::task::JoinHandle;
use postern_env::time::{self, Duration};
use postern_env::{descriptors, fs};
use postern_node::identity::{Identifier, Identity};
use postern_node::mailbox::MAILBOX_SERVICE;
use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::session::HUB_LISTENER;
use postern_node::{Echoer, Node, Origin, SecureChannelOptions, Stats, TcpListener, Uppercase};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stream::{Exposure, StreamDatabase, StreamStats};
use tokio::sync::watch;

/// A draining hub stops early when no frame arrived for this long: longer than the pauses within a transfer.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// Why a hub did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Its node did not start, for instance because the address is in use.
    #[error(transparent)]
    Node(#[from] postern_node::Error),
    /// Something in the data directory cannot be used. Nothing was replaced.
    #[error("cannot use {}: {reason}", path.display())]
    Data {
        /// Which file or directory.
        path: PathBuf,
        /// The reason, as a message for people.
        reason: String,
    },
    /// Another hub has the data directory.
    #[error("cannot use {}: another hub uses it", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The stream services did not start.
    #[error("cannot start the stream services: {reason}")]
    Streams {
        /// The reason, as a message for people.
        reason: String,
    },
    /// The status address cannot be listened on.
    #[error("cannot serve the status on {address}: {source}")]
    Status {
        /// As it was given.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A running hub.
pub struct Hub {
    node: Node,
    identifier: Identifier,
    listener: TcpListener,
    mailbox: JoinHandle<()>,
    streams: JoinHandle<()>,
    status: Option<SocketAddr>,
    draining: watch::Sender<bool>,
    drain: Duration,
}

impl Hub {
    /// Starts a hub.
    ///
    /// # Errors
    /// [`HubError`]: an address cannot be listened on, or the data directory cannot be used.
    pub async fn start(config: &HubConfig) -> Result<Self, HubError> {
        if let Err(error) = descriptors::raise_limit() {
            tracing::warn!(%error, "the limit of file descriptors stays as it is; the hub refuses connections above it");
        }
        let data = config.data.as_deref();
        data.map(make_directory).transpose()?;
        let (vault, identity) = identity::open(data).await?;
        let store = Store::open(data, config.mailboxes()).await?;
        let (database, streams) = StreamDatabase::open(data, config.quotas()).await?;
        let node = Node::with(vault, config.limits());
        let stats = Arc::new(MailboxStats::default());
        let mailbox = mailbox::start(&node, store, stats.clone())?;
        let (draining, watching) = watch::channel(false);
        let status = status::Status {
            node: node.clone(),
            mailbox: stats,
            streams: Arc::new(StreamStats::default()),
            kafka: None,
            draining: watching,
            join_page: config.join_page,
        };
        match serve(config, &identity, database, status).await {
            Ok((listener, status)) => {
                let drain = Duration::from_secs(config.drain_seconds);
                let identifier = identity.identifier();
                Ok(Self { node, identifier, listener, mailbox, streams, status, draining, drain })
            }
            Err(error) => {
                // Releases the data directory, so that the next start can use it.
                node.shutdown().await;
                let _ = (mailbox.await, streams.await);
                Err(error)
            }
        }
    }

    /// The hub's identifier: the same after every start in the same data directory.
    pub fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// The address that nodes connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The address of the status port (health check and metrics), if there is one.
    pub fn status_addr(&self) -> Option<SocketAddr> {
        self.status
    }

    /// Counters of its node: what it has forwarded, and what is open now.
    pub fn stats(&self) -> &Stats {
        self.node.stats()
    }

    /// Graceful drain: accepts nobody new, fails the health check, waits until no frame arrived for a second or
    /// `drain_seconds` are over, and stops.
    pub async fn drain(self) {
        self.draining.send_replace(true);
        self.listener.close();
        let _ = time::timeout(self.drain, self.until_idle()).await;
        self.stop().await;
    }

    /// Stops at once. Mailboxes and streams are complete on the disk.
    pub async fn stop(self) {
        self.node.shutdown().await;
        if let Err(error) = self.streams.await {
            tracing::error!(%error, "the stream database panicked; stored records are read again at the next start");
        }
        if let Err(error) = self.mailbox.await {
            tracing::error!(%error, "the mailbox service panicked; stored messages are read again at the next start");
        }
    }

    async fn until_idle(&self) {
        let mut frames = self.stats().frames.get();
        while self.stats().connections.get() > 0 {
            time::sleep(IDLE_INTERVAL).await;
            let now = self.stats().frames.get();
            if now == frames {
                return;
            }
            frames = now;
        }
    }
}

/// Starts the services and exposes each to the connections or channels it is for; returns the listener and the status
/// address.
async fn serve(
    config: &HubConfig,
    identity: &Identity,
    database: StreamDatabase,
    mut status: status::Status,
) -> Result<(TcpListener, Option<SocketAddr>), HubError> {
    let node = status.node.clone();
    // Authentication only: every service decides itself what an identity may do.
    let any = SecureChannelOptions::trust_anyone();
    let channels = node.create_secure_channel_listener(identity, HUB_LISTENER, any).await?;
    node.expose(MAILBOX_SERVICE, &channels)?;
    node.start_worker("echo", Echoer)?;
    node.start_worker("uppercase", Uppercase)?;
    let listener = node.tcp_listen(&config.listen).await?;
    let options = RelayServiceOptions { prefix: config.relay_prefix.clone(), ..Default::default() };
    RelayService::start(&node, options, &[listener.origin(), channels.origin()])?;
    node.expose(HUB_LISTENER, &listener)?;
    // Through channels too: the sessions of the command line of `ockam` ask `echo` the way that their relays were made.
    for worker in ["echo", "uppercase"] {
        node.expose(worker, &listener)?;
        node.expose(worker, &channels)?;
    }
    let exposure = Exposure { connections: listener.origin(), channels: channels.origin(), anonymous: true };
    let streams = stream::start_embedded(&node, &database, config.quotas(), exposure, status.streams.clone()).await;
    streams.map_err(|reason| HubError::Streams { reason })?;
    if let Some(settings) = &config.kafka {
        let started = stream::start_kafka(&node, &database, settings, config.quotas(), exposure).await;
        status.kafka = Some(started.map_err(|reason| HubError::Streams { reason })?);
    }
    // Last, so that no name replaces one of a service.
    routes::start(&node, &config.routes, &listener, &channels)?;
    let status = match &config.status {
        Some(address) => Some(status::serve(address, status).await?),
        None => None,
    };
    Ok((listener, status))
}

/// Creates the data directory, accessible to its owner only.
fn make_directory(path: &Path) -> Result<(), HubError> {
    let created = fs::create_private_directory(path, true);
    created.map_err(|error| HubError::Data { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_node::route;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn config() -> HubConfig {
        HubConfig { listen: "127.0.0.1:0".into(), status: Some("127.0.0.1:0".into()), ..HubConfig::default() }
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn one_that_cannot_start_leaves_its_directory_to_the_next() {
        let data = tempfile::tempdir().unwrap();
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = socket.local_addr().unwrap().to_string();
        let good = HubConfig { data: Some(data.path().join("new")), ..config() };
        for bad in [
            HubConfig { listen: taken.clone(), ..good.clone() },
            HubConfig { status: Some(taken.clone()), ..good.clone() },
            HubConfig { listen: "nowhere".into(), ..good.clone() },
        ] {
            assert!(Hub::start(&bad).await.is_err());
        }
        let hub = Hub::start(&good).await.unwrap();
        assert!(matches!(Hub::start(&good).await, Err(HubError::InUse { .. })));
        hub.stop().await;
        Hub::start(&good).await.unwrap().stop().await;
    }

    #[tokio::test]
    async fn it_echoes_relays_and_tells_how_it_is() {
        let hub = Hub::start(&config()).await.unwrap();
        let node = Node::new();
        let connection = node.tcp_connect(hub.local_addr().to_string()).await.unwrap();
        let identity = node.create_identity().await.unwrap();
        let options = SecureChannelOptions::trust_anyone();
        let channel = node.create_secure_channel(&identity, route![&connection, HUB_LISTENER], options).await.unwrap();
        let context = node.context().unwrap();
        for (worker, answer) in [("echo", "hello"), ("uppercase", "HELLO")] {
            for way in [route![&connection, worker], route![&channel, worker]] {
                let reply = context.send_and_receive::<String>(way, "hello").await.unwrap();
                assert_eq!(reply.into_body(), answer);
            }
        }
        node.create_relay(&connection, Some("bob")).await.unwrap();
        let status = hub.status_addr().unwrap();
        assert!(get(status, "/healthz").await.starts_with("HTTP/1.1 200"));
        let metrics = get(status, "/metrics").await;
        for line in ["postern_hub_connections 1", "postern_hub_relays 1", "# TYPE postern_hub_frames_total counter"] {
            assert!(metrics.lines().any(|it| it == line), "{line} in {metrics}");
        }
        hub.drain().await;
        connection.closed().await;
    }
}
