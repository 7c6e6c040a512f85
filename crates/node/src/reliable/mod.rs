//! Delivery that survives restarts: every message reaches the handler of the other program at least once and in order, although
//! both programs may restart and channels, connections, hubs and brokers may fail in between.
//!
//! ```text
//! program ─ send ─► store: outstanding ─► Peer task ═ secure channel, any route ═► Peer task ─► handler ─► store: handled
//!                        ▲                                                             │
//!                        └─ deleted ◄──────────────────── Acknowledge ◄────────────────┘
//! ```
//!
//! - The **sender** keeps a message, encrypted, until the receiver has acknowledged it, and sends it again through a new channel
//!   when the old one is lost: keys of a channel live in memory and end with the program, so what was on the way can never be
//!   read.
//! - A [`MessageId`] names a message for good: an [`Epoch`] of the sender's store, and a counter.
//! - The **receiver** remembers how far it has handled the messages of each sender, and drops what comes again. Only if the
//!   process ended between the effect of a handler and the mark is the handler called again, with the same id and
//!   [`redelivered`](Received::redelivered) set. What a handler writes through [`Received::transaction`] takes effect exactly once.
//!   Marks of other messages are written while the handler goes on, so several may be repeated: at most
//!   [`unmarked`](DeliveryOptions::unmarked).
//! - A store that is an older copy (a restored backup) is noticed at either end. What is outstanding then gets a new epoch, and a
//!   [`DeliveryNotice`] says so.
//!
//! One of two programs [connects](ReliableDelivery::connect), the other [accepts](ReliableDelivery::accept); over a stream,
//! [`connect_over`](ReliableDelivery::connect_over) and [`accept_over`](ReliableDelivery::accept_over). Both can send. What is
//! said on the way is in `docs/wire.md` §16.
//!
//! # Example
//!
//! Alice sends while Bob is away; Bob's handler answers when he has come:
//!
//! ```
//! use postern_node::reliable::{DeliveryStore, Handler, MemoryDeliveryStore, Received, ReliableDelivery, StorageKey};
//! use postern_node::vault::MemoryStore;
//! use postern_node::{Node, SecureChannelOptions, WorkerError, route};
//! use tokio::sync::mpsc;
//!
//! /// Passes on what comes, and answers unless it is an answer.
//! #[derive(Clone)]
//! struct Program(mpsc::UnboundedSender<String>);
//!
//! impl<S: DeliveryStore> Handler<S> for Program {
//!     async fn handle(&mut self, message: &mut Received<'_, S>) -> Result<(), WorkerError> {
//!         let text = String::from_utf8(message.body().to_vec())?;
//!         if !text.starts_with("Thanks") {
//!             message.reply(format!("Thanks for `{text}`"))?;
//!         }
//!         Ok(self.0.send(text)?)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alices, bobs) = (Node::new(), Node::new());
//! let (alice, bob) = (alices.create_identity().await?, bobs.create_identity().await?);
//! let (heard, mut alice_hears) = mpsc::unbounded_channel();
//! let key = StorageKey::open(&alice, &MemoryStore::new()).await?;
//! let delivery = ReliableDelivery::start(&alices, &alice, MemoryDeliveryStore::new(), key, Program(heard)).await?;
//! let id = delivery.send(&bob.identifier(), "Hello Bob!").await?;
//! assert_eq!(id.counter, 1);
//!
//! // Bob comes.
//! let only_alice = SecureChannelOptions::trust_only([alice.identifier()]);
//! let listener = bobs.create_secure_channel_listener(&bob, "listener", only_alice).await?;
//! let tcp = bobs.tcp_listen("127.0.0.1:0").await?;
//! bobs.expose("listener", &tcp)?;
//! let (heard, mut bob_hears) = mpsc::unbounded_channel();
//! let key = StorageKey::open(&bob, &MemoryStore::new()).await?;
//! let bobs_delivery = ReliableDelivery::start(&bobs, &bob, MemoryDeliveryStore::new(), key, Program(heard)).await?;
//! bobs_delivery.accept(&listener);
//!
//! let hub = alices.keep_connected(tcp.local_addr().to_string(), None);
//! delivery.connect(&bob.identifier(), DeliveryPath::through(&hub, route!["listener"]))?;
//! assert_eq!(bob_hears.recv().await.as_deref(), Some("Hello Bob!"));
//! assert_eq!(alice_hears.recv().await.as_deref(), Some("Thanks for `Hello Bob!`"));
//! # use postern_node::reliable::DeliveryPath;
//! # Ok(())
//! # }
//! ```

