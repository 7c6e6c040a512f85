//! Accepting connections from other nodes.

use super::admission::{ConnectionTable, RefusalLog};
use super::connection::{Accepted, Connection};
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
        let (connections, mut refusals) = (core.extension::<ConnectionTable>(), RefusalLog::default());
        loop {
            let accepted = tokio::select! {
                () = self.closed.cancelled() => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let address = peer.ip().into();
                    match connections.admit(&socket, address, (&core.limits, &core.stats)) {
                        Ok(slot) => {
                            let accepted = Accepted { listener: self.origin, address, slot };
                            if let Err(error) = Connection::start(&core, socket, None, Some(accepted)) {
                                tracing::debug!(%peer, %error, "connection ended while it was accepted");
                            }
                        }
                        Err(reason) => {
                            core.stats.refused.add(1);
                            refusals.record(reason);
                        }
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
