//! The hub: the untrusted node in the middle.
//!
//! ```text
//! owner ═► listen ─► forwarding_service ─► relay "bob"        status ─► /healthz   200, or 503 while draining
//! friend ═► listen ──────────────────────► relay "bob" ═► owner         /metrics   Prometheus text
//! ```
//!
//! It knows names and connections, never contents: what passes is sealed by the people at its ends. Its own defence
//! is limits. [`Hub::drain`] lets what is under way come to its end before it stops.

mod config;
mod metrics;
mod status;

pub use config::{ConfigError, HubConfig};

use postern_node::relay::{RelayService, RelayServiceOptions};
use postern_node::{Echoer, Flow, Node, Stats, TcpListener, Uppercase};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// Traffic must rest this long before a draining hub stops early.
const QUIET: Duration = Duration::from_secs(1);

/// Why a hub did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Its node did not start, for instance because the address is in use.
    #[error(transparent)]
    Node(#[from] postern_node::Error),
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
    listener: TcpListener,
    status: Option<SocketAddr>,
    draining: watch::Sender<bool>,
    drain: Duration,
}

impl Hub {
    /// Starts a hub.
    ///
    /// # Errors
    /// [`HubError`]: one of its addresses cannot be had.
    pub async fn start(config: &HubConfig) -> Result<Self, HubError> {
        let node = Node::with_limits(config.limits());
        let listener = node.tcp_listen(&config.listen).await?;
        RelayService::start(
            &node,
            RelayServiceOptions { prefix: config.relay_prefix.clone(), ..Default::default() },
            &[listener.flow()],
        )?;
        node.start_worker("echo", Echoer)?;
        node.start_worker("uppercase", Uppercase)?;
        for worker in ["echo", "uppercase"] {
            node.expose(worker, &listener)?;
        }
        let (draining, watching) = watch::channel(false);
        let status = match &config.status {
            Some(address) => Some(status::serve(address, node.clone(), watching).await?),
            None => None,
        };
        let drain = Duration::from_secs(config.drain_seconds);
        Ok(Self { node, listener, status, draining, drain })
    }

    /// Where nodes connect to.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Where health and metrics are served, if they are.
    pub fn status_addr(&self) -> Option<SocketAddr> {
        self.status
    }

    /// What it has carried, and what it holds now.
    pub fn stats(&self) -> &Stats {
        self.node.stats()
    }

    /// Accepts nobody new, waits until nothing has passed for a second (or the configured time is over), and stops.
    pub async fn drain(self) {
        self.draining.send_replace(true);
        self.listener.close();
        let _ = tokio::time::timeout(self.drain, self.quiet()).await;
        self.node.shutdown().await;
    }

    async fn quiet(&self) {
        let mut frames = self.stats().frames.get();
        while self.stats().connections.get() > 0 {
            tokio::time::sleep(QUIET).await;
            let now = self.stats().frames.get();
            if now == frames {
                return;
            }
            frames = now;
        }
    }
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
    async fn it_echoes_relays_and_tells_how_it_is() {
        let hub = Hub::start(&config()).await.unwrap();
        let node = Node::new();
        let connection = node.tcp_connect(hub.local_addr().to_string()).await.unwrap();
        let context = node.context().unwrap();
        for (worker, answer) in [("echo", "hello"), ("uppercase", "HELLO")] {
            let reply = context.send_and_receive::<String>(route![&connection, worker], "hello").await.unwrap();
            assert_eq!(reply.into_body(), answer);
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
