//! Opening a channel: the side that begins (`docs/wire.md` §7.3).

use super::channel::{Channel, Decryptor, Opened, Role};
use super::handshake::{Initiator, InitiatorSentM1};
use super::key::ChannelKey;
use super::{ChannelError, SecureChannel, SecureChannelOptions};
use crate::address::Address;
use crate::delivery::{Delivery, Undeliverable};
use crate::identity::{Identity, IdentityProof, Timestamp};
use crate::node::Core;
use crate::route::Route;
use crate::router::{Body, Endpoint, Envelope, Parcel, Source};
use crate::sync::lock;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Waits at the initiator's address for the second message of the handshake.
struct Initiating {
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

pub(super) async fn open(
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
    let initiating = Arc::new(Initiating {
        core: core.clone(),
        address: address.clone(),
        key,
        options,
        state: Mutex::new(State::Waiting(Box::new(initiator), done)),
        begun: Instant::now(),
    });
    core.router.add_public_endpoint(address.clone(), initiating.clone()).map_err(|_| ChannelError::AddressInUse)?;
    let mut unfinished = Unfinished(Some(initiating.clone()));
    let m1 = Envelope { onward: route, return_route: address.into(), payload: m1.into(), source: None };
    core.router.dispatch_local(m1)?.settle().await?;
    let opened = tokio::time::timeout(timeout, opened).await.map_err(|_| ChannelError::Timeout(timeout))?;
    let channel = opened.map_err(|_| ChannelError::Closed)??;
    unfinished.0 = None;
    Ok(SecureChannel::new(channel))
}

/// Undoes a handshake that was given up, also when it has just ended well.
struct Unfinished(Option<Arc<Initiating>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(initiating) = &self.0 else { return };
        let state = std::mem::replace(&mut *lock(&initiating.state), State::Over);
        initiating.core.router.remove(&initiating.address);
        if let State::Open(channel) = state {
            channel.close();
        }
    }
}

impl Endpoint for Initiating {
    fn deliver(&self, parcel: Parcel<'_>) -> Result<Delivery, Undeliverable> {
        let mut state = lock(&self.state);
        let (waiting, done) = match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(waiting, done) => (waiting, done),
            State::Over => return Err(Undeliverable::Closed),
            State::Open(channel) => {
                *state = State::Open(channel.clone());
                drop(state);
                return Decryptor(channel).deliver(parcel);
            }
        };
        match self.finish(waiting, &parcel) {
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

impl Initiating {
    /// Reads the second message, decides whether the peer is the one, and sends the third.
    fn finish(
        &self,
        waiting: Box<InitiatorSentM1>,
        parcel: &Parcel<'_>,
    ) -> Result<(Arc<Channel>, Delivery), ChannelError> {
        let (initiator, peer) = waiting.read_m2(parcel.body.payload())?;
        let proof = IdentityProof::decode(&peer.payload)?;
        let peer = proof.verify(
            &peer.static_key,
            &self.options.trust,
            &self.options.authorities,
            &self.core.known,
            Timestamp::now(),
        )?;
        let (mut m3, keys) = initiator.write_m3(&self.key.proof)?;
        let route = parcel.full_return_route();
        let channel = Channel::open(
            &self.core,
            Role::Initiator,
            Opened {
                keys,
                peer,
                route: route.clone(),
                decryptor: self.address.clone(),
                listener: None,
                carrier: carrier(parcel.source),
                inside: inside(parcel.source),
                beneath: beneath(parcel.source),
                round_trip: self.begun.elapsed(),
            },
            self.options.clone(),
        )?;
        if let Some(source) = parcel.source {
            source.authenticated.store(true, Ordering::Relaxed);
        }
        let sent = self.core.router.dispatch(Parcel {
            onward: route.as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: Body::exactly(&mut m3),
            source: None,
            depth: parcel.depth,
        });
        sent.map(|delivery| (channel.clone(), delivery.without_waiting())).map_err(|error| {
            channel.close();
            error.into()
        })
    }
}

/// The channel that a handshake message came through, if it did.
pub(super) fn inside(source: Option<&Arc<Source>>) -> Option<Address> {
    source.filter(|source| source.peer.is_some()).map(|source| source.sender.clone())
}

/// The connection that a handshake message came over, if it did not come through a channel.
pub(super) fn beneath(source: Option<&Arc<Source>>) -> Option<Address> {
    source.filter(|source| source.peer.is_none()).map(|source| source.sender.clone())
}

/// What ends when the connection ends that a handshake message came over.
pub(super) fn carrier(source: Option<&Arc<Source>>) -> CancellationToken {
    source.map(|source| source.carrier.clone()).unwrap_or_default()
}
