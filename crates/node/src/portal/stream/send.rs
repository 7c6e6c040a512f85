//! The sending direction: the socket is read, and what it gave is sent from where it lies, as far as credit and
//! backpressure allow.

use super::Stream;
use crate::delivery::Delivery;
use crate::local_message::PayloadBuf;
use crate::portal::http::{AnswerForm, HEAD_READ, InletAnswer, RequestGuard};
use crate::portal::message::{EndReason, MAX_PAYLOAD, PAYLOAD_TAIL, PortalMessage, payload_head, payload_tail};
use crate::route::Route;
use crate::sync::{BackpressureGate, lock};
use crate::tcp::try_read;
use postern_env::net::TcpStream;
use postern_env::time::{self, Duration, Instant};
use std::cell::RefCell;
use std::io;
use std::sync::Arc;

/// Bytes of data in one message to a peer without the extension: programs on `ockam` expect no more.
const BASIC_PEER_PAYLOAD: usize = 64 * 1024;
/// Reads after which a busy stream lets other tasks run.
const READS_PER_TURN: usize = 8;
/// Room for the headers in front of what is read from a socket, and for the tag behind it.
const HEAD_ROOM: usize = 512;
const TAIL_ROOM: usize = 64;

/// How long responses to earlier requests may take until the inlet's own answer to a later one is given. Chosen: servers notice
/// within a round-trip time that no more requests come.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What the stream's own task knows about its sending.
#[derive(Default)]
pub(super) struct SendState {
    pub(super) sent: u64,
    counter: u16,
    pub(super) finished: bool,
    /// Closed while what carries the stream is over its budget.
    gate: Option<Arc<BackpressureGate>>,
    /// Checks the requests; only at the inlet of a web portal.
    pub(super) guard: Option<RequestGuard>,
    /// What is answered here instead of passing a request on, after the responses to those before it.
    pub(super) answer: Option<InletAnswer>,
    /// When a head that has begun, or the wait for those responses, has taken too long.
    deadline: Option<Instant>,
}

impl SendState {
    /// At the beginning of a stream; with a guard at the inlet of a web portal.
    pub(super) fn new(guard: Option<RequestGuard>) -> Self {
        Self { guard, ..Self::default() }
    }

    /// Waits until what carries the stream takes more.
    pub(super) async fn released(&self) {
        if let Some(gate) = &self.gate {
            gate.opened().await;
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.is_closed())
    }

    /// Whether there are bytes of the socket to be sent that were read before.
    pub(super) fn has_checked(&self) -> bool {
        !self.finished && self.guard.as_ref().is_some_and(RequestGuard::has_next)
    }

