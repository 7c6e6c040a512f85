//! The sending endpoint of a channel: takes plain messages and sends them as records, sealed in place where there is room.

use super::channel::{Channel, record_body};
use super::error::ChannelError;
use super::plaintext::{self, PADDING};
use super::record::NONCE_LEN;
use crate::address::Address;
use crate::crypto::TAG_LEN;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::Source;
use crate::router::Endpoint;
use crate::sync::{BackpressureGate, lock, read};
use crate::undeliverable::Undeliverable;
use crate::wire::frame::MAX_FRAME_SENT;
use std::cell::Cell;
use std::sync::Arc;

/// Takes plain messages and sends them as records.
pub(super) struct Encryptor(Arc<Channel>);

thread_local! {
    /// Where headers and records are built. Taken while in use: a channel inside a channel then makes its own.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room for the headers and the tag around a payload, with routes of any sensible length.
const HEADERS: usize = 8 * 1024;
/// A scratch buffer larger than this is not kept.
const KEEP_CAPACITY: usize = 512 * 1024;

fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = work(&mut scratch);
    if scratch.capacity() <= KEEP_CAPACITY {
        SCRATCH.set(scratch);
    }
    result
}

impl Encryptor {
    /// Gives a channel that was just opened the endpoint that sends through it.
    pub(super) fn install(channel: &Arc<Channel>) -> Result<(), ChannelError> {
        let (core, endpoint) = (&channel.core, Arc::new(Self(channel.clone())));
        core.router.add_endpoint(channel.encryptor().clone(), endpoint).map_err(|_| ChannelError::AddressInUse)?;
        core.stats.channels.add(1);
        Ok(())
    }
}

impl Endpoint for Encryptor {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let channel = &*self.0;
        if read(&channel.source).ended.is_cancelled() {
            return Err(Undeliverable::Closed);
        }
        // Found out later, it would have used up a number of the channel's.
        if message.body.len() > MAX_FRAME_SENT - HEADERS {
            return Err(Undeliverable::TooLarge);
        }
        with_scratch(|scratch| {
            scratch.extend_from_slice(&[0; NONCE_LEN]);
            let via = message.via();
            let payload = message.body.len();
            plaintext::push_header(scratch, message.onward.rest(), via, message.return_route, payload);
            let PayloadBuf { buffer, start, end } = message.body;
            let has_room = start >= scratch.len() && buffer.len() - end >= PADDING.len() + TAG_LEN;
            if has_room {
                let header = start - scratch.len();
                buffer[header..start].copy_from_slice(scratch);
                buffer[end..end + PADDING.len()].copy_from_slice(&PADDING);
                let body = PayloadBuf { buffer, start: header + NONCE_LEN, end: end + PADDING.len() };
                return channel.seal(body, message.depth);
            }
            scratch.extend_from_slice(&buffer[start..end]);
            scratch.extend_from_slice(&PADDING);
            scratch.extend_from_slice(&[0; TAG_LEN]);
            channel.seal(record_body(scratch), message.depth)
        })
    }

    fn source(&self) -> Option<Arc<Source>> {
        Some(self.0.source())
    }

    fn gate(&self, _sender: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        let first = lock(&self.0.sealing).route.front()?;
        self.0.core.router.gate_of(first.as_ref(), None, None)
    }

    fn close(&self) {
        self.0.close();
    }
}
