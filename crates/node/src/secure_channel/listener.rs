//! Accepting secure channels (`docs/wire.md` §7.3): the listener, and admission: how many handshakes and channels it holds.

use super::channel::Channel;
use super::channel_key::ChannelKey;
use super::channel_table::{Capacity, ChannelTable, Peer, Slot, SlotId};
use super::error::ChannelError;
use super::handshake::{M1_LEN, Responder};
use super::handshake_queue::{self, Cause, Stage};
use super::options::{HANDSHAKE_TIMEOUT, SecureChannelOptions};
use super::responder::{PendingResponder, ResponderEndpoint};
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::fairness::{EntryId, FairSet};
use crate::identity::{Identifier, Identity};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{Origin, OriginId};
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::task;
use postern_env::time::{self, Duration, Instant};
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, Weak};
use tokio_util::sync::CancellationToken;

/// How often unfinished handshakes and abandoned channels are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// A channel is over when an initiator that used to ask regularly is not heard of for this long.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a channel whose connection is gone waits for its initiator to come back over another.
pub const ROUTE_GRACE: Duration = Duration::from_secs(60);

/// The same for a channel over which nothing was opened: its initiator loses nothing by opening another. Chosen: what strangers
/// leave behind is gone within a minute.
const UNUSED_ROUTE_GRACE: Duration = Duration::from_secs(30);

/// A channel of a stranger over which nothing was opened and nothing comes is closed after this long. Chosen, as above.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
/// Channels that are looked at in one go, so that many do not hold up the other tasks of a thread: less than 0.1 ms, and
/// 1 ms when all of them are closed. Chosen.
const SWEEP_AT_ONCE: usize = 64;
/// One in so many channels is reserved for contacts, where the listener can tell who they are. Chosen.
const RESERVED_PART: usize = 4;

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
        let channels: Vec<Arc<Channel>> = lock(&self.0.held).channels.all().iter().filter_map(Weak::upgrade).collect();
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

pub(super) struct Listener {
    pub(super) core: Arc<Core>,
    address: Address,
    pub(super) origin: OriginId,
    key: ChannelKey,
    pub(super) options: Arc<SecureChannelOptions>,
    held: Mutex<ListenerState>,
    /// Bytes that came for handshakes which are not verified yet.
    pub(super) early_bytes: AtomicUsize,
    closed: CancellationToken,
}

#[derive(Default)]
struct ListenerState {
    handshakes: FairSet<Cause, (Address, Instant)>,
    handshake_ids: HashMap<Address, EntryId<Cause>>,
    channels: ChannelTable<Weak<Channel>>,
}

impl ListenerState {
    /// Forgets a handshake; says whether it was unfinished.
    fn remove_handshake(&mut self, address: &Address) -> bool {
        self.handshake_ids.remove(address).is_some_and(|id| self.handshakes.remove(&id).is_some())
    }
}

impl Slot for Weak<Channel> {
    fn is_in_use(&self) -> bool {
        self.upgrade().is_some_and(|channel| channel.is_in_use())
    }

    fn has_ended(&self) -> bool {
        self.upgrade().is_none_or(|channel| channel.ended().is_cancelled())
    }
}

pub(crate) async fn listen(
    core: &Arc<Core>,
    identity: &Identity,
    address: Address,
    options: SecureChannelOptions,
) -> Result<SecureChannelListener, ChannelError> {
    listen_with(core, identity, address, options, IDLE_TIMEOUT).await
}

/// [`listen`], with another value than [`IDLE_TIMEOUT`] for tests.
async fn listen_with(
    core: &Arc<Core>,
    identity: &Identity,
    address: Address,
    options: SecureChannelOptions,
    idle: Duration,
) -> Result<SecureChannelListener, ChannelError> {
    let listener = Arc::new(Listener {
        core: core.clone(),
        address: address.clone(),
        origin: OriginId::fresh(),
        key: ChannelKey::create(identity, options.credentials.clone()).await?,
        options: Arc::new(options),
        held: Mutex::default(),
        early_bytes: AtomicUsize::new(0),
        closed: core.stopping.child_token(),
    });
    core.router.add_endpoint(address, Arc::new(HandshakeEndpoint(listener.clone())))?;
    core.spawn(listener.clone().sweep(Sweep { idle, cut: HashMap::new() }));
    Ok(SecureChannelListener(listener))
}

