//! What reaches the task of a peer, and how others reach it.

use super::connector::DeliveryPath;
use super::error::DeliveryError;
use super::message_id::{Epoch, MessageId};
use super::protocol::{ChannelNotice, Message};
use super::receiver::Mark;
use super::state::PeerState;
use crate::address::Address;
use crate::route::Route;
use crate::secure_channel::SecureChannel;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What happens to the task of a peer.
pub(super) enum Event {
    /// A message came through a channel with it. `ended` is of the channel.
    Message { channel: Address, ended: CancellationToken, message: Message, held: Held },
    /// The handler has done with a message.
    Handled { epoch: Epoch, mark: Mark },
    /// A handler has stored a message for it.
    Appended { sequence: u64, bytes: usize },
    /// The program wants this node to connect.
    Connect(DeliveryPath),
    /// The program knows where this peer takes notices.
    NoticeRoute(Route),
    /// The connector has made a channel.
    Opened(SecureChannel),
    /// The connector's channel is gone.
    Cut(Address),
    /// The connector has failed.
    NotConnected(Arc<str>),
    /// A message came for an address of this node that leads nowhere.
    Undeliverable(Address),
    /// A test asks for the address of the channel.
    #[cfg(test)]
    AskChannel(std::sync::mpsc::Sender<Option<Address>>),
    /// Somebody says that the channel is lost.
    Hint(ChannelNotice),
}

/// A message that waits to be stored, and who waits for it.
pub(super) struct SendRequest {
    pub(super) bodies: Vec<Bytes>,
    pub(super) stored: oneshot::Sender<Result<Vec<MessageId>, DeliveryError>>,
}

/// How others reach the task of a peer.
#[derive(Clone)]
pub(super) struct PeerHandle {
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) sends: mpsc::Sender<SendRequest>,
    pub(super) state: watch::Receiver<PeerState>,
    pub(super) held: Arc<HeldTotals>,
}

/// What waits in memory for one peer's tasks.
#[derive(Default)]
pub(super) struct HeldTotals {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A message from a peer, counted as long as this lives.
pub(super) struct Held {
    bytes: usize,
    totals: Arc<HeldTotals>,
}

impl Held {
    /// Counts a message; nothing if that is too many, or too many bytes. Where nothing is held, any size is taken.
    pub(super) fn count(totals: &Arc<HeldTotals>, bytes: usize, messages_max: usize, bytes_max: usize) -> Option<Self> {
        let messages_before = totals.messages.fetch_add(1, Ordering::AcqRel);
        let bytes_before = totals.bytes.fetch_add(bytes, Ordering::AcqRel);
        let held = Self { bytes, totals: totals.clone() };
        let fits = bytes_before == 0 || bytes_before + bytes <= bytes_max;
        (messages_before < messages_max && fits).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.totals.messages.fetch_sub(1, Ordering::AcqRel);
        self.totals.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
