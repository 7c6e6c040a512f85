//! One TCP connection: an [`Endpoint`] that writes frames, and a task that reads them.

use super::admission::{ConnectionSlot, SlowFrames};
use super::error::TcpError;
use super::partial_frame::{BUFFER_IDLE, PartialFrame};
use super::reader::{FrameBuffer, try_read};
use super::socket_options::prepare;
use super::target::Target;
use crate::address::Address;
use crate::congestion::spare_connection;
use crate::core::Core;
use crate::delivery::{Delivery, HOLD_TIMEOUT, Held, HoldLimit};
use crate::dialing::{DialRequest, REUSED_BY_CONNECTIONS, REUSED_BY_RETRIES, dial};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{Origin, OriginId, Source, SourceAddress};
use crate::outbox::Outbox;
use crate::route::{MAX_HOPS, RouteRef};
use crate::router::Endpoint;
use crate::sync::BackpressureGate;
use crate::undeliverable::Undeliverable;
use crate::wire::frame::{self, MAX_FRAME_SENT, MAX_FRAME_UNAUTHENTICATED, TAIL, VERSION};
use postern_env::task;
use postern_env::time::{self, Duration, Instant};
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpStream;

/// How long a connection may take to say its version.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Reads, and frames, after which a busy connection lets others run: what its own messages have woken would otherwise wait for
/// the end of a flood. About a millisecond.
const READS_PER_TURN: usize = 4;
pub(super) const FRAMES_PER_TURN: usize = 128;
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

/// What is known of a connection that a listener accepted.
pub(super) struct Accepted {
    pub(super) listener: OriginId,
    pub(super) address: SourceAddress,
    pub(super) slot: ConnectionSlot,
}

pub(crate) struct Connection {
    address: Address,
    peer: SocketAddr,
    socket: Arc<TcpStream>,
    outbox: Arc<Outbox>,
    source: Arc<Source>,
    core: Arc<Core>,
}

