//! Opening a channel: the side that begins (`docs/wire.md` §7.3).
//!
//! A second message that does not verify is ignored until the time is over: it may be anybody's. One that verifies and whose
//! sender is refused ends the handshake, with the reason.

use super::channel::{Carrier, Channel, HandshakeOutcome, Role};
use super::channel_key::ChannelKey;
use super::decryptor::Decryptor;
use super::encryptor::Encryptor;
use super::error::ChannelError;
use super::handle::SecureChannel;
use super::handshake::{Initiator, InitiatorReadM2, InitiatorSentM1, MAX_MESSAGE_LEN, Peer};
use super::handshake_queue::{self, Cause, Stage};
use super::options::SecureChannelOptions;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::{Identity, IdentityProof, Timestamp};
use crate::local_message::{BorrowedMessage, OwnedMessage, PayloadBuf};
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Instant};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::oneshot;

/// Waits at the initiator's address for the second message of the handshake.
struct PendingInitiator {
    core: Arc<Core>,
    address: Address,
    key: Arc<ChannelKey>,
    options: Arc<SecureChannelOptions>,
    begun: Instant,
    /// Nothing once the handshake is over.
    waiting: Mutex<Option<Waiting>>,
    opened: OnceLock<Arc<Channel>>,
}

struct Waiting {
    handshake: InitiatorSentM1,
    done: oneshot::Sender<Result<Arc<Channel>, ChannelError>>,
}

/// The endpoint of a handshake that waits for its second message.
struct InitiatorEndpoint(Arc<PendingInitiator>);

pub(crate) async fn open(
    core: &Arc<Core>,
    identity: &Identity,
    route: Route,
    options: SecureChannelOptions,
) -> Result<SecureChannel, ChannelError> {
    let key = Arc::new(ChannelKey::create(identity, options.credentials.clone()).await?);
    open_with(core, key, route, Arc::new(options)).await
}

pub(crate) async fn open_with(
    core: &Arc<Core>,
    key: Arc<ChannelKey>,
    route: Route,
    options: Arc<SecureChannelOptions>,
) -> Result<SecureChannel, ChannelError> {
    let timeout = options.timeout;
    let (initiator, m1) = Initiator::new(&key.secret)?.write_m1()?;
    let (done, opened) = oneshot::channel();
    let address = Address::random();
    let initiating = Arc::new(PendingInitiator {
        core: core.clone(),
        address: address.clone(),
        key,
        options,
        begun: time::now(),
        waiting: Mutex::new(Some(Waiting { handshake: initiator, done })),
        opened: OnceLock::new(),
    });
    let endpoint = Arc::new(InitiatorEndpoint(initiating.clone()));
    core.router.add_public_endpoint(address.clone(), endpoint).map_err(|_| ChannelError::AddressInUse)?;
    let mut unfinished = AbortOnDrop(Some(initiating.clone()));
    let return_route = address.into();
    let m1 = OwnedMessage { onward: route, return_route, payload: m1.into(), source: None, completion: None };
    core.router.dispatch_local(m1)?.flush_and_wait().await?;
    let opened = time::timeout(timeout, opened).await.map_err(|_| ChannelError::Timeout(timeout))?;
    let channel = opened.map_err(|_| ChannelError::Closed)??;
    unfinished.0 = None;
    Ok(SecureChannel::new(channel))
}

/// Undoes a handshake that was given up, also when it has just ended well.
struct AbortOnDrop(Option<Arc<PendingInitiator>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        let Some(initiating) = &self.0 else { return };
        lock(&initiating.waiting).take();
        initiating.core.router.remove(&initiating.address);
        if let Some(channel) = initiating.opened.get() {
            channel.close();
        }
    }
}

impl Endpoint for InitiatorEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let initiating = &self.0;
        if let Some(channel) = initiating.opened.get() {
            return Decryptor(channel.clone()).deliver(message);
        }
        if message.body.len() > MAX_MESSAGE_LEN {
            return Err(Undeliverable::TooLarge);
        }
        let (cause, m2, came, initiating) = (Cause::of(&message), message.detach(), time::now(), initiating.clone());
        let core = initiating.core.clone();
        handshake_queue::run(&core, Stage::Begun, cause, move || m2.hand_over(|m2| initiating.step(&m2, came)))?;
        Ok(Delivery::default())
    }
}

impl PendingInitiator {
    /// Tries a message as the second of the handshake.
    fn step(&self, message: &BorrowedMessage<'_>, came: Instant) {
        let mut slot = lock(&self.waiting);
        let Some(Waiting { handshake, done }) = slot.take() else { return };
        let verified = match handshake.read_m2(message.body.payload()) {
            Ok(verified) => verified,
            Err(unverified) => {
                tracing::debug!(error = %unverified.error, "a message that is not the second of the handshake was ignored");
                *slot = Some(Waiting { handshake: unverified.state, done });
                return;
            }
        };
        let finished = self.finish(verified, message, came);
        if finished.is_err() {
            self.core.stats.failed_handshakes.add(1);
        }
        let _ = done.send(finished);
    }

    /// Decides whether the peer is the one, and sends the third message.
    fn finish(
        &self,
        (initiator, peer): (InitiatorReadM2, Peer),
        message: &BorrowedMessage<'_>,
        came: Instant,
    ) -> Result<Arc<Channel>, ChannelError> {
        let proof = IdentityProof::decode(&peer.payload)?;
        let peer = proof.verify(
            &peer.static_key,
            &self.options.trust,
            &self.options.authorities,
            &self.core.known,
            Timestamp::now(),
        )?;
        let (mut m3, keys) = initiator.write_m3(&self.key.proof)?;
        let route = message.full_return_route();
        let channel = Channel::open(
            &self.core,
            Role::Initiator,
            HandshakeOutcome {
                keys,
                peer,
                route: route.clone(),
                decryptor: self.address.clone(),
                listener: None,
                carrier: Carrier::of(message.source),
                round_trip: came.saturating_duration_since(self.begun),
            },
            self.options.clone(),
        )?;
        Encryptor::install(&channel)?;
        if let Some(source) = message.source {
            source.authenticated.store(true, Ordering::Relaxed);
        }
        // Records may follow the third message at once.
        let _ = self.opened.set(channel.clone());
        self.core.router.replace(&self.address, Arc::new(Decryptor(channel.clone())));
        let sent = self.core.router.dispatch(BorrowedMessage {
            onward: route.as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut m3),
            source: None,
            depth: message.depth,
            completion: None,
        });
        match sent {
            Ok(delivery) => {
                drop(delivery.ignoring_backpressure());
                Ok(channel)
            }
            Err(error) => {
                channel.close();
                Err(error.into())
            }
        }
    }
}
