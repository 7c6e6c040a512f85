//! The sending direction: the socket is read, and what it gave is sent from where it lies, as far as credit and
//! backpressure allow.

use super::Stream;
use crate::delivery::Delivery;
use crate::local_message::PayloadBuf;
use crate::portal::message::{EndReason, MAX_PAYLOAD, PAYLOAD_TAIL, PortalMessage, payload_head, payload_tail};
use crate::route::Route;
use crate::sync::{BackpressureGate, lock};
use crate::tcp::try_read;
use postern_env::net::TcpStream;
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

/// What the stream's own task knows about its sending.
#[derive(Default)]
pub(super) struct SendState {
    pub(super) sent: u64,
    counter: u16,
    pub(super) finished: bool,
    /// Closed while what carries the stream is over its budget.
    gate: Option<Arc<BackpressureGate>>,
}

impl SendState {
    /// Waits until what carries the stream takes more.
    pub(super) async fn released(&self) {
        if let Some(gate) = &self.gate {
            gate.opened().await;
        }
    }

    pub(super) fn is_held(&self) -> bool {
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
            self.pool.on_bytes(self.core.uptime(), &self.interactivity, read);
            let body = PayloadBuf { buffer, start, end: end + PAYLOAD_TAIL };
            self.send(onward, body).map(SocketRead::Sent).map_err(|_| EndReason::Disconnected)
        })
    }
}