mod connector;
mod current_channel;
mod endpoint;
mod error;
mod event;
mod handler;
mod handling;
mod jobs;
mod marks;
mod memory_store;
mod message_id;
mod peer;
mod probe;
mod protocol;
mod receiver;
mod sender;
mod shared;
mod state;
mod storage_key;
mod store;

pub use connector::DeliveryPath;
pub use error::DeliveryError;
pub use handler::{Handler, Received};
pub use memory_store::{MemoryDeliveryStore, MemoryTransaction};
pub use message_id::{Epoch, MessageId, Stamp};
pub use protocol::{DELIVERY, DELIVERY_NOTICE, DeliveryWindow};
pub use state::{DeliveryNotice, DeliveryOptions, NewEpochReason, PeerState};
pub use storage_key::StorageKey;
pub use store::{
    Appended, BODY_SIZE_MAX, DeliveryStore, Draft, EPOCHS_MAX, Incoming, Outgoing, Progress, StoreError, StoredMessage,
    Usage,
};

use crate::address::Address;
use crate::core::Core;
use crate::identity::{Identifier, Identity};
use crate::origin::Origin;
use crate::route::Route;
use crate::router::Registration;
use crate::secure_channel::{ChannelKey, SecureChannelListener};
use crate::stream::Stream;
use bytes::Bytes;
use endpoint::{DeliveryEndpoint, NoticeEndpoint, Peers};
use event::{Event, SendRequest};
use shared::Shared;
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// The reliable deliveries of one identity in one node, to and from any number of peers. Clones are handles to the same; when the
/// last is dropped everything ends as it would with the process: nothing that was stored is lost.
#[derive(Clone)]
pub struct ReliableDelivery(Arc<Running>);

struct Running {
    core: Arc<Core>,
    peers: Arc<dyn Peers>,
    notices: broadcast::Sender<DeliveryNotice>,
    registrations: [(&'static str, Registration); 2],
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        for (address, registration) in self.registrations {
            self.core.router.release(&address.into(), registration);
        }
    }
}

/// Takes up what the store holds.
pub(crate) async fn start<S: DeliveryStore>(
    core: &Arc<Core>,
    identity: &Identity,
    store: (S, StorageKey),
    handler: impl Handler<S>,
    options: DeliveryOptions,
) -> Result<ReliableDelivery, DeliveryError> {
    let channel_key = Arc::new(ChannelKey::create(identity, Vec::new()).await?);
    let waiting = store.0.peers().await?;
    let shared = Arc::new(Shared::new(core, store, channel_key, handler, options));
    let delivery = Arc::new(DeliveryEndpoint(shared.clone()));
    let at_delivery = core.router.add_endpoint(DELIVERY.into(), delivery.clone())?;
    let hints = core.router.add_endpoint(DELIVERY_NOTICE.into(), Arc::new(NoticeEndpoint::new(&shared)));
    let at_notices = hints.inspect_err(|_| {
        core.router.release(&DELIVERY.into(), at_delivery);
    })?;
    let registrations = [(DELIVERY, at_delivery), (DELIVERY_NOTICE, at_notices)];
    let (notices, stop) = (shared.notices.clone(), shared.stop.clone());
    let running = Running { core: core.clone(), peers: delivery, notices, registrations, stop };
    let running = ReliableDelivery(Arc::new(running));
    for peer in waiting {
        shared.peer(&peer)?;
    }
    Ok(running)
}

impl ReliableDelivery {
    /// Keeps a channel to the listener of a peer, and nobody else, along a path, from now on; instead of along the one before.
    ///
    /// Only one of two programs connects, the other accepts.
    ///
    /// # Errors
    /// [`DeliveryError::TooManyPeers`], [`DeliveryError::Stopped`].
    pub fn connect(&self, peer: &Identifier, path: impl Into<DeliveryPath>) -> Result<(), DeliveryError> {
        self.0.peers.connect(peer, path.into())
    }

    /// Delivers to and from everybody who opens a channel through a listener. Let it trust only those whom you mean: each of
    /// them can make this node remember how far its messages were handled.
    pub fn accept(&self, listener: &SecureChannelListener) {
        self.0.core.router.expose(&DELIVERY.into(), listener.origin());
    }

    /// Lets what comes from there tell this node that a channel was lost. Such a notice is a hint that nobody has authenticated: it
    /// makes this node try another handshake, at most once a second.
    pub fn accept_notices(&self, from: &impl Origin) {
        self.0.core.router.expose(&DELIVERY_NOTICE.into(), from.origin());
    }

