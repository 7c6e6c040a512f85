//! Small TCP services, to be shared through a portal.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::connections::Connections;
use crate::payload::{Payload, Sha256};

/// A TCP service on a free port of 127.0.0.1; dropping it closes the port and every connection.
pub struct Service(Connections);

impl Service {
    /// Serves each connection with `serve` on a thread of its own; an error closes that connection.
    #[track_caller]
    #[must_use]
    pub fn serve(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Connections::serve(move |_, stream| serve(stream)))
    }

    /// As [`serve`](Self::serve) does, on a listener that there is: where the port matters.
    #[track_caller]
    #[must_use]
    pub fn serve_on(
        listener: TcpListener,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Connections::serve_on(listener, move |_, stream| serve(stream)))
    }

    /// Answers every byte with itself, at once.
    #[track_caller]
    #[must_use]
    pub fn echo() -> Self {
        Self::serve(|stream| io::copy(&mut &stream, &mut &stream).map(drop))
    }

    /// Reads until the client shuts down its sending side, and only then answers with every byte it read.
    #[track_caller]
    #[must_use]
    pub fn echo_after_end() -> Self {
        Self::serve(|mut stream| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes)?;
            stream.write_all(&bytes)
        })
    }

    /// Reads until the client shuts down its sending side, and then answers with the SHA-256 of what it read: 64
    /// characters of hex.
    #[track_caller]
    #[must_use]
    pub fn digest() -> Self {
        Self::serve(|mut stream| {
            let mut hash = Sha256::default();
            io::copy(&mut stream, &mut hash)?;
            stream.write_all(hash.finish().as_bytes())
        })
    }

    /// Sends every client the payload, and then shuts down its sending side.
    #[track_caller]
    #[must_use]
    pub fn source(payload: Payload) -> Self {
        Self::serve(move |mut stream| {
            send(payload, &mut stream)?;
            stream.shutdown(Shutdown::Write)?;
            // Closing with unread bytes would reset the connection and could take the last of ours with it.
            io::copy(&mut stream, &mut io::sink()).map(drop)
        })
    }

    /// A web server: `GET /N` is answered with [`Payload::new(N)`](Payload::new), `PUT` and `POST` of anything with the
    /// SHA-256 of the body in hex.
    #[track_caller]
    #[must_use]
    pub fn http() -> Self {
        Self::serve(answer)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// How many connections there have been.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.0.accepted()
    }

    /// How many connections there are.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.live()
    }

    /// Closes every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.0.cut();
    }
}

/// What one connection to a [`Sink`] brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes came before the end or the error.
    pub bytes: u64,
    /// Their SHA-256 in hex.
    pub sha256: String,
    /// How it ended: `None` when the client shut down its sending side, else the error.
    pub error: Option<io::ErrorKind>,
}

/// A service that discards what it receives, and reports its length and hash.
pub struct Sink {
    service: Service,
    received: Mutex<Receiver<Received>>,
}

impl Sink {
    /// Starts one on a free port of 127.0.0.1.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        let service = Service::serve(move |mut stream| {
            let mut hash = Sha256::default();
            let mut buffer = vec![0; 64 * 1024];
            let mut bytes = 0;
            let error = loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break None,
                    Ok(count) => {
                        hash.write_all(&buffer[..count])?;
                        bytes += count as u64;
                    }
                    Err(error) => break Some(error.kind()),
                }
            };
            let sha256 = hash.finish();
            // The test may have ended: then nobody receives it.
            let _ = sender.send(Received { bytes, sha256, error });
            Ok(())
        });
        Self { service, received: Mutex::new(receiver) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.service.address()
    }

    /// Waits for a connection to end and reports what it brought.
    ///
    /// # Panics
    /// When none has ended within `timeout`.
    #[track_caller]
    #[must_use]
    pub fn next(&self, timeout: Duration) -> Received {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let next = received.recv_timeout(timeout);
        next.unwrap_or_else(|_| panic!("no connection to the sink ended within {timeout:?}"))
    }
}

fn send(payload: Payload, stream: &mut TcpStream) -> io::Result<()> {
    let mut reader = payload.reader();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

/// Answers one HTTP/1.1 request and closes.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());

    let mut length = 0;
    loop {
        line.clear();
        request.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = value.parse().unwrap_or_default(),
            Some(("expect", "100-continue")) => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            Some(_) => {}
            None if header.is_empty() => break,
            None => return head(&mut stream, "400 Bad Request", 0),
        }
    }

    match (method.as_str(), path.trim_start_matches('/').parse()) {
        ("GET", Ok(length)) => {
            head(&mut stream, "200 OK", length)?;
            send(Payload::new(length), &mut stream)
        }
        ("PUT" | "POST", _) => {
            let mut hash = Sha256::default();
            io::copy(&mut request.take(length), &mut hash)?;
            head(&mut stream, "200 OK", 64)?;
            stream.write_all(hash.finish().as_bytes())
        }
        _ => head(&mut stream, "404 Not Found", 0),
    }
}

fn head(stream: &mut TcpStream, status: &str, length: u64) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}
