//! The end of a portal beside the service.

use super::message::{EndReason, PortalMessage};
use super::stream::{CONNECT_TIMEOUT, Ends, Stream, WINDOW};
use crate::address::Address;
use crate::delivery::{Delivery, Undeliverable};
use crate::error::Result;
use crate::identity::{Timestamp, TrustPolicy};
use crate::node::{Core, Node};
use crate::route::Route;
use crate::router::{Body, Endpoint, Parcel, Source};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// Whom an outlet serves.
#[derive(Clone, Default)]
pub struct OutletOptions {
    /// Which peers may open streams. Without a policy everyone may who reaches the outlet, also without a channel;
    /// with one, only peers behind a secure channel that it accepts.
    pub allow: Option<TrustPolicy>,
}

/// Connects the streams that inlets open to one TCP service. Dropping the handle leaves it open.
#[derive(Clone)]
pub struct Outlet {
    core: Arc<Core>,
    address: Address,
    closed: CancellationToken,
}

impl Outlet {
    /// Where inlets send to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Closes it, and resets the streams through it.
    pub fn close(&self) {
        self.core.router.remove(&self.address);
        self.closed.cancel();
    }
}

impl Node {
    /// Opens an outlet at an address for the service at `host:port`, whose name is resolved at every connection.
    ///
    /// It must be [exposed](Self::expose) to what inlets reach it through.
    ///
    /// # Errors
    /// The address is taken.
    pub fn create_outlet(
        &self,
        address: impl Into<Address>,
        target: impl Into<String>,
        options: OutletOptions,
    ) -> Result<Outlet> {
        let (core, address) = (self.core().clone(), address.into());
        let closed = core.stopping.child_token();
        let listening = Listening {
            core: core.clone(),
            target: target.into(),
            options,
            streams: AtomicUsize::new(0),
            closed: closed.clone(),
        };
        core.router.add_endpoint(address.clone(), Arc::new(Accepting(Arc::new(listening))))?;
        Ok(Outlet { core, address, closed })
    }
}

struct Listening {
    core: Arc<Core>,
    target: String,
    options: OutletOptions,
    streams: AtomicUsize,
    closed: CancellationToken,
}

/// The outlet's endpoint: takes Pings and Probes.
struct Accepting(Arc<Listening>);

impl Endpoint for Accepting {
    fn deliver(&self, parcel: Parcel<'_>) -> Result<Delivery, Undeliverable> {
        let onward = parcel.full_return_route();
        match PortalMessage::read(parcel.body.payload()) {
            Some(PortalMessage::Ping(offer)) => {
                let address = offer.as_ref().map(|offer| Address::new(Address::LOCAL, offer.address));
                let window = offer.map(|offer| offer.window);
                self.0.open(address, window, onward, parcel.source)
            }
            Some(PortalMessage::Probe(number)) => {
                if let Some(source) = parcel.source {
                    source.kept_alive.store(true, Ordering::Relaxed);
                }
                self.0.answer(&PortalMessage::Alive(number), &onward)
            }
            _ => Err(Undeliverable::Malformed),
        }
    }
}

impl Listening {
    fn open(
        self: &Arc<Self>,
        address: Option<Address>,
        window: Option<u64>,
        onward: Route,
        source: Option<&Arc<Source>>,
    ) -> Result<Delivery, Undeliverable> {
        let ours = window.is_some();
        let peer = source.and_then(|source| source.peer.as_ref());
        let allowed = match &self.options.allow {
            None => true,
            Some(policy) => peer.is_some_and(|peer| policy.accepts_peer(peer, Timestamp::now())),
        };
        let peer = peer.map(|peer| peer.identifier);
        if !allowed {
            return self.refuse(ours, EndReason::NotAllowed, &onward);
        }
        if self.streams.fetch_add(1, Ordering::Relaxed) >= self.core.limits.streams {
            self.streams.fetch_sub(1, Ordering::Relaxed);
            return self.refuse(ours, EndReason::TooMany, &onward);
        }
        let counted = Counted(self.clone());
        let stream = Stream::new(&self.core, address.unwrap_or_else(Address::random), peer, ours);
        if self.core.router.add_endpoint(stream.address().clone(), stream.clone()).is_err() {
            return self.refuse(ours, EndReason::NotAllowed, &onward);
        }
        if let Some(source) = source {
            self.core.router.open(stream.address(), source.flow);
        }
        stream.aim(onward, window.unwrap_or(u64::MAX));
        let (carrier, channel) = match source {
            Some(source) => (source.carrier.clone(), source.ended.clone()),
            None => (self.closed.clone(), self.closed.clone()),
        };
        let ends = Ends { carrier, channel, closed: (self.closed.clone(), EndReason::NotAllowed) };
        self.core.tasks.spawn(serve(counted, stream, ends));
        Ok(Delivery::default())
    }

    fn refuse(&self, ours: bool, reason: EndReason, onward: &Route) -> Result<Delivery, Undeliverable> {
        self.core.stats.refused.add(1);
        tracing::debug!(%reason, "stream refused");
        self.answer(&PortalMessage::Disconnect(if ours { reason } else { EndReason::Unspecified }), onward)
    }

    fn answer(&self, message: &PortalMessage<'_>, onward: &Route) -> Result<Delivery, Undeliverable> {
        let answered = self.core.router.dispatch(Parcel {
            onward: onward.as_ref(),
            return_route: Route::new().as_ref(),
            body: Body::exactly(&mut message.encode()),
            source: None,
            depth: 1,
        });
        answered.map(Delivery::without_waiting)
    }

    async fn connect(&self) -> Result<TcpStream, EndReason> {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.target)).await {
            Ok(Ok(socket)) => Ok(socket),
            Err(_) => Err(EndReason::TimedOut),
            Ok(Err(error)) => Err(match error.kind() {
                io::ErrorKind::ConnectionRefused => EndReason::Refused,
                io::ErrorKind::TimedOut => EndReason::TimedOut,
                _ => EndReason::Unreachable,
            }),
        }
    }
}

/// A stream that counts against the outlet's limit until it is dropped.
struct Counted(Arc<Listening>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(counted: Counted, stream: Arc<Stream>, ends: Ends) {
    let outlet = &counted.0;
    let connected = tokio::select! {
        connected = outlet.connect() => connected,
        reason = ends.reached() => Err(reason),
    };
    match connected {
        Err(reason) => {
            outlet.core.router.remove(stream.address());
            let reason = if stream.is_ours() { reason } else { EndReason::Unspecified };
            drop(stream.say(&PortalMessage::Disconnect(reason)));
            tracing::debug!(%reason, "no stream to the service");
        }
        Ok(socket) => {
            stream.attach(socket);
            stream.set_opened();
            let window = stream.is_ours().then_some(WINDOW);
            drop(stream.say(&PortalMessage::Pong(window)));
            if let Err(reason) = stream.run(&ends).await {
                tracing::debug!(%reason, "a stream ended early");
            }
        }
    }
}
