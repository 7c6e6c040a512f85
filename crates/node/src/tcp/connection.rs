//! One TCP connection: an [`Endpoint`] that writes frames, and a task that reads them.

use super::admission::{ConnectionSlot, SlowFrames};
use super::error::TcpError;
use super::liveness::{KeepAlive, Monitor, Observed, USED_FROM};
use super::partial_frame::{BUFFER_IDLE, PartialFrame};
use super::reader::{FrameBuffer, try_read};
use super::socket_options::prepare;
use super::target::Target;
use crate::address::Address;
use crate::core::Core;
use crate::dialing::{DialRequest, REUSED_BY_CONNECTIONS, REUSED_BY_RETRIES, dial};
use crate::origin::{Origin, OriginId, Source, SourceAddress};
use crate::outbox::Outbox;
use crate::wire::frame::VERSION;
use postern_env::task;
use postern_env::time::{self, Duration, Instant};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a connection may take to say its version.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Reads after which a busy connection lets others run: about a millisecond of large frames.
const READS_PER_TURN: usize = 4;
/// How long a connection that is closed here goes on writing what was already sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection to another node.
///
/// As a hop of a [`Route`](crate::Route) it is the way over this connection. Dropping the handle leaves the connection open.
#[derive(Clone)]
pub struct TcpConnection(Arc<Connection>);

impl TcpConnection {
    /// The address that sends over this connection.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// The other end.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.peer
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.0.source.ended.is_cancelled()
    }

    /// Waits until it has ended, for whatever reason.
    pub async fn closed(&self) {
        self.0.source.ended.cancelled().await;
    }

    /// Ends it at once.
    pub fn close(&self) {
        self.0.source.ended.cancel();
    }

    /// Asks the other end now whether it is there, if a session keeps the connection: one that is dead ends soon.
    pub fn check(&self) {
        if let Some(liveness) = &self.0.liveness {
            liveness.check();
        }
    }

    /// Asks the other end now, and waits for an answer or for as long as one may take. False if none comes; true if nothing is
    /// known, as no session keeps the connection or its other end never answered such questions.
    pub async fn verify(&self) -> bool {
        match &self.0.liveness {
            Some(liveness) => tokio::select! {
                () = self.closed() => false,
                answers = liveness.verify() => answers,
            },
            None => !self.is_closed(),
        }
    }

    /// Whether the other end answers, if a session keeps the connection: not, while its system acknowledges what is sent and it
    /// answers nothing. It may be stopped or overloaded; the connection stays.
    pub fn answers(&self) -> Option<watch::Receiver<bool>> {
        self.0.liveness.as_ref().map(|liveness| liveness.answers())
    }

    /// Whether it was ended because the other end had stopped answering, or what is sent no longer arrives there.
    pub fn was_dead(&self) -> bool {
        self.0.liveness.as_ref().is_some_and(|liveness| liveness.is_dead())
    }

    /// Says that many peers share it, and that their streams have flow control.
    pub(crate) fn set_flow_controlled(&self) {
        self.0.source.flow_controlled.store(true, Ordering::Relaxed);
    }
}

impl From<&TcpConnection> for Address {
    fn from(connection: &TcpConnection) -> Self {
        connection.address().clone()
    }
}

impl Origin for TcpConnection {
    fn origin(&self) -> OriginId {
        self.0.source.origin
    }
}

/// What a session gives a connection that it makes.
pub(crate) struct Kept {
    /// What is exposed to the session is reached over the connection.
    pub(crate) origin: OriginId,
    /// How often the connection is used while it is idle.
    pub(crate) keep_alive: Arc<KeepAlive>,
}

/// What is known of a connection that a listener accepted.
pub(super) struct Accepted {
    pub(super) listener: OriginId,
    pub(super) address: SourceAddress,
    pub(super) slot: ConnectionSlot,
}

pub(crate) struct Connection {
    pub(super) address: Address,
    peer: SocketAddr,
    socket: Arc<TcpStream>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) source: Arc<Source>,
    pub(super) core: Arc<Core>,
    /// For a connection that a session keeps.
    pub(super) liveness: Option<Arc<Monitor>>,
}

impl Connection {
    /// Connects to a target: to the first that accepts of the addresses that its name resolves to and its filter permits. What
    /// is exposed to `session` is reached over the connection; sessions try by themselves, and may use an older answer of the
    /// resolver.
    pub(crate) async fn connect(
        core: &Arc<Core>,
        target: &Target,
        session: Option<Kept>,
    ) -> Result<TcpConnection, TcpError> {
        let address = target.address();
        let reused_for = if session.is_some() { REUSED_BY_RETRIES } else { REUSED_BY_CONNECTIONS };
        let request = DialRequest { address, filter: target.filter(), reused_for, within: CONNECT_TIMEOUT };
        let socket = dial(core, request).await.map_err(|error| TcpError::of_dialing(address, error))?;
        let connection = Self::start(core, socket, session, None)
            .map_err(|source| TcpError::Connect { address: address.to_owned(), source })?;
        Ok(TcpConnection(connection))
    }

