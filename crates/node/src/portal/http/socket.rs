//! The inlet's side of a browser's socket: waiting for the first request, and giving an answer of the inlet's own.

use super::answer::InletAnswer;
use super::guard::RequestGuard;
use super::page::AnswerForm;
use super::{RequestCheck, guard};
use crate::tcp::try_read;
use postern_env::net::TcpStream;
use postern_env::time::{self, Duration};
use std::io;

/// How long the client may take to read an answer of the inlet's own, and as long again to close. Chosen.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a head may take while there is nowhere to send it. Chosen: a browser sends it at once, and without a portal's page its
/// user would have seen an error at once.
const WITHOUT_PATH_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest head that is read while there is nowhere to send it, in bytes: what common servers accept (Apache, nginx: 8 KiB).
const WITHOUT_PATH_HEAD_MAX: usize = 8 * 1024;
/// Bytes that are read and discarded behind an answer, so that the client reads it: closing a socket with unread bytes resets
/// the connection. Chosen: a form without files.
const DISCARDED_MAX: usize = 256 * 1024;

/// What came of waiting for the first request of a connection.
pub(in super::super) enum FirstRequest {
    /// It was accepted, and the guard holds it.
    Accepted(Box<RequestGuard>),
    /// The client closed the connection, or the inlet has answered itself.
    Done,
    /// It cannot be answered: what came is no request of HTTP/1, or not a whole one.
    Unanswerable,
}

/// Waits for the first request of a connection, and checks it.
pub(in super::super) async fn first_request(check: &RequestCheck, socket: &TcpStream) -> FirstRequest {
    let mut guard = RequestGuard::new(check.clone());
    let answer = match time::timeout(check.head_timeout, read_head(&mut guard, socket, usize::MAX)).await {
        Ok(is_there) => match guard.take_answer() {
            None if is_there => return FirstRequest::Accepted(Box::new(guard)),
            None => return FirstRequest::Done,
            Some(answer) => answer,
        },
        // A browser's unused connection is closed without a word.
        Err(_) if !guard.is_within_head() => return FirstRequest::Done,
        Err(_) => InletAnswer::TooSlow,
    };
    give(&answer, guard.form(), socket).await;
    FirstRequest::Done
}

/// As [`first_request`] does, while the other side is not connected: what comes soon and is a request of HTTP/1 can be answered.
pub(in super::super) async fn first_request_without_path(check: &RequestCheck, socket: &TcpStream) -> FirstRequest {
    let mut guard = RequestGuard::new(check.clone());
    let reading = read_head(&mut guard, socket, WITHOUT_PATH_HEAD_MAX);
    let is_there = time::timeout(WITHOUT_PATH_TIMEOUT, reading).await.unwrap_or(false);
    match guard.take_answer() {
        None if is_there && guard.is_http() && guard.head_len() <= WITHOUT_PATH_HEAD_MAX => {
            FirstRequest::Accepted(Box::new(guard))
        }
        Some(answer @ (InletAnswer::OtherHost | InletAnswer::OtherSite | InletAnswer::Redirect(_))) => {
            give(&answer, guard.form(), socket).await;
            FirstRequest::Done
        }
        _ => FirstRequest::Unanswerable,
    }
}

/// Reads until a head was checked; false if the client closed the connection before, or more than `most` bytes held no head.
async fn read_head(guard: &mut RequestGuard, socket: &TcpStream, most: usize) -> bool {
    while !guard.has_next() {
        if guard.head_len() > most {
            return false;
        }
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
pub(in super::super) async fn give(answer: &InletAnswer, form: AnswerForm, socket: &TcpStream) {
    tracing::debug!(answer = answer.kind(), "a request to a web portal was answered here");
    let _ = time::timeout(ANSWER_TIMEOUT, write(&answer.response(form), socket)).await;
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
