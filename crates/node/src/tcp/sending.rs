//! What a connection is as an address: frames that are sent there are queued on it.

use super::connection::Connection;
use crate::address::Address;
use crate::delivery::Delivery;
use crate::local_message::BorrowedMessage;
use crate::origin::Source;
use crate::route::MAX_HOPS;
use crate::router::Endpoint;
use crate::sync::BackpressureGate;
use crate::undeliverable::Undeliverable;
use crate::wire::frame::{self, MAX_FRAME_SENT, TAIL};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
        if let Some(liveness) = &self.liveness {
            liveness.note_sent(bytes);
        }
        match self.source.windows.get() {
            None => Ok(Delivery::sent(flush, self.outbox.gate())),
            Some(windows) => Ok(windows.delivery(&self.core, &message, bytes, flush, self.outbox.gate())),
        }
    }

    fn gate(&self, sender: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        let windows = self.source.windows.get();
        let gate = windows.and_then(|windows| windows.gate_of(sender).or_else(|| windows.gate_in_all()));
        Some(gate.unwrap_or_else(|| self.outbox.gate().clone()))
    }

    fn source(&self) -> Option<Arc<Source>> {
        Some(self.source.clone())
    }
}
