//! Connecting to a `host:port`: a name's addresses, which of them may be used, and the first that accepts.
//!
//! ```text
//! name ─► Resolver (answers are reused) ─► filter ─► by family in turn ─► race: first that accepts (RFC 8305)
//!             ▲ forgets when the network changes
//!         NetworkMonitor ─► whoever waits for its next attempt
//! ```
//!
//! The only place in which a node connects to a name: a hub, a peer's own address, the service of an outlet.

mod network;
mod race;
mod resolver;

pub(crate) use network::NetworkMonitor;
pub(crate) use race::ConnectFailures;
pub(crate) use resolver::{REUSED_BY_CONNECTIONS, REUSED_BY_RETRIES, REUSED_BY_STREAMS, Resolver};

use race::ATTEMPT_DELAY;

use crate::core::Core;
use postern_env::net::{self, TcpStream};
use postern_env::time::{self, Duration};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Decides for each socket address that a name resolves to whether it may be connected to. Asked at every attempt, and must
/// not block for long.
pub type AddressFilter = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// Whom to connect to, and within which bounds.
pub(crate) struct DialRequest<'a> {
    /// A `host:port`.
    pub(crate) address: &'a str,
    /// Which of its addresses may be used: all of them without one.
    pub(crate) filter: Option<&'a AddressFilter>,
    /// How old the resolver's answer may be.
    pub(crate) reused_for: Duration,
    /// Longest time for everything, resolving included.
    pub(crate) within: Duration,
}

/// Why nobody could be connected to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// The name does not resolve.
    #[error(transparent)]
    Name(io::Error),
    /// The filter accepts none of its addresses.
    #[error("its addresses are not permitted")]
    NotPermitted,
    /// No address accepted.
    #[error(transparent)]
    Failed(ConnectFailures),
}

/// Connects to the first address of a name that accepts ("happy eyeballs", RFC 8305). Dropping the future gives all attempts
/// up.
pub(crate) async fn dial(core: &Arc<Core>, request: DialRequest<'_>) -> Result<TcpStream, DialError> {
    let deadline = time::now() + request.within;
    let resolver = core.extension::<Resolver>();
    let resolved = time::timeout_at(deadline, resolver.resolve(core, request.address, request.reused_for)).await;
    let unresolved = |_| io::Error::new(io::ErrorKind::TimedOut, "the name was not resolved in time");
    let mut addresses = resolved.map_err(unresolved).flatten().map_err(DialError::Name)?;
    if let Some(filter) = request.filter {
        addresses.retain(|address| filter(*address));
        if addresses.is_empty() {
            return Err(DialError::NotPermitted);
        }
    }
    race::race(&race::in_turn(&addresses), (ATTEMPT_DELAY, deadline), net::connect).await.map_err(DialError::Failed)
}
