//! What every connection's socket is set to.

use postern_env::time::Duration;
use std::io;
use tokio::net::TcpStream;

/// Idle seconds before keep-alive probes, seconds between them, and how many go unanswered.
const KEEP_ALIVE: (u64, u64, u32) = (30, 10, 3);
/// Bytes that the system holds unsent at most, so that a small message is not behind a full socket buffer.
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER: u32 = 512 * 1024;

/// Sets the options of a connected socket.
pub(super) fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (idle, interval, retries) = KEEP_ALIVE;
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(idle))
        .with_interval(Duration::from_secs(interval))
        .with_retries(retries);
    let socket = socket2::SockRef::from(socket);
    socket.set_tcp_keepalive(&keep_alive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
    Ok(())
}
