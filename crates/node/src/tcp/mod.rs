//! The TCP transport (`docs/wire.md` §3): frames between two nodes.
//!
//! ```text
//! sender ─► Connection::deliver ─► Outbox ═► socket            socket ═► reader task ─► Router::dispatch
//!           (builds the header)    (the sender flushes)                   (frames are taken where they lie)
//! ```
//!
//! There is no mailbox on either way: whoever has a message writes it, and whoever reads one delivers it.
//!
//! A listener and a connection; messages pass in both directions over it:
//!
//! ```
//! use postern_node::{Echoer, Node, route};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> postern_node::Result<()> {
//! let server = Node::new();
//! server.start_worker("echoer", Echoer)?;
//! let listener = server.tcp_listen("127.0.0.1:0").await?;
//! server.expose("echoer", &listener)?;
//!
//! let client = Node::new();
//! let connection = client.tcp_connect(listener.local_addr().to_string()).await?;
//! let reply = client.context()?.send_and_receive::<String>(route![&connection, "echoer"], "hello").await?;
//! assert_eq!(reply.body(), "hello");
//!
//! connection.close();
//! connection.closed().await;
//! # Ok(())
//! # }
//! ```

mod connection;
mod listener;
mod outbox;
mod reader;

pub(crate) use connection::Connection;
pub use connection::TcpConnection;
pub use listener::TcpListener;
pub(crate) use outbox::Flush;
pub(crate) use reader::try_read;

use std::time::Duration;

/// Largest frame taken from a connection over which a secure channel was made, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;
/// Largest frame sent or passed on, in bytes: a hub, which has no channel with anybody, takes no larger ones.
pub const MAX_FRAME_SENT: usize = 1024 * 1024;
/// Largest frame taken from any other connection, in bytes. What a hub passes on grows by an address.
pub const MAX_FRAME_UNAUTHENTICATED: usize = MAX_FRAME_SENT + 4096;
/// How long a connection may take to send its first byte.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that takes nothing for this long while something waits is closed.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What can go wrong when a connection or a listener is made.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As it was given.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Nobody answers there, or not as expected.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// As it was given.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No answer within [`CONNECT_TIMEOUT`].
    #[error("no answer from {address} within {} seconds: is it running, and reachable from here?", CONNECT_TIMEOUT.as_secs())]
    Timeout {
        /// As it was given.
        address: String,
    },
}
