//! The service beside an outlet: connecting to it, and asking whether it is there.

use super::message::EndReason;
use super::own_inlets::OwnInlets;
use crate::core::Core;
use postern_env::net::{self, TcpStream};
use postern_env::time::{self, Duration};
use std::io;
use std::net::SocketAddr;

/// Whether an inlet of the node listens at an address of this machine.
pub(crate) fn has_inlet_at(core: &Core, address: SocketAddr) -> bool {
    core.extension::<OwnInlets>().lead_to(address, address)
}

/// Connects to `host:port` as an outlet does and closes the connection again.
pub(crate) async fn check_target(core: &Core, target: &str, timeout: Duration) -> Result<(), EndReason> {
    connect_beyond(&core.extension(), target, timeout).await.map(drop)
}

/// Connects to `host:port`, but not to an inlet of the same node: [`EndReason::Unreachable`]. Which address a name has is known only
/// once it is connected, so it is asked then.
pub(super) async fn connect_beyond(
    inlets: &OwnInlets,
    target: &str,
    timeout: Duration,
) -> Result<TcpStream, EndReason> {
    let socket = connect(target, timeout).await?;
    let addresses = socket.peer_addr().and_then(|peer| Ok((peer, socket.local_addr()?)));
    let (peer, local) = addresses.map_err(|_| EndReason::Unreachable)?;
    match inlets.lead_to(peer, local) {
        true => {
            tracing::debug!("the target is an inlet of this node: connections would go in circles");
            Err(EndReason::Unreachable)
        }
        false => Ok(socket),
    }
}

/// Connects to `host:port`; the name is resolved now.
async fn connect(target: &str, timeout: Duration) -> Result<TcpStream, EndReason> {
    match time::timeout(timeout, net::connect(target)).await {
        Ok(Ok(socket)) => Ok(socket),
        Err(_) => Err(EndReason::TimedOut),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => EndReason::Refused,
            io::ErrorKind::TimedOut => EndReason::TimedOut,
            _ => EndReason::Unreachable,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_service_is_there_or_says_why_not() {
        let long = Duration::from_secs(20);
        let inlets = Arc::<OwnInlets>::default();
        let check = async |target: &str| connect_beyond(&inlets, target, long).await.map(drop);
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
