//! One end of one TCP connection through a portal.
//!
//! ```text
//! socket ─ read ─► [head-room│data│tail-room] ─► router ─► encryptor (seals in place) ─► connection
//! connection ─► decryptor (opens in place) ─► Stream::deliver ─ write ─► socket
//!                                             what the socket does not take waits in `pending`
//! ```
//!
//! The stream's task reads its socket and writes what is pending; the task that reads the connection writes to the
//! socket directly as long as nothing is pending. With a peer of ours, what may be pending is bounded by the credit
//! that was given; with another, its connection is held up, and in the end the stream is.

use super::admission::Revocation;
use super::flow_control::{InteractivityTracker, ReceiveWindow};
use super::message::{EndReason, MAX_PAYLOAD, PAYLOAD_TAIL, PortalMessage, payload_head, payload_tail};
use super::meter::Meter;
use crate::address::Address;
use crate::delivery::{Delivery, Undeliverable};
use crate::identity::Identifier;
use crate::node::Core;
use crate::route::Route;
use crate::router::{BorrowedMessage, Endpoint, PayloadBuf, Source};
use crate::sync::{BackpressureGate, lock};
use crate::tcp::try_read;
use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Bytes that one end of a stream takes from the other beyond what its socket has taken, at first.
pub const INITIAL_WINDOW: u64 = 64 * 1024;
/// Bytes that may be sent to a peer of ours before its first answer.
pub(super) const EARLY_DATA_MAX: u64 = 64 * 1024;
/// Bytes of data in one message to a peer of another kind.
const BASIC_PEER_PAYLOAD: usize = 64 * 1024;
/// Bytes that may be pending from a peer of another kind before its connection is held up.
pub const BASIC_PEER_BUFFER: usize = 1024 * 1024;
/// Bytes that may be pending from a peer of another kind before the stream is ended.
const BASIC_PEER_BUFFER_MAX: usize = 16 * 1024 * 1024;
/// How long a stream may take to open, the connection to the service included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A pending buffer larger than this is given back when it is empty.
const KEEP_CAPACITY: usize = 16 * 1024;
/// Reads after which a busy stream lets others run.
const READS_PER_TURN: usize = 8;
/// Room for the headers in front of what is read from a socket, and for the tag behind it.
const HEAD_ROOM: usize = 512;
const TAIL_ROOM: usize = 64;

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
    /// The end came from the other side, so it need not be told.
    peer_knows: bool,
}

/// Bytes that wait for the socket.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    start: usize,
}

impl Pending {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn take(&mut self, count: usize) {
        self.start += count;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP_CAPACITY {
                self.bytes = Vec::new();
            }
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

/// What ends a stream from outside.
pub(super) struct StreamShutdown {
    /// The connection that carries it.
    pub(super) carrier: CancellationToken,
    /// The channel that it runs through.
    pub(super) channel: CancellationToken,
    /// The inlet or outlet that it belongs to, and what is said when that closes.
    pub(super) closed: (CancellationToken, EndReason),
    /// The whole node.
    pub(super) stopping: CancellationToken,
    /// The permit it was let in with.
    pub(super) revocation: Option<Revocation>,
}

impl StreamShutdown {
    pub(super) async fn triggered(&self) -> EndReason {
        tokio::select! {
            // What says most comes first: an owner who revokes may close the outlet in the same moment.
            biased;
            reason = revoked(self.revocation.as_ref()) => reason,
            // A node that stops closes its inlets and outlets: that is nobody's decision about them.
            () = self.closed.0.cancelled() => match self.stopping.is_cancelled() {
                true => EndReason::Stopping,
                false => self.closed.1,
            },
            () = self.channel.cancelled() => EndReason::Disconnected,
            () = self.carrier.cancelled() => EndReason::Disconnected,
        }
    }
}

async fn revoked(revocation: Option<&Revocation>) -> EndReason {
    match revocation {
        Some(revocation) => revocation.revoked().await,
        None => std::future::pending().await,
    }
}

/// What the stream's own task knows about its sending.
#[derive(Default)]
struct SendState {
    sent: u64,
    counter: u16,
    finished: bool,
    /// Closed while what carries the stream is over its budget.
    gate: Option<Arc<BackpressureGate>>,
}

impl SendState {
    fn is_held(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.is_closed())
    }
}

/// What came of reading the socket once.
enum SocketRead {
    Sent(Delivery),
    Nothing,
    Finished,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; HEAD_ROOM + MAX_PAYLOAD + PAYLOAD_TAIL + TAIL_ROOM]);
}

