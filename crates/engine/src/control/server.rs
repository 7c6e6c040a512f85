//! The server of the control socket: accepts clients and passes their calls to an engine.
//!
//! Owns the socket and a task for each client, at most [`MAX_CLIENTS`]. A client that sends nonsense, or does not read, ends its
//! own connection and nothing else.

use super::authorization::{self, LocalUser};
use super::line::{self, Lines};
use super::platform::{Accepted, Listener};
use super::{Call, Hello, IDLE, MAX_CALL, MAX_CLIENTS, PATIENCE, ServerMessage, VERSION, Welcome};
use crate::api::{Code, EngineApi, Fault, Secret, Snapshot, Traffic};
use postern_env::task::{self, JoinHandle, JoinSet};
use postern_env::time::{self, Duration, timeout};
use std::io;
use std::sync::Arc;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, broadcast};

/// How long accepting pauses after an error, most likely because file descriptors ran out. Chosen: some are closed by then.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The open control socket of an engine. Dropping it closes the socket and every connection, a moment later.
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

/// Opens the control socket of an engine, which must hold the lock of its data directory.
///
/// `raise` is called when the program is started a second time, or a link is opened; it must not block. [Close](Control::close)
/// the socket before the engine releases the lock.
///
/// # Errors
/// [`Code::Failed`] when the socket cannot be made.
pub async fn serve<E: EngineApi>(
    engine: E,
    raise: impl Fn(Option<Secret>) + Send + Sync + 'static,
) -> Result<Control, Fault> {
    let listener = Listener::bind(engine.data_dir()).map_err(|error| {
        let place = engine.data_dir().display();
        Fault::new(
            Code::Failed,
            format!("The control socket in {place} could not be made ({error}). Check its permissions."),
        )
    })?;
    let server = Arc::new(ControlServer { engine, raise: Box::new(raise) });
    Ok(Control { accepting: task::spawn(accept(listener, server)) })
}

/// What every connection needs.
pub(super) struct ControlServer<E> {
    pub(super) engine: E,
    pub(super) raise: Box<dyn Fn(Option<Secret>) + Send + Sync>,
}

async fn accept<E: EngineApi>(mut listener: Listener, server: Arc<ControlServer<E>>) {
    let permits = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let (client, user) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((_, user)) if !authorization::greets(user) => {
                    tracing::warn!("a control connection of another user was closed");
                    continue;
                }
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a control connection could not be accepted; accepting pauses");
                    time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            Some(_) = clients.join_next() => continue,
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            tracing::warn!("too many control connections; a new one was closed");
            continue;
        };
        let server = Arc::clone(&server);
        clients.spawn(async move {
            let _permit = permit;
            // An error concerns this client only.
            if let Err(error) = Connection::new(client, user).serve(&server).await {
                tracing::debug!(kind = %error.kind(), "a control connection ended");
            }
        });
    }
}

pub(super) struct Connection {
    lines: Lines<ReadHalf<Accepted>>,
    out: WriteHalf<Accepted>,
    user: LocalUser,
}

impl Connection {
    pub(super) fn new(client: Accepted, user: LocalUser) -> Self {
        let (read, out) = tokio::io::split(client);
        Self { lines: Lines::new(read, MAX_CALL), out, user }
    }

    pub(super) async fn serve<E: EngineApi>(&mut self, server: &ControlServer<E>) -> io::Result<()> {
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
                    let sentence = "This Postern does not understand that line. Use a `postern` of the same version.";
                    return self.send(&ServerMessage::Fault { fault: Fault::new(Code::Invalid, sentence) }).await;
                }
                Err(error) => return Err(error),
            };
            if !authorization::serves(&call, self.user) {
                return Ok(());
            }
            let message = match call {
                Call::Request { request } => match server.engine.request(request).await {
                    Ok(answer) => ServerMessage::Answer { answer },
                    Err(fault) => ServerMessage::Fault { fault },
                },
                Call::Raise { link } => {
                    (server.raise)(link);
                    ServerMessage::Raised
                }
                Call::Watch => return self.watch(&server.engine).await,
            };
            self.send(&message).await?;
        }
    }

    /// Sends what changes, until the client closes or the engine ends.
    async fn watch<E: EngineApi>(&mut self, engine: &E) -> io::Result<()> {
        let (mut notices, mut snapshots, mut traffic) = (engine.notices(), engine.snapshot(), engine.traffic());
        snapshots.mark_changed();
        loop {
            let message = tokio::select! {
                () = self.lines.closed() => return Ok(()),
                changed = snapshots.changed() => {
                    if changed.is_err() { return Ok(()) }
                    let snapshot = Snapshot::clone(&snapshots.borrow_and_update());
                    ServerMessage::Snapshot { snapshot: Box::new(snapshot) }
                }
                received = notices.recv() => match received {
                    Ok(notice) => ServerMessage::Notice { notice },
                    // The snapshot shows what the missed notices were about.
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                Ok(()) = traffic.changed() => ServerMessage::Traffic { traffic: Traffic::clone(&traffic.borrow_and_update()) },
            };
            self.send(&message).await?;
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> io::Result<()> {
        timeout(PATIENCE, line::write(&mut self.out, message)).await?
    }
}
