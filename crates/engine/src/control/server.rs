//! The engine's end of the local socket.

use super::line::{self, Lines};
use super::platform::{Accepted, Listener};
use super::{Call, Hello, IDLE, MAX_CALL, MAX_CLIENTS, PATIENCE, ServerMessage, VERSION, Welcome};
use crate::Engine;
use crate::api::{Answer, Code, Fault, Notice, Request, Secret, Snapshot, Traffic};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// What the socket stands before: an engine.
pub trait Host: Send + Sync + 'static {
    /// Where its data is, and so the socket.
    fn data_dir(&self) -> &Path;
    /// What it shows.
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>>;
    /// Numbers that move.
    fn traffic(&self) -> watch::Receiver<Arc<Traffic>>;
    /// What a person should hear of.
    fn notices(&self) -> broadcast::Receiver<Notice>;
    /// Does what is asked.
    fn request(&self, request: Request) -> impl Future<Output = Result<Answer, Fault>> + Send;
}

impl Host for Engine {
    fn data_dir(&self) -> &Path {
        Self::data_dir(self)
    }

    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        Self::snapshot(self)
    }

    fn traffic(&self) -> watch::Receiver<Arc<Traffic>> {
        Self::traffic(self)
    }

    fn notices(&self) -> broadcast::Receiver<Notice> {
        Self::notices(self)
    }

    async fn request(&self, request: Request) -> Result<Answer, Fault> {
        Self::request(self, request).await
    }
}

/// The open socket of an engine; dropping it closes the socket and every connection, in a moment.
pub struct Control {
    accepting: JoinHandle<()>,
}

impl Control {
    /// Closes the socket and every connection, and returns when both are gone.
    pub async fn close(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Opens the socket of an engine that holds its data directory's lock.
///
/// `raise` is called when somebody starts the program a second time, or opens a link; it must not block. [Close](Control::close)
/// it before the engine gives the lock up.
///
/// # Errors
/// [`Code::Failed`] when the socket cannot be made.
pub async fn serve<H: Host>(host: H, raise: impl Fn(Option<Secret>) + Send + Sync + 'static) -> Result<Control, Fault> {
    let listener = Listener::bind(host.data_dir()).map_err(|error| {
        let place = host.data_dir().display();
        Fault::new(
            Code::Failed,
            format!("The control socket in {place} could not be made ({error}). Check its permissions."),
        )
    })?;
    let desk = Arc::new(ControlServer { host, raise: Box::new(raise) });
    Ok(Control { accepting: tokio::spawn(accept(listener, desk)) })
}

/// What every connection needs.
struct ControlServer<H> {
    host: H,
    raise: Box<dyn Fn(Option<Secret>) + Send + Sync>,
}

async fn accept<H: Host>(mut listener: Listener, desk: Arc<ControlServer<H>>) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(client) => client,
                Err(error) => {
                    // Out of descriptors, most likely: give the system a moment.
                    tracing::warn!(%error, "a control connection was not taken");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            },
            Some(_) = clients.join_next() => continue,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("too many control connections: one was turned away");
            continue;
        };
        let desk = Arc::clone(&desk);
        clients.spawn(async move {
            let _place = place;
            // What a client does wrong, or that it is gone, is its own affair.
            if let Err(error) = Connection::new(client).serve(&desk).await {
                tracing::debug!(kind = %error.kind(), "a control connection ended");
            }
        });
    }
}

struct Connection {
    lines: Lines<ReadHalf<Accepted>>,
    out: WriteHalf<Accepted>,
}

impl Connection {
    fn new(client: Accepted) -> Self {
        let (read, out) = tokio::io::split(client);
        Self { lines: Lines::new(read, MAX_CALL), out }
    }

    async fn serve<H: Host>(&mut self, desk: &ControlServer<H>) -> io::Result<()> {
        let Some(hello) = timeout(PATIENCE, self.lines.next::<Hello>()).await?? else { return Ok(()) };
        let welcome =
            Welcome { postern: VERSION, version: env!("CARGO_PKG_VERSION").to_owned(), process: std::process::id() };
        timeout(PATIENCE, line::write(&mut self.out, &welcome)).await??;
        if hello.postern != VERSION {
            return Ok(());
        }
        loop {
            let call = match timeout(IDLE, self.lines.next::<Call>()).await? {
                Ok(Some(call)) => call,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    let sentence = "That is nothing this Postern understands. Use a `postern` of the same version.";
                    return self.say(&ServerMessage::Fault { fault: Fault::new(Code::Invalid, sentence) }).await;
                }
                Err(error) => return Err(error),
            };
            let said = match call {
                Call::Request { request } => match desk.host.request(request).await {
                    Ok(answer) => ServerMessage::Answer { answer },
                    Err(fault) => ServerMessage::Fault { fault },
                },
                Call::Raise { link } => {
                    (desk.raise)(link);
                    ServerMessage::Raised
                }
                Call::Watch => return self.watch(&desk.host).await,
            };
            self.say(&said).await?;
        }
    }

    /// Tells what changes until the client closes or the engine ends.
    async fn watch<H: Host>(&mut self, host: &H) -> io::Result<()> {
        let (mut notices, mut snapshots, mut traffic) = (host.notices(), host.snapshot(), host.traffic());
        snapshots.mark_changed();
        loop {
            let said = tokio::select! {
                () = self.lines.closed() => return Ok(()),
                changed = snapshots.changed() => {
                    if changed.is_err() { return Ok(()) }
                    let snapshot = Snapshot::clone(&snapshots.borrow_and_update());
                    ServerMessage::Snapshot { snapshot: Box::new(snapshot) }
                }
                heard = notices.recv() => match heard {
                    Ok(notice) => ServerMessage::Notice { notice },
                    // The snapshot tells what the missed notices led to.
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                Ok(()) = traffic.changed() => ServerMessage::Traffic { traffic: Traffic::clone(&traffic.borrow_and_update()) },
            };
            self.say(&said).await?;
        }
    }

    async fn say(&mut self, said: &ServerMessage) -> io::Result<()> {
        timeout(PATIENCE, line::write(&mut self.out, said)).await?
    }
}