impl Stream {
    /// A stream end at `address`, not yet known to the router. Every message must come from where `source` is.
    pub(super) fn new(
        core: &Arc<Core>,
        address: Address,
        source: Option<&Source>,
        extended: bool,
        meter: &Arc<Meter>,
    ) -> Arc<Self> {
        let round_trip = source.map_or(Duration::ZERO, |source| source.round_trip);
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
                window: ReceiveWindow::new(core, round_trip),
                next_counter: 0,
                finished: false,
                limit: 0,
                sent: 0,
                ended: None,
                peer_knows: false,
            }),
            wake: Notify::new(),
            opening: Notify::new(),
            meter: meter.clone(),
            interactivity: InteractivityTracker::default(),
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

    /// Sends a message other than a payload to somebody else than the other end.
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
        })
    }

    /// Moves bytes both ways until both sides have finished or the stream ends early.
    ///
    /// An early end resets the socket, so that nobody takes a part for the whole, and is told to the other end.
    pub(super) async fn run(&self, ends: &StreamShutdown) -> Result<(), EndReason> {
        let Some(socket) = self.socket.get() else { return Err(EndReason::Disconnected) };
        self.core.stats.streams.add(1);
        let mut sending = SendState::default();
        let result = tokio::select! {
            result = self.pump(socket, &mut sending) => result,
            reason = ends.triggered() => Err(reason),
        };
        self.core.stats.streams.sub(1);
        let (peer_knows, extended) = {
            let mut inner = lock(&self.inner);
            inner.ended.get_or_insert(EndReason::Unspecified);
            inner.sent = sending.sent;
            inner.pending = Pending::default();
            (inner.peer_knows, inner.extended)
        };
        self.gate.open();
        self.core.router.remove(&self.address);
        match result {
            Ok(()) if !extended && !peer_knows => {
                drop(self.send_control(&PortalMessage::Disconnect(EndReason::Unspecified)))
            }
            Ok(()) => {}
            Err(reason) => {
                if !peer_knows {
                    let reason = if extended { reason } else { EndReason::Unspecified };
                    drop(self.send_control(&PortalMessage::Disconnect(reason)));
                }
                reset(socket);
            }
        }
        result
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
            tokio::select! {
                () = self.wake.notified() => {}
                () = opened(&sending.gate), if held => {}
                ready = socket.ready(interest.unwrap_or(Interest::READABLE)), if interest.is_some() => {
                    let ready = ready.map_err(|_| EndReason::Reset)?;
                    if ready.is_writable() {
                        self.write_pending(socket);
                    }
                    if ready.is_readable() || ready.is_read_closed() {
                        self.read(socket, sending).await?;
                    }
                }
            }
        }
    }

    /// Reads the socket and sends, as long as both go.
    async fn read(&self, socket: &TcpStream, sending: &mut SendState) -> Result<(), EndReason> {
        for _ in 0..READS_PER_TURN {
            let (onward, limit, extended) = {
                let inner = lock(&self.inner);
                (inner.onward.clone(), inner.limit, inner.extended)
            };
            let Some(onward) = onward.filter(|_| limit > sending.sent && !sending.is_held()) else { return Ok(()) };
            let most = if extended { MAX_PAYLOAD } else { BASIC_PEER_PAYLOAD };
            let room = usize::try_from(limit - sending.sent).unwrap_or(most).min(most);
            match self.read_once(socket, &onward, room, sending)? {
                SocketRead::Nothing => return Ok(()),
                SocketRead::Sent(delivery) => {
                    sending.gate = delivery.flush().await.map_err(|_| EndReason::Disconnected)?;
                }
                SocketRead::Finished => {
                    sending.finished = true;
                    if extended {
                        let peer_knows = self.send_control(&PortalMessage::Finish(sending.sent));
                        peer_knows
                            .map_err(|_| EndReason::Disconnected)?
                            .flush()
                            .await
                            .map_err(|_| EndReason::Disconnected)?;
                    }
                    return Ok(());
                }
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    fn read_once(
        &self,
        socket: &TcpStream,
        onward: &Route,
        room: usize,
        sending: &mut SendState,
    ) -> Result<SocketRead, EndReason> {
        BUFFER.with_borrow_mut(|buffer| {
            let read = match try_read(socket, &mut buffer[HEAD_ROOM..HEAD_ROOM + room]) {
                Ok(0) => return Ok(SocketRead::Finished),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(SocketRead::Nothing),
                Err(_) => return Err(EndReason::Reset),
            };
            let (head, len) = payload_head(read);
            let (start, end) = (HEAD_ROOM - len, HEAD_ROOM + read);
            buffer[start..HEAD_ROOM].copy_from_slice(&head[..len]);
            buffer[end..end + PAYLOAD_TAIL].copy_from_slice(&payload_tail(sending.counter));
            sending.counter = sending.counter.wrapping_add(1);
            sending.sent += read as u64;
            self.meter.add_sent(read);
            self.core.windows.on_bytes(self.core.uptime(), &self.interactivity, read);
            let body = PayloadBuf { buffer, start, end: end + PAYLOAD_TAIL };
            self.send(onward, body).map(SocketRead::Sent).map_err(|_| EndReason::Disconnected)
        })
    }

    /// Writes what is pending, as far as the socket takes it now.
    fn write_pending(&self, socket: &TcpStream) {
        let mut inner = lock(&self.inner);
        while !inner.pending.rest().is_empty() {
            match socket.try_write(inner.pending.rest()) {
                Ok(written) => {
                    inner.pending.take(written);
                    inner.written += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return end(&mut inner, EndReason::Reset),
            }
        }
        if inner.pending.rest().is_empty() {
            if inner.finished {
                half_close(socket);
            }
            self.gate.open();
        }
        self.grant_credit(inner, self.core.uptime());
    }

    /// Lets the other end send more when enough has been taken.
    fn grant_credit(&self, mut inner: MutexGuard<'_, Inner>, now: Duration) -> Option<Delivery> {
        if !inner.extended || inner.finished {
            return None;
        }
        let written = inner.written;
        let limit = inner.window.grant(now, &self.interactivity, written)?;
        drop(inner);
        let said = self.send_control(&PortalMessage::Credit(limit));
        if said.is_err() {
            // The other end would wait for it for ever.
            self.end(EndReason::Disconnected);
        }
        said.ok().map(Delivery::ignoring_backpressure)
    }

    /// Takes data from the other end.
    fn on_payload(&self, data: &[u8], counter: Option<u16>) -> Result<Delivery, Undeliverable> {
        let mut inner = lock(&self.inner);
        if inner.ended.is_some() || inner.finished {
            return Err(Undeliverable::Closed);
        }
        inner.received += data.len() as u64;
        self.meter.add_received(data.len());
        let now = self.core.uptime();
        self.core.windows.on_bytes(now, &self.interactivity, data.len());
        let in_order =
            counter.is_none_or(|counter| counter == inner.next_counter) && (counter.is_some() || !inner.extended);
        let overfull = match inner.extended {
            true => inner.received > inner.window.granted(),
            false => inner.pending.rest().len() + data.len() > BASIC_PEER_BUFFER_MAX || self.gate.is_given_up(),
        };
        if !in_order || overfull {
            end(&mut inner, EndReason::Lost);
            self.wake.notify_one();
            return Err(Undeliverable::Malformed);
        }
        inner.next_counter = inner.next_counter.wrapping_add(1);
        let written = match self.socket.get().filter(|_| inner.pending.rest().is_empty()) {
            None => 0,
            Some(socket) => match socket.try_write(data) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => {
                    end(&mut inner, EndReason::Reset);
                    self.wake.notify_one();
                    return Ok(Delivery::default());
                }
            },
        };
        inner.written += written as u64;
        if written < data.len() {
            inner.pending.push(&data[written..]);
            self.wake.notify_one();
            if !inner.extended && inner.pending.rest().len() > BASIC_PEER_BUFFER {
                self.gate.close();
                return Ok(Delivery::blocked_on(&self.gate));
            }
        }
        Ok(self.grant_credit(inner, now).unwrap_or_default())
    }

    /// The other end sends no more; `total` bytes must have come.
    fn on_finish(&self, total: u64) {
        let mut inner = lock(&self.inner);
        if inner.received != total {
            end(&mut inner, EndReason::Lost);
        } else if !inner.finished {
            inner.finished = true;
            if let Some(socket) = self.socket.get().filter(|_| inner.pending.rest().is_empty()) {
                half_close(socket);
            }
        }
        self.wake.notify_one();
    }

    fn on_disconnect(&self, reason: EndReason) {
        let mut inner = lock(&self.inner);
        inner.peer_knows = true;
        if inner.extended || !inner.opened {
            inner.ended.get_or_insert(reason);
        } else {
            inner.finished = true;
        }
        self.wake.notify_one();
    }

    /// The other end has answered: it is where the answer came from.
    fn on_pong(&self, window: Option<u64>, onward: Route) {
        let mut inner = lock(&self.inner);
        if inner.opened {
            return;
        }
        inner.opened = true;
        inner.extended = window.is_some();
        inner.limit = window.unwrap_or(u64::MAX);
        inner.onward = Some(Arc::new(onward));
        self.wake.notify_one();
        self.opening.notify_one();
    }

    /// Ends the stream early, for a reason that the other end is told.
    pub(super) fn end(&self, reason: EndReason) {
        end(&mut lock(&self.inner), reason);
        self.wake.notify_one();
    }
}

impl Endpoint for Stream {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let from = message.source.and_then(|source| source.peer.as_ref()).map(|peer| peer.identifier);
        if message.onward.len() != 1 || from != self.peer {
            return Err(Undeliverable::Denied);
        }
        match PortalMessage::read(message.body.payload()).ok_or(Undeliverable::Malformed)? {
            PortalMessage::Payload { data, counter } => return self.on_payload(data, counter),
            PortalMessage::Credit(limit) => {
                let mut inner = lock(&self.inner);
                inner.limit = inner.limit.max(limit);
                self.wake.notify_one();
            }
            PortalMessage::Finish(total) => self.on_finish(total),
            PortalMessage::Disconnect(reason) => self.on_disconnect(reason),
            PortalMessage::Pong(window) => self.on_pong(window, message.full_return_route()),
            PortalMessage::Ping(_) | PortalMessage::Probe(_) | PortalMessage::Alive(_) => {
                return Err(Undeliverable::Malformed);
            }
        }
        Ok(Delivery::default())
    }
}

async fn opened(gate: &Option<Arc<BackpressureGate>>) {
    if let Some(gate) = gate {
        gate.opened().await;
    }
}

fn end(inner: &mut Inner, reason: EndReason) {
    inner.ended.get_or_insert(reason);
}

/// Tells the program at the socket that nothing more comes.
fn half_close(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write);
}

/// Makes the program at the socket see an error, not an end.
pub(super) fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
