//! A TCP client that gives up in time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::TIMEOUT;

/// Connects, with [`TIMEOUT`] as the longest that a read or a write may take.
///
/// # Panics
/// When nobody listens there.
#[track_caller]
#[must_use]
pub fn connect(address: SocketAddr) -> TcpStream {
    open(address).unwrap_or_else(|error| panic!("Failed to connect to {address}: {error}"))
}

/// Sends everything, shuts down the sending side, and meanwhile reads everything.
///
/// # Errors
/// When the connection is refused, ends with an error, or stalls for [`TIMEOUT`].
pub fn ask(address: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    exchange(&open(address)?, question)
}

/// As [`ask`] does, over a connection that there is.
///
/// # Errors
/// When the connection ends with an error or stalls for [`TIMEOUT`].
pub fn exchange(mut stream: &TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            stream.write_all(question)?;
            stream.shutdown(Shutdown::Write)
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        // A thread that panicked has said so itself.
        sending.join().unwrap_or(Ok(()))?;
        Ok(answer)
    })
}

/// Whether a new connection works: one byte sent, and the same one back, before [`TIMEOUT`] is over.
#[must_use]
pub fn echoes(address: SocketAddr) -> bool {
    let attempt = || -> io::Result<bool> {
        let mut stream = open(address)?;
        stream.write_all(b"?")?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        Ok(answer == *b"?")
    };
    attempt().unwrap_or(false)
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}
