//! Postern's messaging runtime.
#![warn(missing_docs)]

mod address;
#[doc(hidden)]
pub mod bench;
mod context;
mod error;
pub mod identity;
mod message;
mod multiaddr;
mod node;
pub mod portal;
pub mod relay;
mod route;
mod router;
pub mod secure_channel;
pub mod session;
mod stats;
mod sync;
pub mod tcp;
pub mod vault;
mod wire;
mod worker;

pub use address::{Address, InvalidAddress, MAX_ADDRESS_LEN};
pub use context::{Context, DEFAULT_TIMEOUT, MAILBOX};
pub use error::{Error, Result};
pub use message::{Bare, DecodeError, Message, Routed};
pub use multiaddr::{InvalidMultiAddr, MultiAddr};
pub use node::{Limits, Node, SHUTDOWN_TIMEOUT};
pub use route::{MAX_HOPS, Route};
pub use router::{AddressTaken, Flow, FlowId, Undeliverable};
pub use secure_channel::{SecureChannel, SecureChannelListener, SecureChannelOptions};
pub use tcp::{TcpConnection, TcpListener};
pub use stats::{Counter, Stats};
pub use worker::{Echoer, Uppercase, Worker};
