//! Connections from a loopback address of one's choice: the attacker's are not those of the friends, as on a network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Forwards connections to `target` so that they come from `source`; where to connect instead.
///
/// # Errors
/// The system has no free port.
pub(crate) async fn forward_from(source: Ipv4Addr, target: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forward(stream, source, target));
        }
    });
    Ok(address)
}

async fn forward(mut near: TcpStream, source: Ipv4Addr, target: SocketAddr) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let mut far = socket.connect(target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await.map(drop)
}
