//! Portals (`docs/wire.md` §9): a TCP service beside one node appears on the localhost of another.
//!
//! ```text
//! client ─► Inlet ─► Stream ─ seal ─► hub ─► open ─► Stream ─ Outlet ─► service
//!                    (one at each end of every TCP connection; both directions; no mailbox in between)
//! ```
//!
//! The task that reads a socket seals what it read where it lies and pushes it to the connection; the task that
//! reads a connection opens records where they lie and writes them to the socket. Between two Postern nodes every
//! stream has flow control by credit, so a stalled reader causes no head-of-line blocking for other streams;
//! half-close, refusals and resets are carried;
//! and data follows the Ping at once. All that is negotiated in the tails of Ping and Pong, which other
//! implementations ignore. The packet counter is always sent and always checked: what is lost ends the stream.
//!
//! # Example
//!
//! A service beside one node, and a client beside the other. Between nodes of different people the route goes through a
//! secure channel, as in `examples/portal.rs`:
//!
//! ```
//! use postern_node::portal::OutletOptions;
//! use postern_node::{Node, route};
//! use tokio::io::AsyncReadExt;
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = TcpListener::bind("127.0.0.1:0").await?;
//!
//! let owner = Node::new();
//! owner.create_outlet("outlet", service.local_addr()?.to_string(), OutletOptions::default())?;
//! let listener = owner.tcp_listen("127.0.0.1:0").await?;
//! owner.expose("outlet", &listener)?;
//!
//! let friend = Node::new();
//! let connection = friend.tcp_connect(listener.local_addr().to_string()).await?;
//! let inlet = friend.create_inlet("127.0.0.1:0", route![&connection, "outlet"]).await?;
//!
//! let mut client = TcpStream::connect(inlet.local_addr()).await?;
//! let (served, _) = service.accept().await?;
//! served.try_write(b"hello")?;
//! drop(served);
//! let mut received = String::new();
//! client.read_to_string(&mut received).await?;
//! assert_eq!(received, "hello");
//! # Ok(())
//! # }
//! ```

mod admission;
mod error;
mod flow_control;
mod http;
mod inlet;
mod inlet_state;
mod liveness_probe;
mod message;
mod meter;
mod opening;
mod outlet;
mod own_inlets;
mod probe_state;
mod stream;
mod target;

pub use admission::{AdmissionPolicy, Permit, Revocation, StreamEnd};
pub use error::PortalError;
pub use flow_control::INITIAL_WINDOW;
pub use http::{RequestCheck, Unavailable};
pub(crate) use inlet::open as open_inlet;
pub use inlet::{Inlet, InletOptions};
pub use inlet_state::InletRoute;
pub use liveness_probe::{PROBE_EVERY, PROBE_TIMEOUT, ProbeReport};
pub use message::{EndReason, MAX_PAYLOAD};
pub use meter::Meter;
pub(crate) use outlet::open as open_outlet;
pub use outlet::{Outlet, OutletOptions, STREAM_RATE};
pub use stream::{BASIC_PEER_BUFFER, CONNECT_TIMEOUT};
pub(crate) use target::{check_target, has_inlet_at};