    /// Starts the tasks of a connected socket: one that was accepted, or made for a session.
    pub(super) fn start(
        core: &Arc<Core>,
        socket: TcpStream,
        session: Option<Kept>,
        accepted: Option<Accepted>,
    ) -> io::Result<Arc<Self>> {
        prepare(&socket)?;
        let socket = Arc::new(socket);
        let address = Address::random();
        let ended = core.disconnecting.child_token();
        let connection = Arc::new(Self {
            address: address.clone(),
            peer: socket.peer_addr()?,
            outbox: Arc::new(Outbox::new(socket.clone(), address.clone(), ended.clone())),
            socket,
            source: Arc::new(Source {
                listener: accepted.as_ref().map(|it| it.listener).or(session.as_ref().map(|it| it.origin)),
                address: accepted.as_ref().map(|accepted| accepted.address),
                ..Source::new(OriginId::fresh(), address.clone(), ended)
            }),
            core: core.clone(),
            liveness: session.map(|session| Monitor::new(session.keep_alive)),
        });
        drop(connection.outbox.push(&[&[VERSION]]).map_err(io::Error::other)?);
        core.router.add_endpoint(address, connection.clone()).map_err(io::Error::other)?;
        core.stats.connections.add(1);
        core.spawn_connection(connection.clone().run(accepted.map(|accepted| accepted.slot)));
        Ok(connection)
    }

    /// Reads and writes until the connection ends; its place is free then.
    async fn run(self: Arc<Self>, _slot: Option<ConnectionSlot>) {
        let writing = self.outbox.run();
        tokio::pin!(writing);
        let mut ended = tokio::select! {
            () = self.source.ended.cancelled() => None,
            error = &mut writing => Some(error),
            error = self.read() => Some(error),
            error = self.watch_liveness() => Some(error),
        };
        if let Some(liveness) = &self.liveness {
            liveness.end(&self.core, ended.is_some());
        }
        if ended.is_none() {
            ended = tokio::select! {
                error = writing => Some(error),
                _ = time::timeout(FLUSH_TIMEOUT, self.outbox.flushed()) => None,
            };
        }
        self.source.ended.cancel();
        self.outbox.close();
        if let Some(windows) = self.source.windows.get() {
            windows.end();
        }
        // Handles may outlive the connection: the peer must not wait for them.
        let _ = socket2::SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Both);
        self.core.router.remove(&self.address);
        self.core.router.withdraw(self.source.origin);
        self.core.stats.connections.sub(1);
        match ended {
            Some(reason) => tracing::debug!(peer = %self.peer, %reason, "connection ended"),
            None => tracing::debug!(peer = %self.peer, "connection closed"),
        }
    }

    /// Waits until the other end is dead, where that is observed.
    async fn watch_liveness(&self) -> io::Error {
        let Some(liveness) = &self.liveness else { return std::future::pending().await };
        let ends = self.socket.local_addr().ok().map(|local| (local, self.peer));
        let is_congested = || self.outbox.gate().is_closed();
        let observed = Observed {
            core: &self.core,
            connection: &self.address,
            origin: self.source.origin,
            ends,
            is_congested: &is_congested,
        };
        liveness.run(&observed).await
    }

    /// Reads and delivers until the connection ends.
    async fn read(&self) -> io::Error {
        let mut inbox = FrameBuffer::default();
        let mut partial = PartialFrame::default();
        let (mut greeted, greeting_ends) = (false, time::now() + GREETING_TIMEOUT);
        loop {
            self.set_reading(true);
            let readable = match greeted {
                true => self.readable(&mut inbox, &mut partial).await,
                false => self.greeting(greeting_ends).await,
            };
            if let Err(error) = readable {
                return error;
            }
            self.set_reading(false);
            for read in 0.. {
                if read == READS_PER_TURN {
                    task::yield_now().await;
                    break;
                }
                match inbox.read(|room| try_read(&self.socket, room)) {
                    Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                    Ok(bytes) => self.note_read(bytes),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return error,
                }
                if !greeted {
                    match inbox.take_byte() {
                        Some(VERSION) => greeted = true,
                        Some(_) => return io::Error::other("the peer speaks another version of the protocol"),
                        None => continue,
                    }
                }
                match self.deliver_frames(&mut inbox).await {
                    ControlFlow::Break(error) => return error,
                    ControlFlow::Continue(true) => partial = PartialFrame::default(),
                    ControlFlow::Continue(false) => {}
                }
            }
        }
    }

    fn set_reading(&self, is_reading: bool) {
        if let Some(liveness) = &self.liveness {
            liveness.set_reading(is_reading);
        }
    }

    fn note_read(&self, bytes: usize) {
        if bytes >= USED_FROM {
            self.source.large_reads.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(liveness) = &self.liveness {
            liveness.note_heard(bytes);
        }
    }

    async fn greeting(&self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(time::now());
        let greeting = time::timeout(left, self.socket.readable()).await;
        greeting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn readable(&self, inbox: &mut FrameBuffer, partial: &mut PartialFrame) -> io::Result<()> {
        if inbox.held() > 0 {
            return self.rest_readable(inbox, partial).await;
        }
        if inbox.is_large() {
            match time::timeout(BUFFER_IDLE, self.socket.readable()).await {
                Ok(readable) => return readable,
                Err(_) => inbox.release(),
            }
        }
        self.socket.readable().await
    }

    /// Waits for the rest of a frame. One that takes long counts against what all such frames may hold, and not for ever.
    async fn rest_readable(&self, inbox: &mut FrameBuffer, partial: &mut PartialFrame) -> io::Result<()> {
        loop {
            let wait = partial.wait(time::now())?;
            if wait.is_slow {
                inbox.shrink();
                // Counted anew, with what has come since.
                partial.slow = None;
                let (address, ended) = (self.source.address, &self.source.ended);
                partial.slow = Some(self.core.extension::<SlowFrames>().add(address, inbox.held(), ended));
            }
            if let Ok(readable) = time::timeout(wait.at_most, self.socket.readable()).await {
                return readable;
            }
        }
    }
}
