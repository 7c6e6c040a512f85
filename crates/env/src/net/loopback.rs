//! Listening at one port on both loopback addresses, 127.0.0.1 and \[::1\].
//!
//! Programs resolve `localhost` to either address. A listener on only one of them leaves the other to any program or user of
//! the machine, who then answers a part of the clients. A machine without IPv6 has only the first address.

use super::{TcpListener, TcpStream, listen, listen_blocking};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many ports are tried when the system chooses one for 127.0.0.1 that is taken on \[::1\]. Chosen: of the ports that a
/// system assigns, few are ever taken on one address only.
const ATTEMPTS: usize = 16;
/// What a system without IPv6 answers (`EAFNOSUPPORT`); the standard library has no name for it.
const ADDRESS_FAMILY_NOT_SUPPORTED: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    97
} else if cfg!(windows) {
    10_047
} else {
    47
};

/// Listens at one port of both loopback addresses. Dropping it closes both.
#[derive(Debug)]
pub struct LoopbackListener {
    v4: TcpListener,
    /// Nothing on a machine without IPv6.
    v6: Option<TcpListener>,
    port: u16,
}

/// Why a port cannot be listened on.
#[derive(Debug)]
pub struct LoopbackError {
    /// The address that cannot be listened on.
    pub address: SocketAddr,
    /// The system's reason.
    pub source: io::Error,
}

impl fmt::Display for LoopbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.source)
    }
}

impl std::error::Error for LoopbackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl LoopbackListener {
    /// Listens at a port of both addresses; with port 0 at one that is free on both.
    ///
    /// # Errors
    /// Another program listens on one of the two, or the system refuses for another reason. Having no IPv6 is no error.
    pub async fn bind(port: u16) -> Result<Self, LoopbackError> {
        let mut attempts = if port == 0 { ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match Self::try_bind(port).await {
                Err(error) if attempts > 0 && error.address.is_ipv6() => {}
                bound => return bound,
            }
        }
    }

    async fn try_bind(port: u16) -> Result<Self, LoopbackError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |source| LoopbackError { address, source };
        let v4 = listen(address).await.map_err(failed)?;
        let port = v4.local_addr().map_err(failed)?.port();
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let v6 = match listen(address).await {
            Ok(v6) => Some(v6),
            Err(source) if is_without_ipv6(&source) => None,
            Err(source) => return Err(LoopbackError { address, source }),
        };
        Ok(Self { v4, v6, port })
    }

    /// The port of both addresses.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for a connection to either address. Dropping the future loses no connection.
    ///
    /// # Errors
    /// When the system refuses, for instance because no file descriptor is left.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.v6 {
            None => self.v4.accept().await,
            Some(v6) => tokio::select! {
                accepted = self.v4.accept() => accepted,
                accepted = v6.accept() => accepted,
            },
        }
    }
}

/// The first loopback address on which nobody else can listen at this port; nothing if the port is free on both.
#[must_use]
pub fn taken_address(port: u16) -> Option<SocketAddr> {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::from((ip, port)))
        .into_iter()
        .find(|address| match listen_blocking(address) {
            Ok(_) => false,
            Err(error) => address.is_ipv4() || !is_without_ipv6(&error),
        })
}

/// Whether listening on \[::1\] failed because this machine has no such address.
fn is_without_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(ADDRESS_FAMILY_NOT_SUPPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connect;

    /// Whether this machine has IPv6, so that there is a second address.
    fn has_ipv6() -> bool {
        listen_blocking((Ipv6Addr::LOCALHOST, 0)).is_ok()
    }

    #[tokio::test]
    async fn both_addresses_reach_one_listener() {
        let listener = LoopbackListener::bind(0).await.unwrap();
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.port()));
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, listener.port()));
        for address in [v4].into_iter().chain(has_ipv6().then_some(v6)) {
            let (connected, accepted) = tokio::join!(connect(address), listener.accept());
            assert_eq!(connected.unwrap().local_addr().unwrap(), accepted.unwrap().1);
            assert!(listen(address).await.is_err(), "nobody else can listen on {address}");
        }
        assert_eq!(taken_address(listener.port()), Some(v4));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_on_one_address_is_taken() {
        if !has_ipv6() {
            return;
        }
        let other = listen_blocking((Ipv6Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let other = listen_blocking(other).unwrap();
        let address = other.local_addr().unwrap();
        assert_eq!(LoopbackListener::bind(address.port()).await.unwrap_err().address, address);
        assert_eq!(taken_address(address.port()), Some(address));
        drop(other);
        assert_eq!(taken_address(address.port()), None);
        LoopbackListener::bind(address.port()).await.unwrap();
    }

    #[test]
    fn a_machine_without_ipv6_is_recognized() {
        assert!(is_without_ipv6(&io::Error::from(io::ErrorKind::AddrNotAvailable)));
        assert!(is_without_ipv6(&io::Error::from_raw_os_error(ADDRESS_FAMILY_NOT_SUPPORTED)));
        assert!(!is_without_ipv6(&io::Error::from(io::ErrorKind::AddrInUse)));
    }
}
