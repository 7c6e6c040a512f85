//! What the router delivers to, besides mailboxes.

use crate::address::Address;
use crate::delivery::Delivery;
use crate::local_message::BorrowedMessage;
use crate::origin::Source;
use crate::sync::BackpressureGate;
use crate::undeliverable::Undeliverable;
use std::sync::Arc;

/// Something with an address that takes messages at once, on the sender's task.
pub(crate) trait Endpoint: Send + Sync {
    /// Takes a parcel whose onward front is this endpoint's address. Must not block.
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable>;

    /// Where answers to what is sent here come from.
    fn source(&self) -> Option<Arc<Source>> {
        None
    }

    /// The gate that what comes from `sender`, and is sent here, must wait for, if it joins the queue of a connection.
    fn gate(&self, _sender: Option<&Address>) -> Option<Arc<BackpressureGate>> {
        None
    }

    /// Ends what is behind it, if that is a channel.
    fn close(&self) {}
}
