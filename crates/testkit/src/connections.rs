//! The live connections of a listener in this process.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A listener on a port of its own, a thread per connection, and a way to end them all.
///
/// Dropping it closes the port and every connection.
pub(crate) struct Connections {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    closed: AtomicBool,
    accepted: AtomicU64,
    live: Mutex<BTreeMap<u64, Vec<TcpStream>>>,
}

/// One accepted connection, as the thread sees it that serves it.
pub(crate) struct Connection {
    number: u64,
    shared: Arc<Shared>,
}

impl Connection {
    /// Its number, counted from 0.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Makes `stream` a part of this connection: it ends when the connection is cut.
    pub(crate) fn join(&self, stream: &TcpStream) -> io::Result<()> {
        match self.shared.live().get_mut(&self.number) {
            Some(streams) => streams.push(stream.try_clone()?),
            None => stream.shutdown(Shutdown::Both)?,
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.cut(self.number);
    }
}

impl Connections {
    /// Listens on a free port of 127.0.0.1 and gives each connection to `serve` on a thread of its own. An error ends that connection.
    #[track_caller]
    pub(crate) fn serve(serve: impl Fn(&Connection, TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("Failed to listen"), serve)
    }

    /// As [`serve`](Self::serve) does, on a listener that there is.
    #[track_caller]
    pub(crate) fn serve_on(
        listener: TcpListener,
        serve: impl Fn(&Connection, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            let serve = Arc::new(serve);
            move || shared.accept(&listener, &serve)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there have been.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many connections there are.
    pub(crate) fn live(&self) -> usize {
        self.shared.live().len()
    }

    /// Ends every connection there is; new ones are taken.
    pub(crate) fn cut(&self) {
        let numbers: Vec<u64> = self.shared.live().keys().copied().collect();
        for number in numbers {
            self.shared.cut(number);
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it sees this.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(accepting)) = (woken, self.accepting.take()) {
            let _ = accepting.join();
        }
        self.cut();
    }
}

impl Shared {
    fn accept<S>(self: &Arc<Self>, listener: &TcpListener, serve: &Arc<S>)
    where
        S: Fn(&Connection, TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        for stream in listener.incoming().flatten() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let number = self.accepted.fetch_add(1, Ordering::Relaxed);
            let Ok(kept) = stream.try_clone() else {
                continue;
            };
            self.live().insert(number, vec![kept]);
            let connection = Connection { number, shared: Arc::clone(self) };
            let serve = Arc::clone(serve);
            thread::spawn(move || {
                // The other side's view of a failed connection is what a test looks at.
                let _ = serve(&connection, stream);
            });
        }
    }

    fn cut(&self, number: u64) {
        for stream in self.live().remove(&number).unwrap_or_default() {
            // One that has ended by itself cannot be shut down, and need not be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<TcpStream>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