/// The listener's endpoint: takes the first message of a handshake.
struct HandshakeEndpoint(Arc<Listener>);

impl Endpoint for HandshakeEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let listener = self.0.clone();
        if message.body.len() != M1_LEN {
            listener.core.stats.failed_handshakes.add(1);
            return Err(Undeliverable::Malformed);
        }
        let (address, cause) = (Address::random(), Cause::of(&message));
        listener.admit(&address, cause)?;
        let (answering, m1) = (listener.clone(), (address.clone(), message.detach()));
        let waits = handshake_queue::run(&listener.core, Stage::New, cause, move || {
            let (address, m1) = m1;
            if m1.hand_over(|m1| answering.answer(&address, cause, &m1)).is_err() {
                answering.give_up(&address);
            }
        });
        if waits.is_err() {
            listener.give_up(&address);
        }
        waits.map(|()| Delivery::default())
    }
}

impl Listener {
    /// Counts a handshake in.
    ///
    /// When too many are unfinished, the oldest of whoever has most makes room: an honest initiator answers within one
    /// round-trip time, and those that never will must not keep others out.
    fn admit(&self, address: &Address, cause: Cause) -> Result<(), Undeliverable> {
        let limits = &self.core.limits;
        if limits.handshakes == 0 || limits.channels == 0 {
            self.core.stats.refused.add(1);
            return Err(Undeliverable::Full);
        }
        let mut held = lock(&self.held);
        let id = held.handshakes.insert(cause, (address.clone(), time::now()));
        held.handshake_ids.insert(address.clone(), id);
        let evicted = match held.handshakes.len() > limits.handshakes {
            true => held.handshakes.evict().map(|(_, (evicted, _))| evicted),
            false => None,
        };
        if let Some(evicted) = &evicted {
            held.handshake_ids.remove(evicted);
        }
        drop(held);
        if let Some(evicted) = evicted {
            self.core.stats.refused.add(1);
            self.core.router.remove(&evicted);
            self.core.stats.failed_handshakes.add(1);
        }
        Ok(())
    }

    fn answer(
        self: &Arc<Self>,
        address: &Address,
        cause: Cause,
        message: &BorrowedMessage<'_>,
    ) -> Result<(), Undeliverable> {
        let refused = |_| Undeliverable::Malformed;
        let responder = Responder::new(&self.key.secret).map_err(refused)?;
        let responder = responder.read_m1(message.body.payload()).map_err(refused)?;
        let (responder, mut m2) = responder.write_m2(&self.key.proof).map_err(refused)?;
        let responding = Arc::new(PendingResponder::new(self, address, cause, message, responder));
        let taken = self.core.router.add_public_endpoint(address.clone(), Arc::new(ResponderEndpoint(responding)));
        taken.map_err(|_| Undeliverable::Full)?;
        // One that has made room meanwhile may not stay behind.
        if !lock(&self.held).handshake_ids.contains_key(address) {
            self.core.router.remove(address);
            return Err(Undeliverable::Full);
        }
        let answered = self.core.router.dispatch(BorrowedMessage {
            onward: message.full_return_route().as_ref(),
            return_route: Route::from(address).as_ref(),
            body: PayloadBuf::exactly(&mut m2),
            source: None,
            depth: message.depth,
            completion: None,
        });
        answered.map(|delivery| drop(delivery.ignoring_backpressure()))
    }

    /// Whether a handshake is not over.
    pub(super) fn is_pending(&self, address: &Address) -> bool {
        lock(&self.held).handshake_ids.contains_key(address)
    }

    /// Ends a handshake, unless it is over already.
    pub(super) fn give_up(&self, address: &Address) {
        if lock(&self.held).remove_handshake(address) {
            self.core.router.remove(address);
            self.core.stats.failed_handshakes.add(1);
        }
    }