impl Connection {
    /// Connects to a target: to the first that accepts of the addresses that its name resolves to and its filter permits. What
    /// is exposed to `session` is reached over the connection; sessions try by themselves, and may use an older answer of the
    /// resolver.
    pub(crate) async fn connect(
        core: &Arc<Core>,
        target: &Target,
        session: Option<OriginId>,
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
        session: Option<OriginId>,
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
                listener: accepted.as_ref().map(|accepted| accepted.listener).or(session),
                address: accepted.as_ref().map(|accepted| accepted.address),
                ..Source::new(OriginId::fresh(), address.clone(), ended)
            }),
            core: core.clone(),
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
        };
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

    /// Reads and delivers until the connection ends.
    async fn read(&self) -> io::Error {
        let mut inbox = FrameBuffer::default();
        let mut partial = PartialFrame::default();
        let (mut greeted, greeting_ends) = (false, time::now() + GREETING_TIMEOUT);
        loop {
            let readable = match greeted {
                true => self.readable(&mut inbox, &mut partial).await,
                false => self.greeting(greeting_ends).await,
            };
            if let Err(error) = readable {
                return error;
            }
            for read in 0.. {
                if read == READS_PER_TURN {
                    task::yield_now().await;
                    break;
                }
                match inbox.read(|room| try_read(&self.socket, room)) {
                    Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                    Ok(_) => {}
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

    /// Takes all whole frames; whether there was one. What they make this node send is flushed once, behind the last.
    async fn deliver_frames(&self, inbox: &mut FrameBuffer) -> ControlFlow<io::Error, bool> {
        let (mut unflushed, mut taken) = (Vec::new(), 0);
        loop {
            if taken > 0 && taken % FRAMES_PER_TURN == 0 {
                unflushed.clear();
                task::yield_now().await;
            }
            let authenticated = self.source.authenticated.load(Ordering::Relaxed);
            let frame = self.core.limits.frame;
            let max = if authenticated { frame } else { frame.min(MAX_FRAME_UNAUTHENTICATED) };
            let frame = match inbox.next(max) {
                Ok(Some(frame)) => frame,
                Ok(None) => return ControlFlow::Continue(taken > 0),
                Err(error) => return ControlFlow::Break(io::Error::other(error)),
            };
            self.source.used.store(true, Ordering::Relaxed);
            taken += 1;
            self.core.stats.frames.add(1);
            self.core.stats.bytes.add(frame.len() as u64);
            let delivered = match self.deliver_frame(frame) {
                None => return ControlFlow::Break(io::Error::other("a frame is not a message")),
                Some(Ok(delivery)) => delivery.wait_deferring_flush(&mut unflushed, self.hold_limit()).await,
                Some(Err(reason)) => Err(reason),
            };
            match delivered {
                Ok(Held::Released) => {}
                Ok(Held::TooLong(receiver)) => return ControlFlow::Break(self.held_too_long(&receiver)),
                Err(reason) => self.core.dropped(reason),
            }
        }
    }

    fn hold_limit(&self) -> HoldLimit {
        match self.source.flow_controlled.load(Ordering::Relaxed) {
            true => HoldLimit::Short,
            false => HoldLimit::WhileTaken,
        }
    }

    fn held_too_long(&self, receiver: &Address) -> io::Error {
        let [sender, receiver] =
            [&self.address, receiver].map(|address| address.to_string().chars().take(8).collect::<String>());
        let seconds = HOLD_TIMEOUT.as_secs();
        tracing::warn!(
            %sender, %receiver, seconds,
            "a pair was ended: the receiver took nothing while the sender was held for it; both may connect again"
        );
        io::Error::other("it was held too long for a receiver that took nothing")
    }

    /// Delivers one frame; nothing if it is none.
    fn deliver_frame(&self, bytes: &mut [u8]) -> Option<Result<Delivery, Undeliverable>> {
        if let Some(payload) = frame::find_payload(bytes) {
            let (head, body) = bytes.split_at_mut(payload.start);
            let (onward, return_route) = frame::read_routes(head)?;
            return Some(self.dispatch(onward, return_route, &mut body[..payload.len()]));
        }
        let (onward, return_route, mut payload) = frame::canonical(bytes)?;
        Some(self.dispatch(onward.as_ref(), return_route.as_ref(), &mut payload))
    }

    fn dispatch(
        &self,
        onward: RouteRef<'_>,
        return_route: RouteRef<'_>,
        payload: &mut [u8],
    ) -> Result<Delivery, Undeliverable> {
        if onward.len() == 0 {
            return Ok(Delivery::default());
        }
        let body = PayloadBuf::exactly(payload);
        let source = Some(&self.source);
        let message = BorrowedMessage { onward, return_route, body, source, depth: 0, completion: None };
        let delivery = self.core.router.dispatch(message)?;
        Ok(match self.source.windows.get() {
            Some(windows) => spare_connection(&self.core, windows, delivery, return_route),
            None => delivery,
        })
    }
}

thread_local! {
    /// Where headers are built; they are written or copied before anything else runs on the thread.
    static HEADER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Endpoint for Connection {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let return_hops = message.return_route.len() + usize::from(message.source.is_some());
        if return_hops > MAX_HOPS || message.onward.len() > MAX_HOPS + 1 {
            return Err(Undeliverable::TooDeep);
        }
        let (flush, bytes) = HEADER.with_borrow_mut(|header| {
            header.clear();
            let payload = message.body.payload();
            frame::push_header(header, message.onward.rest(), message.via(), message.return_route, payload.len());
            let bytes = header.len() + payload.len() + TAIL.len();
            if bytes > MAX_FRAME_SENT {
                return Err(Undeliverable::TooLarge);
            }
            Ok((self.outbox.push(&[header, payload, &TAIL])?, bytes))
        })?;
        self.source.used.store(true, Ordering::Relaxed);
        match self.source.windows.get() {
            None => Ok(Delivery::sent(flush, self.outbox.gate())),
            Some(windows) => Ok(windows.delivery(&self.core, &message, bytes, flush, self.outbox.gate())),
        }
    }

    fn gate(&self) -> Option<Arc<BackpressureGate>> {
        let in_all = self.source.windows.get().and_then(|windows| windows.gate_in_all());
        Some(in_all.unwrap_or_else(|| self.outbox.gate().clone()))
    }

    fn source(&self) -> Option<Arc<Source>> {
        Some(self.source.clone())
    }
}
