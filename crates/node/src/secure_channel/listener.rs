//! HandshakeEndpoint channels: the side that answers (`docs/wire.md` §7.3).

use super::channel::{Carrier, Channel, HandshakeOutcome, Role};
use super::channel_key::ChannelKey;
use super::decryptor::Decryptor;
use super::encryptor::Encryptor;
use super::error::ChannelError;
use super::handshake::{Responder, ResponderSentM2};
use super::options::{HANDSHAKE_TIMEOUT, SecureChannelOptions};
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::{Identifier, Identity, IdentityProof, Timestamp};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{Origin, OriginId};
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration, Instant};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use tokio_util::sync::CancellationToken;

/// How often unfinished handshakes and abandoned channels are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// A channel is over when an initiator that used to ask regularly is not heard of for this long.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a channel whose connection is gone waits for its initiator to come back over another.
pub const ROUTE_GRACE: Duration = Duration::from_secs(60);

/// Accepts secure channels at an address until it is closed or its node is shut down.
///
/// Expose an address to it, and everyone who opens a channel through it reaches that address.
#[derive(Clone)]
pub struct SecureChannelListener(Arc<Listener>);

impl SecureChannelListener {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// Stops accepting. Open channels stay.
    pub fn close(&self) {
        self.0.closed.cancel();
        self.0.core.router.remove(&self.0.address);
    }

    /// Closes the channels that an identity has opened. It may open others.
    pub fn close_channels_with(&self, peer: &Identifier) {
        let channels: Vec<Arc<Channel>> = lock(&self.0.held).channels.iter().filter_map(Weak::upgrade).collect();
        channels.iter().filter(|channel| channel.peer().identifier == *peer).for_each(|channel| channel.close());
    }
}

impl From<&SecureChannelListener> for Address {
    fn from(listener: &SecureChannelListener) -> Self {
        listener.address().clone()
    }
}

impl Origin for SecureChannelListener {
    fn origin(&self) -> OriginId {
        self.0.origin
    }
}

struct Listener {
    core: Arc<Core>,
    address: Address,
    origin: OriginId,
    key: ChannelKey,
    options: Arc<SecureChannelOptions>,
    held: Mutex<ListenerState>,
    closed: CancellationToken,
}

#[derive(Default)]
struct ListenerState {
    handshakes: HashMap<Address, Instant>,
    channels: Vec<Weak<Channel>>,
}

pub(crate) async fn listen(
    core: &Arc<Core>,
    identity: &Identity,
    address: Address,
    options: SecureChannelOptions,
) -> Result<SecureChannelListener, ChannelError> {
    let listener = Arc::new(Listener {
        core: core.clone(),
        address: address.clone(),
        origin: OriginId::fresh(),
        key: ChannelKey::create(identity, options.credentials.clone()).await?,
        options: Arc::new(options),
        held: Mutex::default(),
        closed: core.stopping.child_token(),
    });
    core.router.add_endpoint(address, Arc::new(HandshakeEndpoint(listener.clone())))?;
    core.spawn(listener.clone().sweep());
    Ok(SecureChannelListener(listener))
}

/// The listener's endpoint: takes the first message of a handshake.
struct HandshakeEndpoint(Arc<Listener>);

impl Endpoint for HandshakeEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let listener = &self.0;
        let address = Address::random();
        listener.admit(&address)?;
        let answered = listener.answer(&address, &message);
        if answered.is_err() {
            listener.give_up(&address);
        }
        answered
    }
}

impl Listener {
    /// Counts a handshake in, if the limits allow one more.
    ///
    /// When too many are unfinished, the oldest makes room: an honest initiator answers within one round-trip time, and those that
    /// never will must not keep others out.
    fn admit(&self, address: &Address) -> Result<(), Undeliverable> {
        let limits = &self.core.limits;
        let mut held = lock(&self.held);
        if limits.handshakes == 0 || held.channels.len() >= limits.channels {
            self.core.stats.refused.add(1);
            return Err(Undeliverable::Full);
        }
        let oldest = match held.handshakes.len() >= limits.handshakes {
            true => held.handshakes.iter().min_by_key(|(_, begun)| **begun).map(|(address, _)| address.clone()),
            false => None,
        };
        held.handshakes.insert(address.clone(), time::now());
        drop(held);
        if let Some(oldest) = oldest {
            self.core.stats.refused.add(1);
            self.give_up(&oldest);
        }
        Ok(())
    }

    fn answer(self: &Arc<Self>, address: &Address, message: &BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let refused = |_| Undeliverable::Malformed;
        let responder = Responder::new(&self.key.secret).map_err(refused)?;
        let responder = responder.read_m1(message.body.payload()).map_err(refused)?;
        let (responder, mut m2) = responder.write_m2(&self.key.proof).map_err(refused)?;
        let route = message.full_return_route();
        let responding = PendingResponder {
            listener: self.clone(),
            address: address.clone(),
            state: Mutex::new(State::Waiting(Box::new(responder), route.clone())),
            begun: time::now(),
        };
        let taken = self.core.router.add_public_endpoint(address.clone(), Arc::new(responding));
        taken.map_err(|_| Undeliverable::Full)?;
        // One that has made room meanwhile may not stay behind.
        if !lock(&self.held).handshakes.contains_key(address) {
            self.core.router.remove(address);
            return Err(Undeliverable::Full);
        }
        let answered = self.core.router.dispatch(BorrowedMessage {
            onward: route.as_ref(),
            return_route: Route::from(address).as_ref(),
            body: PayloadBuf::exactly(&mut m2),
            source: None,
            depth: message.depth,
            completion: None,
        });
        answered.map(Delivery::ignoring_backpressure)
    }

