//! Opening a channel: the side that begins (`docs/wire.md` §7.3).

use super::channel::{Carrier, Channel, HandshakeOutcome, Role};
use super::channel_key::ChannelKey;
use super::decryptor::Decryptor;
use super::encryptor::Encryptor;
use super::error::ChannelError;
use super::handle::SecureChannel;
use super::handshake::{Initiator, InitiatorSentM1};
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
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Waits at the initiator's address for the second message of the handshake.
struct PendingInitiator {
    core: Arc<Core>,
    address: Address,
    key: Arc<ChannelKey>,
    options: Arc<SecureChannelOptions>,
    state: Mutex<State>,
    begun: Instant,
}

enum State {
    Waiting(Box<InitiatorSentM1>, oneshot::Sender<Result<Arc<Channel>, ChannelError>>),
    Open(Arc<Channel>),
    Over,
}

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
        state: Mutex::new(State::Waiting(Box::new(initiator), done)),
        begun: time::now(),
    });
    core.router.add_public_endpoint(address.clone(), initiating.clone()).map_err(|_| ChannelError::AddressInUse)?;
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
        let state = std::mem::replace(&mut *lock(&initiating.state), State::Over);
        initiating.core.router.remove(&initiating.address);
        if let State::Open(channel) = state {
            channel.close();
        }
    }
}

impl Endpoint for PendingInitiator {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let mut state = lock(&self.state);
        let (waiting, done) = match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(waiting, done) => (waiting, done),
            State::Over => return Err(Undeliverable::Closed),
            State::Open(channel) => {
                *state = State::Open(channel.clone());
                drop(state);
                return Decryptor(channel).deliver(message);
            }
        };
        match self.finish(waiting, &message) {
            Ok((channel, delivery)) => {
                *state = State::Open(channel.clone());
                self.core.router.replace(&self.address, Arc::new(Decryptor(channel.clone())));
                let _ = done.send(Ok(channel));
                Ok(delivery)
            }
            Err(error) => {
                self.core.stats.failed_handshakes.add(1);
                let _ = done.send(Err(error));
                Err(Undeliverable::Malformed)
            }
        }
    }
}

impl PendingInitiator {
    /// Reads the second message, decides whether the peer is the one, and sends the third.
    fn finish(
        &self,
        waiting: Box<InitiatorSentM1>,
        message: &BorrowedMessage<'_>,
    ) -> Result<(Arc<Channel>, Delivery), ChannelError> {
        let (initiator, peer) = waiting.read_m2(message.body.payload())?;
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
                round_trip: time::since(self.begun),
            },
            self.options.clone(),
        )?;
        Encryptor::install(&channel)?;
        if let Some(source) = message.source {
            source.authenticated.store(true, Ordering::Relaxed);
        }
        let sent = self.core.router.dispatch(BorrowedMessage {
            onward: route.as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut m3),
            source: None,
            depth: message.depth,
            completion: None,
        });
        sent.map(|delivery| (channel.clone(), delivery.ignoring_backpressure())).map_err(|error| {
            channel.close();
            error.into()
        })
    }
}