    /// Makes a channel of a handshake, unless that was given up meanwhile or the limit of channels is reached; another
    /// channel may be closed for it.
    pub(super) fn keep(&self, address: &Address, cause: Cause, channel: &Arc<Channel>) -> bool {
        let who = channel.peer().identifier;
        let peer = if self.is_contact(&who) { Peer::Contact(who) } else { Peer::Stranger(cause) };
        let admitted = {
            let mut held = lock(&self.held);
            if !held.remove_handshake(address) {
                return false;
            }
            held.channels.admit(peer, Arc::downgrade(channel), self.capacity())
        };
        let Ok(None) = admitted else {
            self.core.stats.refused.add(1);
            admitted.iter().flatten().filter_map(Weak::upgrade).for_each(|evicted| evicted.close());
            return admitted.is_ok();
        };
        true
    }

    fn is_contact(&self, who: &Identifier) -> bool {
        self.options.contacts.as_ref().is_some_and(|is_contact| is_contact(who))
    }

    fn capacity(&self) -> Capacity {
        let all = self.core.limits.channels;
        let reserved = if self.options.contacts.is_some() { all / RESERVED_PART } else { 0 };
        Capacity { all, strangers: all - reserved }
    }

    /// Ends handshakes that take too long, and abandoned channels.
    async fn sweep(self: Arc<Self>, mut sweep: Sweep) {
        let mut every = time::interval(SWEEP);
        loop {
            tokio::select! {
                () = self.core.stopping.cancelled() => return,
                _ = every.tick() => {}
            }
            self.give_up_late();
            sweep.pass(&self, time::now()).await;
            let held = lock(&self.held);
            if self.closed.is_cancelled() && held.channels.len() == 0 && held.handshake_ids.is_empty() {
                return;
            }
        }
    }

    fn give_up_late(&self) {
        let now = time::now();
        let late: Vec<Address> = {
            let held = lock(&self.held);
            let late = held.handshakes.values().filter(|(_, begun)| now - *begun > HANDSHAKE_TIMEOUT);
            late.map(|(address, _)| address.clone()).collect()
        };
        late.iter().for_each(|address| self.give_up(address));
    }
}

/// Looks for channels that are over: forgets those that have ended, and ends those that were abandoned.
struct Sweep {
    /// A stranger's channel that is not used ends after this long.
    idle: Duration,
    /// The channels whose connection is gone, by their encryptor, and since when.
    cut: HashMap<Address, Instant>,
}

impl Sweep {
    /// Looks at every channel once. Other tasks have their turn between parts, however many channels there are.
    async fn pass(&mut self, listener: &Listener, now: Instant) {
        let (mut still_cut, mut last) = (HashMap::new(), None);
        loop {
            let part = lock(&listener.held).channels.after(last.as_ref(), SWEEP_AT_ONCE);
            let Some((end, _)) = part.last() else { break };
            last = Some(*end);
            for (id, slot) in &part {
                match slot.upgrade().filter(|channel| !channel.ended().is_cancelled()) {
                    None => drop(lock(&listener.held).channels.remove(id)),
                    Some(channel) => still_cut.extend(self.judge(listener, id, &channel, now)),
                }
            }
            task::yield_now().await;
        }
        self.cut = still_cut;
    }

    /// Closes a channel if it is abandoned. Since when its connection is gone, if it is.
    fn judge(
        &self,
        listener: &Listener,
        id: &SlotId,
        channel: &Arc<Channel>,
        now: Instant,
    ) -> Option<(Address, Instant)> {
        let is_unused = matches!(id, SlotId::Unused(_)) && channel.is_idle_for(self.idle);
        if is_unused && listener.options.contacts.is_some() {
            let removed = lock(&listener.held).channels.remove(id);
            let who = channel.peer().identifier;
            match listener.is_contact(&who) {
                true => removed.into_iter().for_each(|slot| lock(&listener.held).channels.promote(who, slot)),
                false => channel.close(),
            }
        }
        if channel.is_silent_for(SILENCE_TIMEOUT) {
            channel.close();
        }
        if !channel.is_cut() {
            return None;
        }
        let since = self.cut.get(channel.encryptor()).copied().unwrap_or(now);
        let grace = if channel.is_in_use() { ROUTE_GRACE } else { UNUSED_ROUTE_GRACE };
        if now - since > grace {
            channel.close();
        }
        Some((channel.encryptor().clone(), since))
    }
}

#[cfg(test)]
mod tests;
