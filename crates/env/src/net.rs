//! Sockets: connecting, listening and resolving. What is done with an open socket needs no seam.

mod loopback;
mod send_queue;
mod state;

use std::io;
use std::net::SocketAddr;
use tokio::net::TcpSocket;

pub use loopback::{LoopbackError, LoopbackListener, taken_address};
pub use send_queue::{SendQueue, send_queue};
pub use state::{NetworkState, network_state};
pub use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
pub use tokio::net::{UnixListener, UnixStream};

/// Connections of one listener that the system completes and holds until they are accepted. Chosen: a burst of 1,024
/// connections is served without a retransmission, which costs a client a second or more; systems lower it to a limit of
/// their own (`net.core.somaxconn` of Linux, 4,096).
const LISTEN_BACKLOG: u32 = 1_024;

/// Connects to one socket address. Dropping the future gives the attempt up.
///
/// # Errors
/// When it does not accept.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    not_to_itself(TcpStream::connect(address).await?)
}

/// Refuses a socket that is connected to itself. When nobody listens at a port from which the system chooses ports for outgoing
/// connections, it may choose that port and connect the socket to itself (a simultaneous open, RFC 9293 section 3.5).
fn not_to_itself(socket: TcpStream) -> io::Result<TcpStream> {
    match socket.local_addr()? == socket.peer_addr()? {
        true => Err(io::ErrorKind::ConnectionRefused.into()),
        false => Ok(socket),
    }
}

/// Listens on the first of an address's socket addresses that is free; on port 0 the system chooses one.
///
/// # Errors
/// When the name does not resolve, or no address can be listened on.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut refused = None;
    for address in resolve(address).await? {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the name has no address")))
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a port can be listened on again at once. On Windows it would allow two listeners.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Listens without a runtime, for code that only asks whether a port is free.
///
/// # Errors
/// When the address cannot be listened on.
pub fn listen_blocking(address: impl std::net::ToSocketAddrs) -> io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind(address)
}

/// The socket addresses of a `host:port`, in the resolver's order.
///
/// # Errors
/// When the name does not resolve.
pub async fn resolve(address: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host(address).await?.collect())
}

/// Connects to a socket in the file system.
///
/// # Errors
/// When nobody listens there.
#[cfg(unix)]
pub async fn connect_unix(path: impl AsRef<std::path::Path>) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// Listens on a socket in the file system, which must not exist yet.
///
/// # Errors
/// When it cannot be made.
#[cfg(unix)]
pub fn listen_unix(path: impl AsRef<std::path::Path>) -> io::Result<UnixListener> {
    UnixListener::bind(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elsewhere such a socket cannot be made on purpose.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_refused() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let connected = socket.connect(own).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), own);
        assert_eq!(not_to_itself(connected).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    /// A connection above the backlog waits for the retransmission of its SYN, a second and more; the others are complete at once.
    #[tokio::test]
    async fn a_burst_of_connections_waits_for_nobody_to_accept_them() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let burst = async {
            let mut connected = Vec::new();
            for _ in 0..300 {
                connected.push(connect(address).await.unwrap());
            }
        };
        crate::time::timeout(crate::time::Duration::from_secs(60), burst).await.unwrap();
    }

    #[tokio::test]
    async fn a_listener_is_resolved_and_connected_to() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(resolve(address.to_string()).await.unwrap(), [address]);
        let (connected, accepted) = tokio::join!(connect(address), listener.accept());
        assert_eq!(connected.unwrap().local_addr().unwrap(), accepted.unwrap().1);
        assert!(listen_blocking(address).is_err());
    }
}