    /// Ends a handshake, unless it is over already.
    fn give_up(&self, address: &Address) {
        if lock(&self.held).handshakes.remove(address).is_some() {
            self.core.router.remove(address);
            self.core.stats.failed_handshakes.add(1);
        }
    }

    /// Makes a channel of a handshake, unless that was given up meanwhile.
    fn keep(&self, address: &Address, channel: &Arc<Channel>) -> bool {
        let mut held = lock(&self.held);
        let kept = held.handshakes.remove(address).is_some();
        if kept {
            held.channels.push(Arc::downgrade(channel));
        }
        kept
    }

    /// Ends handshakes that take too long, and abandoned channels.
    async fn sweep(self: Arc<Self>) {
        let mut cut: HashMap<Address, Instant> = HashMap::new();
        let mut every = time::interval(SWEEP);
        loop {
            tokio::select! {
                () = self.core.stopping.cancelled() => return,
                _ = every.tick() => {}
            }
            let now = time::now();
            let late: Vec<Address> = {
                let held = lock(&self.held);
                let late = held.handshakes.iter().filter(|(_, begun)| now - **begun > HANDSHAKE_TIMEOUT);
                late.map(|(address, _)| address.clone()).collect()
            };
            late.iter().for_each(|address| self.give_up(address));
            let channels: Vec<Arc<Channel>> = {
                let mut held = lock(&self.held);
                held.channels.retain(|channel| channel.upgrade().is_some_and(|it| !it.ended().is_cancelled()));
                if self.closed.is_cancelled() && held.channels.is_empty() && held.handshakes.is_empty() {
                    return;
                }
                held.channels.iter().filter_map(Weak::upgrade).collect()
            };
            cut.retain(|address, _| channels.iter().any(|it| it.is_cut() && it.encryptor() == address));
            channels
                .iter()
                .filter(|channel| channel.is_silent_for(SILENCE_TIMEOUT))
                .for_each(|channel| channel.close());
            for channel in channels.iter().filter(|channel| channel.is_cut()) {
                let since = *cut.entry(channel.encryptor().clone()).or_insert(now);
                if now - since > ROUTE_GRACE {
                    channel.close();
                }
            }
        }
    }
}

/// Waits at the responder's address for the third message of the handshake.
struct PendingResponder {
    listener: Arc<Listener>,
    address: Address,
    state: Mutex<State>,
    begun: Instant,
}

enum State {
    Waiting(Box<ResponderSentM2>, Route),
    Open(Arc<Channel>),
    Over,
}

impl Endpoint for PendingResponder {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let mut state = lock(&self.state);
        let (waiting, route) = match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(waiting, route) => (waiting, route),
            State::Over => return Err(Undeliverable::Closed),
            State::Open(channel) => {
                *state = State::Open(channel.clone());
                drop(state);
                return Decryptor(channel).deliver(message);
            }
        };
        match self.finish(waiting, route, &message) {
            Ok(channel) if self.listener.keep(&self.address, &channel) => {
                *state = State::Open(channel.clone());
                self.listener.core.router.replace(&self.address, Arc::new(Decryptor(channel)));
                Ok(Delivery::default())
            }
            Ok(channel) => {
                channel.close();
                Err(Undeliverable::Closed)
            }
            Err(error) => {
                tracing::debug!(%error, "a handshake failed");
                self.listener.give_up(&self.address);
                Err(Undeliverable::Malformed)
            }
        }
    }
}

impl PendingResponder {
    fn finish(
        &self,
        waiting: Box<ResponderSentM2>,
        route: Route,
        message: &BorrowedMessage<'_>,
    ) -> Result<Arc<Channel>, ChannelError> {
        let Listener { core, options, .. } = &*self.listener;
        let (peer, keys) = waiting.read_m3(message.body.payload())?;
        let proof = IdentityProof::decode(&peer.payload)?;
        let peer =
            proof.verify(&peer.static_key, &options.trust, &options.authorities, &core.known, Timestamp::now())?;
        let opened = HandshakeOutcome {
            keys,
            peer,
            route,
            decryptor: self.address.clone(),
            listener: Some(self.listener.origin),
            carrier: Carrier::of(message.source),
            round_trip: time::since(self.begun),
        };
        let channel = Channel::open(core, Role::Responder, opened, options.clone())?;
        Encryptor::install(&channel)?;
        if let Some(source) = message.source {
            source.authenticated.store(true, Ordering::Relaxed);
        }
        Ok(channel)
    }
}
