//! One end of one TCP connection through a portal.
//!
//! ```text
//! socket ─ read ─► [head-room│data│tail-room] ─► router ─► encryptor (seals in place) ─► connection
//! connection ─► decryptor (opens in place) ─► Stream::deliver ─ write ─► socket
//!                                             what the socket does not take waits in `pending`
//! ```
//!
//! The stream's task reads its socket and writes what is pending; the task that reads the connection writes to the
//! socket directly as long as nothing is pending. With a peer that supports the extension, what may be pending is bounded
//! by the credit that was granted (flow control); with another, its connection is held up (backpressure), and in the end
//! the stream is ended.

mod pending;
mod receive;
mod send;
mod shutdown;
mod socket;

pub use receive::BASIC_PEER_BUFFER;
pub(super) use shutdown::StreamShutdown;
pub(super) use socket::reset;

use super::flow_control::{FlowControlPool, InteractivityTracker, ReceiveWindow};
use super::http::{self, AnswerForm, InletAnswer, RequestGuard};
use super::message::{EndReason, PortalMessage};
use super::meter::Meter;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::Identifier;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::Source;
use crate::route::Route;
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use pending::Pending;
use postern_env::net::TcpStream;
use postern_env::time::{self, Duration, Instant};
use send::SendState;
use socket::half_close;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::io::Interest;
use tokio::sync::Notify;

/// Bytes that may be sent to a peer with the extension before its first answer: its initial window.
pub(super) const EARLY_DATA_MAX: u64 = 64 * 1024;
/// How long a stream may take to open, the connection to the service included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How a stream has ended.
pub(super) struct Ending {
    /// Why it ended early, if it did.
    pub(super) result: Result<(), EndReason>,
    /// What its client is still to be told, with [`Stream::answer`]: the stream was not even opened.
    pub(super) answer: Option<(InletAnswer, AnswerForm)>,
}

impl From<Result<(), EndReason>> for Ending {
    fn from(result: Result<(), EndReason>) -> Self {
        Self { result, answer: None }
    }
}

pub(super) struct Stream {
    core: Arc<Core>,
    address: Address,
    /// Who is at the other end of the channel; every message must come from them.
    peer: Option<Identifier>,
    socket: OnceLock<TcpStream>,
    inner: Mutex<Inner>,
    wake: Notify,
    /// The other end has answered.
    opening: Notify,
    meter: Arc<Meter>,
    interactivity: InteractivityTracker,
    /// What the windows of the node's streams share.
    pool: Arc<FlowControlPool>,
    gate: Arc<BackpressureGate>,
}

struct Inner {
    /// To the other end of the stream, once that is known.
    onward: Option<Arc<Route>>,
    opened: bool,
    /// The other end speaks our extension.
    extended: bool,
    pending: Pending,
    received: u64,
    /// What the socket has taken.
    written: u64,
    /// What the other end may send.
    window: ReceiveWindow,
    next_counter: u16,
    /// The other end sends no more.
    finished: bool,
    /// What we may send in all.
    limit: u64,
    /// What we had sent when the stream ended.
    sent: u64,
    ended: Option<EndReason>,
    /// The end came from the other side, so it need not be notified.
    peer_knows: bool,
    /// The inlet itself answers when the other end sends no more.
    answer_follows: bool,
}

