//! Connections of a [`Node`].

use super::{Node, Result};
use crate::tcp::{Connection, Target, TcpConnection, TcpListener};

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
}
