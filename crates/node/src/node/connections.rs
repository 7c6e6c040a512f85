//! Connections of a [`Node`].

use super::{Node, Result};
use crate::dialing::{NetworkMonitor, REUSED_BY_RETRIES, Resolver};
use crate::tcp::{Connection, Target, TcpConnection, TcpListener};
use std::net::SocketAddr;

impl Node {
    /// Listens for connections from other nodes at `host:port`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`TcpError::Listen`](crate::tcp::TcpError::Listen).
    pub async fn tcp_listen(&self, address: impl AsRef<str>) -> Result<TcpListener> {
        Ok(TcpListener::listen(&self.core, address.as_ref()).await?)
    }

    /// Connects to another node at `host:port`.
    ///
    /// # Errors
    /// [`TcpError::Connect`](crate::tcp::TcpError::Connect), [`TcpError::Timeout`](crate::tcp::TcpError::Timeout), and
    /// with a filter [`TcpError::NotPermitted`](crate::tcp::TcpError::NotPermitted).
    pub async fn tcp_connect(&self, target: impl Into<Target>) -> Result<TcpConnection> {
        Ok(Connection::connect(&self.core, &target.into(), None).await?)
    }

    /// The socket addresses of a `host:port`, in the system's order, from an answer of the resolver that is at most 30 s old. For
    /// whoever asks again and again: everything in the node shares the answers. Dropping the future leaves the lookup to others.
    ///
    /// # Errors
    /// When the name does not resolve, or did not within the last 30 s, or 60 s from the second time on.
    pub async fn resolve(&self, address: &str) -> std::io::Result<Vec<SocketAddr>> {
        self.core.extension::<Resolver>().resolve(&self.core, address, REUSED_BY_RETRIES).await
    }

    /// Says that the network may have changed, because the machine was asleep or somebody says so: sessions that wait try at
    /// once, and names are resolved again.
    pub fn network_changed(&self) {
        self.core.extension::<NetworkMonitor>().announce();
    }
}
