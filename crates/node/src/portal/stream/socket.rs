//! How a stream ends at its socket.

use postern_env::net::TcpStream;
use postern_env::time::Duration;

/// Half-close: tells the program at the socket that nothing more comes.
pub(super) fn half_close(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write);
}

/// Makes the program at the socket see an error, not an end.
pub(in super::super) fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
