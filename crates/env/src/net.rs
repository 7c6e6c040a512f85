//! Sockets: connecting, listening and resolving. What is done with an open socket needs no seam.

mod loopback;

use std::io;
use std::net::SocketAddr;

pub use loopback::{LoopbackError, LoopbackListener, taken_address};
pub use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
pub use tokio::net::{UnixListener, UnixStream};

/// Connects to the first of an address's socket addresses that accepts. Dropping the future gives the attempt up.
///
/// # Errors
/// When the name does not resolve, or no address accepts.
pub async fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

/// Listens on the first of an address's socket addresses that is free; on port 0 the system chooses one.
///
/// # Errors
/// When the name does not resolve, or no address can be listened on.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
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
