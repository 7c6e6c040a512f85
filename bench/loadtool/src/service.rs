//! The service at the far end of every tunnel, and the plain proxy that tunnels are compared with.
//!
//! The first byte that a client sends says what it wants: [`ECHO`], [`SINK`], [`SOURCE`] or [`HOLD`].

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Everything comes back, then the end.
pub(crate) const ECHO: u8 = b'E';
/// Everything is read and counted.
pub(crate) const SINK: u8 = b'S';
/// Bytes come without an end.
pub(crate) const SOURCE: u8 = b'D';
/// One byte comes, then nothing.
pub(crate) const HOLD: u8 = b'H';
/// Bytes that the ends of a bulk transfer read and write at a time.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Bytes that sinks in this process have read.
pub(crate) static SUNK: AtomicU64 = AtomicU64::new(0);

/// Listens with room for a burst of connections.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) fn listen(address: &str) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address.parse().map_err(io::Error::other)?)?;
    socket.listen(8192)
}

/// Connects, and sends small things at once.
///
/// # Errors
/// When nobody listens there.
pub(crate) async fn dial(address: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(handle(socket));
        }
    }
}

async fn handle(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    match socket.read_u8().await? {
        ECHO => {
            let mut buffer = vec![0; 16 * 1024];
            loop {
                match socket.read(&mut buffer).await? {
                    0 => return Ok(()),
                    read => socket.write_all(&buffer[..read]).await?,
                }
            }
        }
        SINK => {
            let mut buffer = vec![0; CHUNK];
            loop {
                match socket.read(&mut buffer).await? {
                    0 => return Ok(()),
                    read => SUNK.fetch_add(read as u64, Ordering::Relaxed),
                };
            }
        }
        SOURCE => {
            let buffer = vec![0x5a; CHUNK];
            loop {
                socket.write_all(&buffer).await?;
            }
        }
        _ => {
            socket.write_all(b"h").await?;
            let mut buffer = [0; 16];
            while socket.read(&mut buffer).await? > 0 {}
            Ok(())
        }
    }
}

/// Forwards every connection to `target`, with a buffer of so many bytes in each direction.
pub(crate) async fn proxy(listener: TcpListener, target: String, buffer: usize) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else { continue };
        let target = target.clone();
        tokio::spawn(async move {
            let mut far = dial(&target).await?;
            near.set_nodelay(true)?;
            tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, buffer, buffer).await
        });
    }
}