    /// Says how a peer that connects to this node can be told that its channel was lost, for instance because this program has
    /// just started: `route` ends at its address [`DELIVERY_NOTICE`]. It is told now, and whenever it seems to be necessary.
    ///
    /// # Errors
    /// [`DeliveryError::TooManyPeers`], [`DeliveryError::Stopped`].
    pub fn notify_along(&self, peer: &Identifier, route: impl Into<Route>) -> Result<(), DeliveryError> {
        let handle = self.0.peers.peer(peer)?;
        handle.events.send(Event::NoticeRoute(route.into())).map_err(|_| DeliveryError::Stopped)
    }

    /// [`connect`](Self::connect) over a stream, to the address of the listener at its other end; the peer's notices are accepted
    /// from there.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_over(
        &self,
        peer: &Identifier,
        stream: &Stream,
        listener: impl Into<Address>,
    ) -> Result<(), DeliveryError> {
        self.accept_notices(stream);
        self.connect(peer, DeliveryPath::stored(Route::from(stream).then(listener)))
    }

    /// [`accept`](Self::accept) for a peer that connects over a stream: it is notified through it when a channel is missing, also of
    /// records that find none. The listener's address must be exposed to the stream.
    ///
    /// # Errors
    /// As [`notify_along`](Self::notify_along).
    pub fn accept_over(
        &self,
        peer: &Identifier,
        stream: &Stream,
        listener: &SecureChannelListener,
    ) -> Result<(), DeliveryError> {
        self.accept(listener);
        self.notify_along(peer, Route::from(stream).then(DELIVERY_NOTICE))?;
        let events = self.0.peers.peer(peer)?.events;
        if let Some(mut undeliverable) = stream.take_undeliverable() {
            let stop = self.0.stop.clone();
            self.0.core.spawn(async move {
                while let Some(Some(address)) = stop.run_until_cancelled(undeliverable.recv()).await {
                    let _ = events.send(Event::Undeliverable(address));
                }
            });
        }
        Ok(())
    }

    /// Sends a message to a peer, whether it is connected or not: returns when the message is on the disk, in the order of the
    /// calls. Messages whose calls wait at the same time are stored by one commit.
    ///
    /// Dropping the future leaves open whether the message is sent.
    ///
    /// # Errors
    /// [`DeliveryError::TooLarge`] above [`BODY_SIZE_MAX`]; [`DeliveryError::Store`] when the peer has acknowledged too little
    /// ([`StoreError::Full`]) or the disk is full; [`DeliveryError::TooManyPeers`]. The message is not sent then.
    pub async fn send(&self, peer: &Identifier, body: impl Into<Bytes>) -> Result<MessageId, DeliveryError> {
        let ids = self.send_all(peer, vec![body.into()]).await?;
        ids.first().copied().ok_or(DeliveryError::Stopped)
    }

    /// Sends several messages, all or none of them: much faster than one after the other, since they are stored by one commit.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_all(&self, peer: &Identifier, bodies: Vec<Bytes>) -> Result<Vec<MessageId>, DeliveryError> {
        if let Some(body) = bodies.iter().find(|body| body.len() > BODY_SIZE_MAX) {
            return Err(DeliveryError::TooLarge { size: body.len() });
        }
        if bodies.is_empty() {
            return Ok(Vec::new());
        }
        let handle = self.0.peers.peer(peer)?;
        let (stored, answer) = oneshot::channel();
        let sent = handle.sends.send(SendRequest { bodies, stored }).await;
        sent.map_err(|_| DeliveryError::Stopped)?;
        answer.await.map_err(|_| DeliveryError::Stopped)?
    }

    /// How the delivery to and from a peer is doing.
    ///
    /// # Errors
    /// [`DeliveryError::TooManyPeers`], [`DeliveryError::Stopped`].
    pub fn state(&self, peer: &Identifier) -> Result<PeerState, DeliveryError> {
        Ok(self.0.peers.peer(peer)?.state.borrow().clone())
    }

    /// Follows how the delivery to and from a peer is doing.
    ///
    /// # Errors
    /// [`DeliveryError::TooManyPeers`], [`DeliveryError::Stopped`].
    pub fn watch(&self, peer: &Identifier) -> Result<watch::Receiver<PeerState>, DeliveryError> {
        Ok(self.0.peers.peer(peer)?.state)
    }

    /// What happens from now on that somebody may have to know. A receiver that is too slow misses the oldest and is told so.
    pub fn notices(&self) -> broadcast::Receiver<DeliveryNotice> {
        self.0.notices.subscribe()
    }
}

#[cfg(test)]
mod tests;
