//! Accepting connections from other nodes.

use super::connection::Connection;
use super::error::TcpError;
use crate::core::Core;
use crate::origin::{Origin, OriginId};
use postern_env::net;
use postern_env::time::{self, Duration};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Pause after the system refused to accept, for instance because no file descriptor is left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Accepts connections from other nodes until it is closed.
///
/// Expose an address to it, and every connection it accepts reaches that address. Dropping the handle leaves
/// it listening.
#[derive(Clone)]
pub struct TcpListener {
    local: SocketAddr,
    origin: OriginId,
    closed: CancellationToken,
}

impl TcpListener {
    /// Where it listens; the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops accepting. Open connections stay.
    pub fn close(&self) {
        self.closed.cancel();
    }

    pub(crate) async fn listen(core: &Arc<Core>, address: &str) -> Result<Self, TcpError> {
        let failed = |source| TcpError::Listen { address: address.to_owned(), source };
        let socket = net::listen(address).await.map_err(failed)?;
        let listener = Self {
            local: socket.local_addr().map_err(failed)?,
            origin: OriginId::fresh(),
            closed: core.stopping.child_token(),
        };
        core.spawn(listener.clone().run(core.clone(), socket));
        Ok(listener)
    }

    async fn run(self, core: Arc<Core>, socket: tokio::net::TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.closed.cancelled() => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((_, peer)) if core.stats.connections.get() >= core.limits.connections => {
                    core.stats.refused.add(1);
                    tracing::warn!(%peer, limit = core.limits.connections, "connection refused: too many are open");
                }
                Ok((socket, peer)) => {
                    if let Err(error) = Connection::start(&core, socket, Some(self.origin)) {
                        tracing::debug!(%peer, %error, "connection ended while it was accepted");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
        core.router.withdraw(self.origin);
    }
}

impl Origin for TcpListener {
    fn origin(&self) -> OriginId {
        self.origin
    }
}
