//! A TCP proxy between two programs that records everything that passes.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tempfile::TempDir;

use crate::connections::{Connection, Connections};
use crate::temp_dir;

const CHUNK: usize = 64 * 1024;

/// A TCP proxy on a free port of 127.0.0.1 that forwards to another address, records every byte on disk before passing
/// it on, and cuts connections when told to.
///
/// Each direction of each connection is recorded on its own, so that what it carried is found whole. Half-closed
/// connections stay half-closed. Dropping it closes the port, every connection and the record.
pub struct Capture {
    connections: Connections,
    proxy: Arc<Proxy>,
}

struct Proxy {
    target: Mutex<SocketAddr>,
    record: Option<TempDir>,
    forwarded: AtomicU64,
}

impl Capture {
    /// Proxies to `target` and records.
    #[track_caller]
    #[must_use]
    pub fn recording(target: SocketAddr) -> Self {
        Self::start(target, Some(temp_dir()))
    }

    /// Proxies to `target` and only counts, for transfers too large to keep.
    #[track_caller]
    #[must_use]
    pub fn counting(target: SocketAddr) -> Self {
        Self::start(target, None)
    }

    #[track_caller]
    fn start(target: SocketAddr, record: Option<TempDir>) -> Self {
        let proxy = Arc::new(Proxy { target: Mutex::new(target), record, forwarded: AtomicU64::new(0) });
        let connections = Connections::serve({
            let proxy = Arc::clone(&proxy);
            move |connection, client| proxy.forward(connection, client)
        });
        Self { connections, proxy }
    }

    /// Where to connect instead of to the target.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.connections.address()
    }

    /// How many connections there have been.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.connections.accepted()
    }

    /// How many connections there are.
    #[must_use]
    pub fn live(&self) -> usize {
        self.connections.live()
    }

    /// How many bytes have passed, both ways together.
    #[must_use]
    pub fn bytes_forwarded(&self) -> u64 {
        self.proxy.forwarded.load(Ordering::Relaxed)
    }

    /// Ends every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.connections.cut();
    }

    /// Forwards new connections to another address: a server that came back on another port stays where it was for
    /// its clients.
    pub fn retarget(&self, target: SocketAddr) {
        *self.proxy.target() = target;
    }

    /// Whether any direction of any connection carried `needle`.
    ///
    /// # Panics
    /// When nothing is recorded, or the record cannot be read.
    #[track_caller]
    #[must_use]
    pub fn contains(&self, needle: &[u8]) -> bool {
        let files = self.proxy.files();
        files.iter().any(|path| file_contains(path, needle).expect("Failed to read the record"))
    }

    /// What each direction of each connection carried: first what the client sent, then what it was sent.
    ///
    /// # Panics
    /// When nothing is recorded, or the record cannot be read.
    #[track_caller]
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        let files = self.proxy.files();
        let read = |path| fs::read(path).expect("Failed to read the record");
        files.into_iter().map(read).collect()
    }
}

impl Proxy {
    fn forward(self: &Arc<Self>, connection: &Connection, client: TcpStream) -> io::Result<()> {
        let target = *self.target();
        let server = TcpStream::connect(target)?;
        connection.join(&server)?;
        let number = connection.number();
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let back = thread::spawn({
            let (proxy, client, server) = (Arc::clone(self), client.try_clone()?, server.try_clone()?);
            move || proxy.pump(server, client, &format!("{number:06}-b"))
        });
        let forth = self.pump(client, server, &format!("{number:06}-a"));
        // A thread that panicked has nothing to say beyond what it printed.
        let back = back.join().unwrap_or(Ok(()));
        forth.and(back)
    }

    /// Carries bytes one way until the end, and the end with them.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, name: &str) -> io::Result<()> {
        let mut record = match &self.record {
            Some(directory) => Some(File::create(directory.path().join(name))?),
            None => None,
        };
        let carried = self.copy(&mut from, &mut to, record.as_mut());
        match carried {
            Ok(()) => to.shutdown(Shutdown::Write),
            Err(error) => {
                // A broken connection is broken both ways, or the other pump would wait for ever.
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                Err(error)
            }
        }
    }

    fn copy(&self, from: &mut TcpStream, to: &mut TcpStream, mut record: Option<&mut File>) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            if let Some(record) = &mut record {
                record.write_all(&buffer[..count])?;
            }
            self.forwarded.fetch_add(count as u64, Ordering::Relaxed);
            to.write_all(&buffer[..count])?;
        }
    }

    fn target(&self) -> MutexGuard<'_, SocketAddr> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record's files, in the order of the connections.
    #[track_caller]
    fn files(&self) -> Vec<PathBuf> {
        let record = self.record.as_ref().expect("this capture only counts");
        let entries = fs::read_dir(record.path()).expect("Failed to read the record");
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort_unstable();
        files
    }
}

/// Whether a file contains `needle`, also across the pieces it is read in.
fn file_contains(path: &Path, needle: &[u8]) -> io::Result<bool> {
    assert!(!needle.is_empty(), "an empty needle is in everything");
    let mut file = File::open(path)?;
    let mut window = Vec::new();
    loop {
        let read = (&mut file).take(1 << 20).read_to_end(&mut window)?;
        if window.windows(needle.len()).any(|bytes| bytes == needle) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let keep = window.len().min(needle.len() - 1);
        window.drain(..window.len() - keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_across_pieces() {
        let directory = temp_dir();
        let path = directory.path().join("record");
        let mut bytes = vec![b'.'; 3 << 20];
        bytes[(1 << 20) - 3..][..6].copy_from_slice(b"secret");
        fs::write(&path, bytes).unwrap();
        assert!(file_contains(&path, b"secret").unwrap());
        assert!(!file_contains(&path, b"secrets").unwrap());
    }
}