    /// When the client, or the service, has taken too long; never without a check of requests.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let guard = self.guard.as_ref()?;
        let limit = match (&self.answer, guard.is_within_head() && !self.finished) {
            (Some(_), _) => Some(ANSWER_WAIT),
            (None, true) => Some(guard.head_timeout()),
            (None, false) => None,
        };
        self.deadline = limit.map(|limit| self.deadline.unwrap_or_else(|| time::now() + limit));
        self.deadline
    }

    /// What the client is answered instead of a reset when the stream was not opened. `is_refused`: the other end says so; else it may
    /// have passed the request on, and only one that changes nothing is answered.
    pub(super) fn unavailable(&self, reason: EndReason, is_refused: bool) -> Option<InletAnswer> {
        let guard = self.guard.as_ref().filter(|it| is_refused || it.form().is_safe())?;
        guard.unavailable(Some(reason))
    }

    /// Which form of an answer the client takes.
    pub(super) fn form(&self) -> AnswerForm {
        self.guard.as_ref().map(RequestGuard::form).unwrap_or_default()
    }

    /// Answers here: no more is read.
    fn refuse(&mut self, answer: InletAnswer) -> SocketRead {
        (self.answer, self.deadline) = (Some(answer), None);
        SocketRead::Finished
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
    /// Reads the socket and sends, as long as both go.
    pub(super) async fn forward_socket(&self, socket: &TcpStream, sending: &mut SendState) -> Result<(), EndReason> {
        for _ in 0..READS_PER_TURN {
            let (onward, limit, extended) = {
                let inner = lock(&self.inner);
                (inner.onward.clone(), inner.limit, inner.extended)
            };
            let Some(onward) = onward.filter(|_| limit > sending.sent && !sending.is_held()) else { return Ok(()) };
            let most = if extended { MAX_PAYLOAD } else { BASIC_PEER_PAYLOAD };
            let room = usize::try_from(limit - sending.sent).unwrap_or(most).min(most);
            let read = match sending.guard.take() {
                None => self.read_once(socket, &onward, room, sending)?,
                Some(mut guard) => {
                    let read = self.read_checked(socket, &onward, room, sending, &mut guard);
                    sending.guard = Some(guard);
                    read?
                }
            };
            match read {
                SocketRead::Nothing => return Ok(()),
                SocketRead::Sent(delivery) => {
                    sending.gate = delivery.flush().await.map_err(|_| EndReason::Disconnected)?;
                }
                SocketRead::Finished => return self.finish_sending(sending, extended).await,
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Tells the other end that no more is sent.
    async fn finish_sending(&self, sending: &mut SendState, extended: bool) -> Result<(), EndReason> {
        sending.finished = true;
        // Half-close would keep the answer from being written.
        lock(&self.inner).answer_follows = sending.answer.is_some();
        if extended {
            let told = self.send_control(&PortalMessage::Finish(sending.sent));
            told.map_err(|_| EndReason::Disconnected)?.flush().await.map_err(|_| EndReason::Disconnected)?;
        }
        Ok(())
    }

    /// A head has taken too long: it is answered here. An answer that could not be given in time ends the stream.
    pub(super) async fn on_deadline(&self, sending: &mut SendState) -> Result<(), EndReason> {
        if sending.answer.is_some() {
            return Err(EndReason::Reset);
        }
        sending.refuse(InletAnswer::TooSlow);
        self.finish_sending(sending, self.is_extended()).await
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
            self.send_payload(buffer, read, onward, sending)
        })
    }

    /// As [`read_once`](Self::read_once) does, at the inlet of a web portal: heads are checked first, bodies are sent from where
    /// they lie.
    fn read_checked(
        &self,
        socket: &TcpStream,
        onward: &Route,
        room: usize,
        sending: &mut SendState,
        guard: &mut RequestGuard,
    ) -> Result<SocketRead, EndReason> {
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                if guard.has_next() {
                    match guard.next(&mut buffer[HEAD_ROOM..HEAD_ROOM + room]) {
                        Ok(count) => return self.send_payload(buffer, count, onward, sending),
                        Err(answer) => return Ok(sending.refuse(answer)),
                    }
                }
                let is_body = guard.is_within_body();
                let most = if is_body { room } else { HEAD_READ };
                let read = match try_read(socket, &mut buffer[HEAD_ROOM..HEAD_ROOM + most]) {
                    Ok(0) => return Ok(SocketRead::Finished),
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(SocketRead::Nothing),
                    Err(_) => return Err(EndReason::Reset),
                };
                let data = &buffer[HEAD_ROOM..HEAD_ROOM + read];
                if !is_body {
                    guard.receive(data);
                    continue;
                }
                match guard.pass(data) {
                    Ok(count) => return self.send_payload(buffer, count, onward, sending),
                    Err(answer) => return Ok(sending.refuse(answer)),
                }
            }
        })
    }

    /// Sends data that lies behind the headroom of the buffer.
    fn send_payload(
        &self,
        buffer: &mut Vec<u8>,
        count: usize,
        onward: &Route,
        sending: &mut SendState,
    ) -> Result<SocketRead, EndReason> {
        let (head, len) = payload_head(count);
        let (start, end) = (HEAD_ROOM - len, HEAD_ROOM + count);
        buffer[start..HEAD_ROOM].copy_from_slice(&head[..len]);
        buffer[end..end + PAYLOAD_TAIL].copy_from_slice(&payload_tail(sending.counter));
        sending.counter = sending.counter.wrapping_add(1);
        sending.sent += count as u64;
        self.meter.add_sent(count);
        self.pool.on_bytes(self.core.uptime(), &self.interactivity, count);
        let body = PayloadBuf { buffer, start, end: end + PAYLOAD_TAIL };
        self.send(onward, body).map(SocketRead::Sent).map_err(|_| EndReason::Disconnected)
    }
}
