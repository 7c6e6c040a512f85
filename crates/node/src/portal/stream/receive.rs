//! The receiving direction: what comes from the other end is written to the socket, on the task that reads the
//! connection; what the socket does not take waits. Credit is granted for what it took (flow control).

use super::socket::half_close;
use super::{Inner, Stream, end};
use crate::delivery::Delivery;
use crate::local_message::BorrowedMessage;
use crate::portal::message::{EndReason, PortalMessage};
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::net::TcpStream;
use postern_env::time::Duration;
use std::io;
use std::sync::{Arc, MutexGuard};

/// Bytes that may be pending from a peer without the extension before its connection is held up (backpressure).
pub const BASIC_PEER_BUFFER: usize = 1024 * 1024;
/// Bytes that may be pending from a peer without the extension before the stream is ended.
const BASIC_PEER_BUFFER_MAX: usize = 16 * 1024 * 1024;

impl Stream {
    /// Writes what is pending, as far as the socket takes it now.
    pub(super) fn write_pending(&self, socket: &TcpStream) {
        let mut inner = lock(&self.inner);
        while !inner.pending.rest().is_empty() {
            match socket.try_write(inner.pending.rest()) {
                Ok(written) => {
                    inner.pending.take(written);
                    inner.written += written as u64;
                    self.gate.note_taken();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return end(&mut inner, EndReason::Reset),
            }
        }
        if inner.pending.rest().is_empty() {
            if inner.finished && !inner.answer_follows {
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
        self.pool.on_bytes(now, &self.interactivity, data.len());
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
            let waiting = &data[written..];
            if inner.extended {
                inner.pending.push(waiting);
            } else if !inner.pending.push_uncontrolled(waiting, &self.pool) {
                end(&mut inner, EndReason::Lost);
            }
            self.wake.notify_one();
            if !inner.extended && inner.pending.rest().len() > BASIC_PEER_BUFFER {
                self.gate.close();
                if inner.pending.rest().len() > BASIC_PEER_BUFFER_MAX / 2 {
                    self.gate.set_overfull();
                }
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
            let is_complete = inner.pending.rest().is_empty() && !inner.answer_follows;
            if let Some(socket) = self.socket.get().filter(|_| is_complete) {
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
        // Credit may have come before: it is never taken back (wire.md, portals).
        inner.limit = window.map_or(u64::MAX, |window| inner.limit.max(window));
        inner.onward = Some(Arc::new(onward));
        self.wake.notify_one();
        self.opening.notify_one();
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
            PortalMessage::Ping(_) | PortalMessage::Probe(..) | PortalMessage::Alive(_) => {
                return Err(Undeliverable::Malformed);
            }
        }
        Ok(Delivery::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Core;
    use crate::local_message::PayloadBuf;
    use crate::portal::meter::Meter;
    use crate::portal::stream::EARLY_DATA_MAX;
    use crate::vault::MemoryVault;
    use crate::{Address, Limits};

    #[tokio::test]
    async fn credit_that_comes_before_the_answer_is_kept() {
        let core = Arc::new(Core::new(Arc::new(MemoryVault::in_memory()), Limits::default()));
        let stream = Stream::new(&core, &core.extension(), Address::random(), None, true, &Arc::<Meter>::default());
        stream.set_remote(Route::new(), EARLY_DATA_MAX);
        let mut credit = PortalMessage::Credit(2 * EARLY_DATA_MAX).encode();
        drop(
            stream
                .deliver(BorrowedMessage {
                    onward: Route::from(stream.address()).as_ref(),
                    return_route: Route::new().as_ref(),
                    body: PayloadBuf::exactly(&mut credit),
                    source: None,
                    depth: 1,
                    completion: None,
                })
                .unwrap(),
        );
        stream.on_pong(Some(EARLY_DATA_MAX), Route::new());
        assert_eq!(lock(&stream.inner).limit, 2 * EARLY_DATA_MAX);
        // A peer without the extension grants no credit.
        let basic = Stream::new(&core, &core.extension(), Address::random(), None, true, &Arc::<Meter>::default());
        basic.on_pong(None, Route::new());
        assert_eq!(lock(&basic.inner).limit, u64::MAX);
    }
}
