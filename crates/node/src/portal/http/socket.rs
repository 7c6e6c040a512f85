//! The inlet's side of a browser's socket: waiting for the first request, and giving an answer of the inlet's own.

use super::answer::InletAnswer;
use super::guard::RequestGuard;
use super::{RequestCheck, guard};
use crate::tcp::try_read;
use postern_env::net::TcpStream;
use postern_env::time::{self, Duration};
use std::io;

/// How long the client may take to read an answer of the inlet's own, and as long again to close. Chosen.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes that are read and discarded behind an answer, so that the client reads it: closing a socket with unread bytes resets
/// the connection. Chosen: a form without files.
const DISCARDED_MAX: usize = 256 * 1024;

/// Waits for the first request of a connection, and checks it. Nothing if the client closed the connection, or the inlet has
/// answered itself.
pub(in super::super) async fn first_request(check: &RequestCheck, socket: &TcpStream) -> Option<RequestGuard> {
    let mut guard = RequestGuard::new(check.clone());
    let answer = match time::timeout(check.head_timeout, read_head(&mut guard, socket)).await {
        Ok(is_there) => match guard.take_answer() {
            None => return is_there.then_some(guard),
            Some(answer) => answer,
        },
        // A browser's unused connection is closed without a word.
        Err(_) if !guard.is_within_head() => return None,
        Err(_) => InletAnswer::TooSlow,
    };
    give(&answer, socket).await;
    None
}

/// Reads until a head was checked; false if the client closed the connection before.
async fn read_head(guard: &mut RequestGuard, socket: &TcpStream) -> bool {
    while !guard.has_next() {
        if socket.readable().await.is_err() {
            return false;
        }
        // Not before: browsers keep connections open that they do not use.
        let mut buffer = vec![0; guard::HEAD_READ];
        match try_read(socket, &mut buffer) {
            Ok(0) => return false,
            Ok(read) => guard.receive(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
    }
    true
}

/// Writes an answer of the inlet's own, and closes the connection behind it.
pub(in super::super) async fn give(answer: &InletAnswer, socket: &TcpStream) {
    tracing::debug!(answer = answer.kind(), "a request to a web portal was answered here");
    let _ = time::timeout(ANSWER_TIMEOUT, write(&answer.response(), socket)).await;
    let _ = time::timeout(ANSWER_TIMEOUT, discard(socket)).await;
}

async fn write(mut rest: &[u8], socket: &TcpStream) -> io::Result<()> {
    while !rest.is_empty() {
        socket.writable().await?;
        match socket.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write)
}

/// Reads until the client closes, or has sent more than an answer is worth.
async fn discard(socket: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; guard::HEAD_READ];
    let mut discarded = 0;
    while discarded < DISCARDED_MAX {
        socket.readable().await?;
        match try_read(socket, &mut buffer) {
            Ok(0) => break,
            Ok(read) => discarded += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
