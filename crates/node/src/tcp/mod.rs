//! The TCP transport (`docs/wire.md` §3): frames between two nodes.
//!
//! ```text
//! sender ─► Connection::deliver ─► Outbox ═► socket            socket ═► reader task ─► Router::dispatch
//!           (builds the header)    (the sender flushes)                   (frames are taken where they lie)
//! ```
//!
//! There is no queue of messages in either direction: the task that has a message writes it, and the task that reads one
//! delivers it.
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

mod admission;
mod connection;
mod error;
mod hop;
mod listener;
mod liveness;
mod partial_frame;
mod reader;
mod receiving;
mod sending;
mod socket_options;
mod target;
#[cfg(test)]
mod tests;

pub use connection::{CONNECT_TIMEOUT, GREETING_TIMEOUT, TcpConnection};
pub(crate) use connection::{Connection, Kept};
pub use error::TcpError;
pub(crate) use hop::{close_hop, connect_hop};
pub use listener::TcpListener;
pub(crate) use liveness::KeepAlive;
pub use partial_frame::FRAME_TIMEOUT;
pub(crate) use reader::try_read;
pub use target::{AddressFilter, Target};

pub use crate::outbox::STALL_TIMEOUT;
pub use crate::wire::frame::{MAX_FRAME, MAX_FRAME_SENT, MAX_FRAME_UNAUTHENTICATED};
