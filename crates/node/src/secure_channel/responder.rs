//! One handshake on the side that answers, from its first message to the open channel.
//!
//! ```text
//! m1 ─► m2            inbox ─► m3? ─► m3? ─► yes: Channel ─► what came behind it, in order ─► Decryptor
//!       the address is known to the initiator and to whoever forwards for it
//! ```
//!
//! What does not verify is dropped, and the handshake goes on until its time is over: who can send to its address cannot end
//! it. Messages come only over the connection that the first one came over. If that was accepted here, its reader waits
//! while a message is verified: what follows is then taken by the channel, up to the size that a channel allows. Others
//! share a connection that this node made to a hub, so its reader goes on, and what follows is kept, within a limit.

use super::channel::{Carrier, Channel, HandshakeOutcome, Role};
use super::decryptor::Decryptor;
use super::encryptor::Encryptor;
use super::error::ChannelError;
use super::handshake::{MAX_MESSAGE_LEN, ResponderSentM2};
use super::handshake_queue::{self, Cause, Stage};
use super::listener::Listener;
use crate::address::Address;
use crate::delivery::Delivery;
use crate::identity::{IdentityProof, Timestamp};
use crate::local_message::{BorrowedMessage, DetachedMessage};
use crate::origin::OriginId;
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::{BackpressureGate, lock};
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Instant};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// Bytes that may come for one handshake before it is verified: the largest message that a hub passes on, and as much again
/// in early data of sixteen streams.
pub(super) const EARLY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The same for all handshakes of a listener together, besides the message that each is entitled to.
pub(super) const EARLY_BYTES_TOTAL_MAX: usize = 16 * 1024 * 1024;

/// The endpoint of a handshake that waits for its third message.
pub(super) struct ResponderEndpoint(pub(super) Arc<PendingResponder>);

pub(super) struct PendingResponder {
    listener: Arc<Listener>,
    address: Address,
    cause: Cause,
    /// The connection or channel that the first message came over.
    origin: Option<OriginId>,
    /// To the initiator.
    route: Route,
    begun: Instant,
    handshake: Mutex<Option<ResponderSentM2>>,
    inbox: Mutex<Inbox>,
    /// Closed while a message is verified; only the reader of an accepted connection waits for it.
    verified: Arc<BackpressureGate>,
}

struct Inbox {
    phase: Phase,
    /// What came, and when.
    waiting: VecDeque<(Instant, DetachedMessage)>,
    bytes: usize,
    /// A step is on its way, or what waits is being delivered.
    is_scheduled: bool,
}

enum Phase {
    Unverified,
    /// Verified; what came meanwhile is delivered first.
    Opening,
    Open(Arc<Channel>),
    Over,
}

impl PendingResponder {
    pub(super) fn new(
        listener: &Arc<Listener>,
        address: &Address,
        cause: Cause,
        m1: &BorrowedMessage<'_>,
        handshake: ResponderSentM2,
    ) -> Self {
        Self {
            listener: listener.clone(),
            address: address.clone(),
            cause,
            origin: m1.source.map(|source| source.origin),
            route: m1.full_return_route(),
            begun: time::now(),
            handshake: Mutex::new(Some(handshake)),
            inbox: Mutex::new(Inbox {
                phase: Phase::Unverified,
                waiting: VecDeque::new(),
                bytes: 0,
                is_scheduled: false,
            }),
            verified: Arc::default(),
        }
    }

    /// Takes a message in; the channel that takes it instead, if it is open already.
    fn take(self: &Arc<Self>, message: &BorrowedMessage<'_>) -> Result<Option<Arc<Channel>>, Undeliverable> {
        let mut inbox = lock(&self.inbox);
        match &inbox.phase {
            Phase::Open(channel) => return Ok(Some(channel.clone())),
            Phase::Over => return Err(Undeliverable::Closed),
            Phase::Unverified | Phase::Opening => {}
        }
        // Over another connection somebody could have the channel, and what belongs to it, lead to theirs.
        if message.source.map(|source| source.origin) != self.origin {
            return Err(Undeliverable::Denied);
        }
        let bytes = message.body.len();
        let early = &self.listener.early_bytes;
        let is_first = !inbox.is_scheduled;
        if is_first && bytes > MAX_MESSAGE_LEN {
            return Err(Undeliverable::TooLarge);
        }
        let is_full =
            inbox.bytes + bytes > EARLY_BYTES_MAX || early.load(Ordering::Relaxed) + bytes > EARLY_BYTES_TOTAL_MAX;
        if !is_first && is_full {
            return Err(Undeliverable::Full);
        }
        early.fetch_add(bytes, Ordering::Relaxed);
        inbox.bytes += bytes;
        inbox.waiting.push_back((time::now(), message.detach()));
        if is_first {
            inbox.is_scheduled = true;
            self.verified.close();
            drop(inbox);
            self.schedule()?;
        }
        Ok(None)
    }

    fn schedule(self: &Arc<Self>) -> Result<(), Undeliverable> {
        let step = StepGuard(Some(self.clone()));
        handshake_queue::run(&self.listener.core, Stage::Begun, self.cause, move || step.run())
    }

