//! The TCP transport (`docs/wire.md` §3): frames between two nodes.
//!
//! ```text
//! sender ─► Connection::deliver ─► Outbox ═► socket            socket ═► reader task ─► Router::dispatch
//!           (builds the header)    (the sender flushes)                   (frames are taken where they lie)
//! ```
//!
//! There is no queue of messages in either direction: the task that has a message writes it, and the task that reads one
//! delivers it.

mod connection;
mod error;
mod listener;
mod reader;

pub(crate) use connection::Connection;
pub use connection::{CONNECT_TIMEOUT, GREETING_TIMEOUT, TcpConnection};
pub use error::TcpError;
pub use listener::TcpListener;
pub(crate) use reader::try_read;

pub use crate::outbox::STALL_TIMEOUT;
pub use crate::wire::frame::{MAX_FRAME, MAX_FRAME_SENT, MAX_FRAME_UNAUTHENTICATED};