impl Stream {
    /// A stream end at `address`, not yet known to the router. Every message must come from where `source` is.
    pub(super) fn new(
        core: &Arc<Core>,
        pool: &Arc<FlowControlPool>,
        address: Address,
        source: Option<&Source>,
        extended: bool,
        meter: &Arc<Meter>,
    ) -> Arc<Self> {
        let round_trip = source.map(|source| source.round_trip.clone()).unwrap_or_default();
        Arc::new(Self {
            core: core.clone(),
            address,
            peer: source.and_then(|source| source.peer.as_ref()).map(|peer| peer.identifier),
            socket: OnceLock::new(),
            inner: Mutex::new(Inner {
                onward: None,
                opened: false,
                extended,
                pending: Pending::default(),
                received: 0,
                written: 0,
                window: ReceiveWindow::new(pool, core.uptime(), round_trip),
                next_counter: 0,
                finished: false,
                limit: 0,
                sent: 0,
                ended: None,
                peer_knows: false,
                answer_follows: false,
            }),
            wake: Notify::new(),
            opening: Notify::new(),
            meter: meter.clone(),
            interactivity: InteractivityTracker::default(),
            pool: pool.clone(),
            gate: Arc::default(),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Gives the stream its socket.
    pub(super) fn attach(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let socket = self.socket.get_or_init(|| socket);
        let inner = lock(&self.inner);
        if inner.finished && inner.pending.rest().is_empty() {
            half_close(socket);
        }
    }

    /// Sets where the other end is and how much may be sent there.
    pub(super) fn set_remote(&self, onward: Route, limit: u64) {
        let mut inner = lock(&self.inner);
        inner.onward = Some(Arc::new(onward));
        inner.limit = limit;
    }

    pub(super) fn set_opened(&self) {
        lock(&self.inner).opened = true;
    }

    pub(super) fn is_opened(&self) -> bool {
        lock(&self.inner).opened
    }

    /// Whether the other end speaks our extension.
    pub(super) fn is_extended(&self) -> bool {
        lock(&self.inner).extended
    }

    /// Waits until the other end has answered. Only one can wait.
    pub(super) async fn opened(&self) {
        self.opening.notified().await;
    }

    /// Bytes sent and received, once the stream has ended.
    pub(super) fn byte_counts(&self) -> (u64, u64) {
        let inner = lock(&self.inner);
        (inner.sent, inner.received)
    }

    /// Waits until the other end has answered or ended the stream.
    pub(super) async fn answered(&self) -> Result<(), EndReason> {
        loop {
            {
                let inner = lock(&self.inner);
                match inner.ended {
                    Some(reason) => return Err(reason),
                    None if inner.opened => return Ok(()),
                    None if inner.finished => return Err(EndReason::Unspecified),
                    None => {}
                }
            }
            self.wake.notified().await;
        }
    }

    /// Sends a message other than a payload to the other end.
    pub(super) fn send_control(&self, message: &PortalMessage<'_>) -> Result<Delivery, Undeliverable> {
        let onward = lock(&self.inner).onward.clone().ok_or(Undeliverable::NoRoute)?;
        self.send_control_to(&onward, message)
    }

    /// Sends a message other than a payload to an address other than the other end.
    pub(super) fn send_control_to(
        &self,
        onward: &Route,
        message: &PortalMessage<'_>,
    ) -> Result<Delivery, Undeliverable> {
        self.send(onward, PayloadBuf::exactly(&mut message.encode()))
    }

    fn send(&self, onward: &Route, body: PayloadBuf<'_>) -> Result<Delivery, Undeliverable> {
        let return_route = Route::from(&self.address);
        self.core.router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: return_route.as_ref(),
            body,
            source: None,
            depth: 0,
            completion: None,
        })
    }

    /// Moves bytes both ways until both sides have finished or the stream ends early.
    ///
    /// An early end resets the socket, so that no program takes a part for the whole, and the other end is notified.
    /// With a guard, what the socket gives is passed on as far as the guard accepts it, and what the client of a stream
    /// is told that was not even opened is left to be given.
    pub(super) async fn run(&self, ends: &StreamShutdown, guard: Option<RequestGuard>) -> Ending {
        let Some(socket) = self.socket.get() else { return Ending::from(Err(EndReason::Disconnected)) };
        self.core.stats.streams.add(1);
        let running = self.pool.join();
        let mut sending = SendState::new(guard);
        let result = tokio::select! {
            result = self.pump(socket, &mut sending) => result,
            reason = ends.triggered() => Err(reason),
        };
        drop(running);
        self.core.stats.streams.sub(1);
        let (peer_knows, extended, is_untouched) = {
            let mut inner = lock(&self.inner);
            inner.ended.get_or_insert(EndReason::Unspecified);
            inner.sent = sending.sent;
            inner.pending = Pending::default();
            (inner.peer_knows, inner.extended, !inner.opened && inner.received == 0)
        };
        self.gate.open();
        self.core.router.remove(&self.address);
        let mut answer = None;
        match result {
            Ok(()) => {
                if !extended && !peer_knows {
                    drop(self.send_control(&PortalMessage::Disconnect(EndReason::Unspecified)));
                }
                match &sending.answer {
                    // A peer without half-close says nowhere that its responses are complete.
                    Some(_) if !extended => reset(socket),
                    Some(answer) => http::give(answer, sending.form(), socket).await,
                    None => {}
                }
            }
            Err(reason) => {
                if !peer_knows {
                    let reason = if extended { reason } else { EndReason::Unspecified };
                    drop(self.send_control(&PortalMessage::Disconnect(reason)));
                }
                let is_answerable = is_untouched && !ends.closed.0.is_cancelled();
                answer = sending.unavailable(reason, peer_knows).filter(|_| is_answerable);
                if answer.is_none() {
                    reset(socket);
                }
            }
        }
        Ending { result, answer: answer.map(|answer| (answer, sending.form())) }
    }

    /// Gives the client the answer that [`run`](Self::run) has left.
    pub(super) async fn answer(&self, (answer, form): &(InletAnswer, AnswerForm)) {
        if let Some(socket) = self.socket.get() {
            http::give(answer, *form, socket).await;
        }
    }

    async fn pump(&self, socket: &TcpStream, sending: &mut SendState) -> Result<(), EndReason> {
        loop {
            // Asked once a turn: a gate that opens meanwhile must still end the wait for it.
            let held = sending.is_held();
            let interest = {
                let inner = lock(&self.inner);
                if let Some(reason) = inner.ended {
                    return Err(reason);
                }
                let nothing_pending = inner.pending.rest().is_empty();
                let both_finished = inner.finished && sending.finished;
                // Other peers end both directions at once.
                let either_finished = !inner.extended && (inner.finished || sending.finished);
                if nothing_pending && (both_finished || either_finished) {
                    return Ok(());
                }
                let may_send = !sending.finished && !held && inner.limit > sending.sent;
                match (may_send, nothing_pending) {
                    (true, true) => Some(Interest::READABLE),
                    (true, false) => Some(Interest::READABLE | Interest::WRITABLE),
                    (false, false) => Some(Interest::WRITABLE),
                    (false, true) => None,
                }
            };
            let may_send = interest.is_some_and(|it| it.is_readable());
            if may_send && sending.has_checked() {
                self.forward_socket(socket, sending).await?;
                continue;
            }
            let deadline = sending.deadline();
            tokio::select! {
                () = self.wake.notified() => {}
                () = sending.released(), if held => {}
                () = until(deadline), if deadline.is_some() => self.on_deadline(sending).await?,
                ready = socket.ready(interest.unwrap_or(Interest::READABLE)), if interest.is_some() => {
                    let ready = ready.map_err(|_| EndReason::Reset)?;
                    if ready.is_writable() {
                        self.write_pending(socket);
                    }
                    if ready.is_readable() || ready.is_read_closed() {
                        self.forward_socket(socket, sending).await?;
                    }
                }
            }
        }
    }

    /// Ends the stream early, for a reason that is sent to the other end.
    pub(super) fn end(&self, reason: EndReason) {
        end(&mut lock(&self.inner), reason);
        self.wake.notify_one();
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn end(inner: &mut Inner, reason: EndReason) {
    inner.ended.get_or_insert(reason);
}
