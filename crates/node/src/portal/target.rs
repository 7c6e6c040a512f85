//! The service beside an outlet: connecting to it, and asking whether it is there.

use super::message::EndReason;
use super::own_inlets::OwnInlets;
use super::stream::CONNECT_TIMEOUT;
use crate::core::Core;
use crate::dialing::{DialError, DialRequest, REUSED_BY_RETRIES, REUSED_BY_STREAMS, dial};
use postern_env::descriptors;
use postern_env::net::TcpStream;
use postern_env::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Whether an inlet of the node listens at an address of this machine.
pub(crate) fn has_inlet_at(core: &Core, address: SocketAddr) -> bool {
    core.extension::<OwnInlets>().lead_to(address, address)
}

/// Connects to `host:port` as an outlet does and closes the connection again.
pub(crate) async fn check_target(core: &Arc<Core>, target: &str, timeout: Duration) -> Result<(), EndReason> {
    let request = DialRequest { address: target, filter: None, reused_for: REUSED_BY_RETRIES, within: timeout };
    connect_beyond(core, request).await.map(drop)
}

/// Connects to a service for a stream; [`EndReason::TooMany`] while few file descriptors are left.
pub(super) async fn connect(core: &Arc<Core>, target: &str) -> Result<TcpStream, EndReason> {
    let reused_for = REUSED_BY_STREAMS;
    let request = DialRequest { address: target, filter: None, reused_for, within: CONNECT_TIMEOUT };
    let socket = connect_beyond(core, request).await?;
    match descriptors::are_scarce(&socket) {
        true => {
            tracing::debug!("stream refused: few file descriptors are left");
            Err(EndReason::TooMany)
        }
        false => Ok(socket),
    }
}

/// Connects to a `host:port`, but not to an inlet of the same node: [`EndReason::Unreachable`]. Which of a name's addresses it is
/// known only once it is connected, so it is asked then.
async fn connect_beyond(core: &Arc<Core>, request: DialRequest<'_>) -> Result<TcpStream, EndReason> {
    let socket = dial(core, request).await.map_err(|error| reason_of(&error))?;
    let addresses = socket.peer_addr().and_then(|peer| Ok((peer, socket.local_addr()?)));
    let (peer, local) = addresses.map_err(|_| EndReason::Unreachable)?;
    match core.extension::<OwnInlets>().lead_to(peer, local) {
        true => {
            tracing::debug!("the target is an inlet of this node: connections would go in circles");
            Err(EndReason::Unreachable)
        }
        false => Ok(socket),
    }
}

fn reason_of(error: &DialError) -> EndReason {
    tracing::debug!(%error, "the service cannot be connected to");
    let kind = match error {
        DialError::Name(error) => error.kind(),
        DialError::NotPermitted => return EndReason::Unreachable,
        DialError::Failed(failures) => failures.kind(),
    };
    match kind {
        io::ErrorKind::ConnectionRefused => EndReason::Refused,
        io::ErrorKind::TimedOut => EndReason::TimedOut,
        _ => EndReason::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Limits;
    use crate::vault::MemoryVault;

    #[tokio::test]
    async fn a_service_is_there_or_says_why_not() {
        let long = Duration::from_secs(20);
        let core = Arc::new(Core::new(Arc::new(MemoryVault::in_memory()), Limits::default()));
        let inlets = core.extension::<OwnInlets>();
        let check = async |target: &str| check_target(&core, target, long).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = address.to_string();
        assert_eq!(check(&target).await, Ok(()));
        // The same listener as an inlet of the node, whichever name leads there.
        let open = inlets.add(vec![address]);
        for name in [target.clone(), format!("localhost:{}", address.port())] {
            assert_eq!(check(&name).await, Err(EndReason::Unreachable), "{name}");
        }
        drop(open);
        assert_eq!(check(&target).await, Ok(()));
        drop(listener);
        assert_eq!(check(&target).await, Err(EndReason::Refused));
        for nowhere in ["localhost", "localhost:port", ""] {
            assert_eq!(check(nowhere).await, Err(EndReason::Unreachable), "{nowhere}");
        }
    }
}
