//! How the tasks of peers are begun, and the two addresses that their messages arrive at.
//!
//! ```text
//! secure channel ─► delivery          the identity of the channel names the peer ─► its task
//! anybody        ─► delivery_notice   a hint ─► the tasks of the peers that this node connects to
//! ```

use super::connector::DeliveryPath;
use super::error::DeliveryError;
use super::event::{Event, Held, PeerHandle};
use super::handler::Handler;
use super::peer::Peer;
use super::protocol::{ChannelNotice, HEADER_MAX, Message};
use super::shared::Shared;
use super::state::PeerState;
use super::store::{BODY_SIZE_MAX, DeliveryStore, Draft};
#[cfg(test)]
use crate::address::Address;
use crate::delivery::Delivery;
use crate::identity::Identifier;
use crate::local_message::BorrowedMessage;
use crate::rate_limit::{Rate, TokenBucket};
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

/// Messages to one peer that wait to be stored; senders then wait. Those that wait together are stored together.
const SENDS_MAX: usize = 256;
/// Messages of the protocol without a body that wait for one peer's task: a few times what an honest peer sends at once.
const CONTROLS_MAX: usize = 64;

/// Notices that are looked at, of all senders together: chosen; many more than come from honest peers, at no cost worth counting.
const HINT_RATE: Rate = Rate::new(64, Duration::from_millis(50));

impl<S: DeliveryStore, H: Handler<S>> Shared<S, H> {
    /// The task of a peer; begun if there is none.
    pub(super) fn peer(self: &Arc<Self>, identifier: &Identifier) -> Result<PeerHandle, DeliveryError> {
        let mut peers = lock(&self.peers);
        if self.stop.is_cancelled() {
            return Err(DeliveryError::Stopped);
        }
        if let Some(handle) = peers.get(identifier) {
            return Ok(handle.clone());
        }
        if peers.len() >= self.options.peers {
            return Err(DeliveryError::TooManyPeers(peers.len()));
        }
        let (events, happened) = mpsc::unbounded_channel();
        let (sends, requested) = mpsc::channel(SENDS_MAX);
        let (report, state) = watch::channel(PeerState::default());
        let (task, stop) =
            (Peer::start(self.clone(), *identifier, (events.clone(), happened), requested, report), self.stop.clone());
        self.core.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
        let handle = PeerHandle { events, sends, state, held: Arc::default() };
        peers.insert(*identifier, handle.clone());
        Ok(handle)
    }

    /// Tells the task of a peer that a handler has stored a message for it.
    pub(super) fn appended(self: &Arc<Self>, draft: &Draft, sequence: u64) {
        match self.peer(draft.peer()) {
            Ok(handle) => drop(handle.events.send(Event::Appended { sequence, bytes: draft.sealed_len() })),
            Err(error) => tracing::warn!(%error, "a stored message is sent after the next start only"),
        }
    }

    fn hint(&self, notice: &ChannelNotice) {
        for handle in lock(&self.peers).values() {
            let _ = handle.events.send(Event::Hint(notice.clone()));
        }
    }
}

/// The address of the delivery: only what comes through a secure channel is taken.
pub(super) struct DeliveryEndpoint<S, H>(pub(super) Arc<Shared<S, H>>);

impl<S: DeliveryStore, H: Handler<S>> Endpoint for DeliveryEndpoint<S, H> {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let shared = &self.0;
        let source = message.source.ok_or(Undeliverable::Denied)?;
        let peer = source.peer.as_ref().ok_or(Undeliverable::Denied)?.identifier;
        if message.body.len() > BODY_SIZE_MAX + HEADER_MAX {
            return Err(Undeliverable::TooLarge);
        }
        let decoded = Message::decode(message.body.payload()).ok_or(Undeliverable::Malformed)?;
        let handle = shared.peer(&peer).map_err(|_| Undeliverable::Full)?;
        let window = shared.options.window;
        let (messages_max, bytes_max) = (2 * window.messages as usize + CONTROLS_MAX, 2 * window.bytes as usize);
        let held = Held::count(&handle.held, decoded.body_len(), messages_max, bytes_max).ok_or(Undeliverable::Full)?;
        let (channel, ended) = (source.sender.clone(), source.ended.clone());
        let event = Event::Message { channel, ended, message: decoded, held };
        handle.events.send(event).map(|()| Delivery::default()).map_err(|_| Undeliverable::Closed)
    }
}

/// The address of notices: anybody can send one, so each is only a reason to look.
pub(super) struct NoticeEndpoint<S, H> {
    shared: Arc<Shared<S, H>>,
    bucket: Mutex<TokenBucket>,
}

impl<S, H> NoticeEndpoint<S, H> {
    pub(super) fn new(shared: &Arc<Shared<S, H>>) -> Self {
        let bucket = Mutex::new(TokenBucket::full(HINT_RATE, shared.core.uptime()));
        Self { shared: shared.clone(), bucket }
    }
}

impl<S: DeliveryStore, H: Handler<S>> Endpoint for NoticeEndpoint<S, H> {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let notice = ChannelNotice::decode(message.body.payload()).ok_or(Undeliverable::Malformed)?;
        if !lock(&self.bucket).take(HINT_RATE, self.shared.core.uptime()) {
            return Err(Undeliverable::Full);
        }
        self.shared.hint(&notice);
        Ok(Delivery::default())
    }
}

/// What the handle of a delivery needs of it, whatever its store and its handler.
pub(super) trait Peers: Send + Sync {
    fn peer(&self, identifier: &Identifier) -> Result<PeerHandle, DeliveryError>;
    fn connect(&self, peer: &Identifier, path: DeliveryPath) -> Result<(), DeliveryError>;
    /// The channel that is used with a peer.
    #[cfg(test)]
    fn channel(&self, peer: &Identifier) -> Option<Address>;
}

impl<S: DeliveryStore, H: Handler<S>> Peers for DeliveryEndpoint<S, H> {
    fn peer(&self, identifier: &Identifier) -> Result<PeerHandle, DeliveryError> {
        self.0.peer(identifier)
    }

    fn connect(&self, peer: &Identifier, path: DeliveryPath) -> Result<(), DeliveryError> {
        let handle = self.0.peer(peer)?;
        handle.events.send(Event::Connect(path)).map_err(|_| DeliveryError::Stopped)
    }

    #[cfg(test)]
    fn channel(&self, peer: &Identifier) -> Option<Address> {
        let (answer, channel) = std::sync::mpsc::channel();
        self.0.peer(peer).ok()?.events.send(Event::AskChannel(answer)).ok()?;
        channel.recv().ok()?
    }
}