    fn next(&self, inbox: &mut Inbox) -> Option<(Instant, DetachedMessage)> {
        let (came, message) = inbox.waiting.pop_front()?;
        inbox.bytes -= message.len();
        self.listener.early_bytes.fetch_sub(message.len(), Ordering::Relaxed);
        Some((came, message))
    }

    /// Tries one message as the third of the handshake.
    fn step(self: &Arc<Self>) {
        if !self.listener.is_pending(&self.address) {
            return self.end();
        }
        let next = self.next(&mut lock(&self.inbox));
        let Some((came, message)) = next else { return self.pause() };
        let opened = message.hand_over(|message| self.finish(&message, came));
        match opened {
            Ok(channel) if self.listener.keep(&self.address, self.cause, &channel) => {
                lock(&self.inbox).phase = Phase::Opening;
                // Waiting for a slow receiver must not keep other handshakes from their turn.
                self.listener.core.spawn(self.clone().deliver_early(channel));
            }
            Ok(channel) => {
                self.end();
                channel.close();
            }
            Err(ChannelError::Handshake(error)) => {
                tracing::debug!(%error, "a message that is not the third of the handshake was ignored");
                if !lock(&self.inbox).waiting.is_empty() {
                    let _ = self.schedule();
                } else {
                    self.pause();
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a handshake failed");
                self.end();
                self.listener.give_up(&self.address);
            }
        }
    }

    /// Takes nothing any more.
    fn end(&self) {
        lock(&self.inbox).phase = Phase::Over;
        self.verified.open();
    }

    /// Waits for the next message, unless one has come meanwhile.
    fn pause(self: &Arc<Self>) {
        let mut inbox = lock(&self.inbox);
        inbox.is_scheduled = !inbox.waiting.is_empty();
        if inbox.is_scheduled {
            drop(inbox);
            let _ = self.schedule();
        } else {
            self.verified.open();
        }
    }

    /// Delivers what came while the handshake was verified, then lets the channel take the rest itself.
    async fn deliver_early(self: Arc<Self>, channel: Arc<Channel>) {
        loop {
            let message = {
                let mut inbox = lock(&self.inbox);
                match self.next(&mut inbox) {
                    Some((_, message)) => message,
                    None => {
                        inbox.phase = Phase::Open(channel.clone());
                        self.listener.core.router.replace(&self.address, Arc::new(Decryptor(channel)));
                        drop(inbox);
                        self.verified.open();
                        return;
                    }
                }
            };
            let taken = message.hand_over(|message| Decryptor(channel.clone()).deliver(message));
            let delivered = match taken {
                Ok(delivery) => delivery.flush_and_wait().await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = delivered {
                self.listener.core.dropped(reason);
            }
        }
    }

    fn finish(&self, message: &BorrowedMessage<'_>, came: Instant) -> Result<Arc<Channel>, ChannelError> {
        let Listener { core, options, .. } = &*self.listener;
        let mut handshake = lock(&self.handshake);
        let waiting = handshake.take().ok_or(ChannelError::Closed)?;
        let (peer, keys) = waiting.read_m3(message.body.payload()).map_err(|unverified| {
            *handshake = Some(unverified.state);
            unverified.error
        })?;
        drop(handshake);
        let proof = IdentityProof::decode(&peer.payload)?;
        let peer =
            proof.verify(&peer.static_key, &options.trust, &options.authorities, &core.known, Timestamp::now())?;
        let opened = HandshakeOutcome {
            keys,
            peer,
            route: self.route.clone(),
            decryptor: self.address.clone(),
            listener: Some(self.listener.origin),
            carrier: Carrier::of(message.source),
            round_trip: came.saturating_duration_since(self.begun),
        };
        let channel = Channel::open(core, Role::Responder, opened, options.clone())?;
        Encryptor::install(&channel)?;
        if let Some(source) = message.source {
            source.authenticated.store(true, Ordering::Relaxed);
        }
        Ok(channel)
    }
}

impl Drop for PendingResponder {
    fn drop(&mut self) {
        let inbox = lock(&self.inbox);
        self.listener.early_bytes.fetch_sub(inbox.bytes, Ordering::Relaxed);
    }
}

/// A step that waits for its turn. Dropped instead of run, it lets the next message try again.
struct StepGuard(Option<Arc<PendingResponder>>);

impl StepGuard {
    fn run(mut self) {
        if let Some(responder) = self.0.take() {
            responder.step();
        }
    }
}

impl Drop for StepGuard {
    fn drop(&mut self) {
        let Some(responder) = self.0.take() else { return };
        let mut inbox = lock(&responder.inbox);
        while responder.next(&mut inbox).is_some() {}
        inbox.is_scheduled = false;
        responder.verified.open();
    }
}

impl Endpoint for ResponderEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let is_direct = message.source.is_some_and(|source| source.address.is_some());
        match self.0.take(&message)? {
            Some(channel) => Decryptor(channel).deliver(message),
            None if is_direct => Ok(Delivery::blocked_on(&self.0.verified)),
            None => Ok(Delivery::default()),
        }
    }
}
