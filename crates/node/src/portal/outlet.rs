//! The end of a portal beside the service.

use super::admission::{ActivePermit, AdmissionPolicy, Permit};
use super::error::PortalError;
use super::flow_control::{FlowControlPool, INITIAL_WINDOW};
use super::message::{EndReason, PortalMessage};
use super::meter::Meter;
use super::stream::{Stream, StreamShutdown};
use super::target;
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::{Timestamp, TrustPolicy};
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::Source;
use crate::rate_limit::{Rate, TokenBucket};
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::{lock, read, write};
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use tokio_util::sync::CancellationToken;

/// Streams that an outlet opens: chosen. More than a program opens in a row, and in a second for long; a loop of portals through other
/// programs or other people's machines, in which every stream causes the next, ends there, because a refused stream ends the one
/// before it.
pub const STREAM_RATE: Rate = Rate { burst: 32_768, refill: 2_048, interval: Duration::from_secs(1) };

/// Whom an outlet serves.
#[derive(Clone, Default)]
pub struct OutletOptions {
    /// Which peers may open streams. Without a policy everyone may who reaches the outlet, also without a channel;
    /// with one, only peers behind a secure channel that it accepts.
    pub allow: Option<TrustPolicy>,
    /// Decides about every stream that the policy allows.
    pub admission: Option<Arc<dyn AdmissionPolicy>>,
}

/// Connects the streams that inlets open to one TCP service. Dropping the handle leaves it open.
#[derive(Clone)]
pub struct Outlet {
    address: Address,
    listening: Arc<OutletInner>,
}

impl Outlet {
    /// Where inlets send to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Connects streams to the service at this `host:port` from now on. Those that are live stay where they are.
    pub fn retarget(&self, target: impl Into<String>) {
        *write(&self.listening.target) = target.into().into();
    }

    /// Closes it, and resets the streams through it.
    pub fn close(&self) {
        self.listening.core.router.remove(&self.address);
        self.listening.closed.cancel();
    }
}

/// Opens an outlet at an address for the service at `host:port`.
pub(crate) fn open(
    core: &Arc<Core>,
    address: Address,
    target: String,
    options: OutletOptions,
) -> Result<Outlet, PortalError> {
    let listening = Arc::new(OutletInner {
        core: core.clone(),
        pool: core.extension(),
        rate: Mutex::new(TokenBucket::full(STREAM_RATE, core.uptime())),
        target: RwLock::new(target.into()),
        options,
        streams: AtomicUsize::new(0),
        meter: Arc::default(),
        closed: core.stopping.child_token(),
    });
    core.router.add_endpoint(address.clone(), Arc::new(OutletEndpoint(listening.clone())))?;
    Ok(Outlet { address, listening })
}

struct OutletInner {
    pool: Arc<FlowControlPool>,
    core: Arc<Core>,
    target: RwLock<Arc<str>>,
    options: OutletOptions,
    streams: AtomicUsize,
    rate: Mutex<TokenBucket>,
    /// Of the streams that no gate has let in.
    meter: Arc<Meter>,
    closed: CancellationToken,
}

/// The outlet's endpoint: takes Pings and Probes.
struct OutletEndpoint(Arc<OutletInner>);

impl Endpoint for OutletEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let onward = message.full_return_route();
        match PortalMessage::read(message.body.payload()) {
            Some(PortalMessage::Ping(offer)) => {
                let address = offer.as_ref().map(|offer| Address::new(Address::LOCAL, offer.address));
                let window = offer.map(|offer| offer.window);
                self.0.open(address, window, onward, message.source)
            }
            Some(PortalMessage::Probe(number, round_trip)) => {
                if let Some(source) = message.source {
                    source.probed.store(true, Ordering::Relaxed);
                    round_trip.inspect(|micros| source.round_trip.told(Duration::from_micros(*micros)));
                }
                self.0.answer(&PortalMessage::Alive(number), &onward)
            }
            _ => Err(Undeliverable::Malformed),
        }
    }
}

impl OutletInner {
    fn open(
        self: &Arc<Self>,
        address: Option<Address>,
        window: Option<u64>,
        onward: Route,
        source: Option<&Arc<Source>>,
    ) -> Result<Delivery, Undeliverable> {
        let extended = window.is_some();
        let peer = source.and_then(|source| source.peer.as_deref());
        let allowed = match &self.options.allow {
            None => true,
            Some(policy) => peer.is_some_and(|peer| policy.accepts_peer(peer, Timestamp::now())),
        };
        if !allowed {
            return self.refuse(extended, EndReason::NotAllowed, &onward);
        }
        if !lock(&self.rate).take(STREAM_RATE, self.core.uptime()) {
            return self.refuse(extended, EndReason::TooMany, &onward);
        }
        if self.streams.fetch_add(1, Ordering::Relaxed) >= self.core.limits.streams {
            self.streams.fetch_sub(1, Ordering::Relaxed);
            return self.refuse(extended, EndReason::TooMany, &onward);
        }
        let counted = StreamSlot(self.clone());
        let permit = match &self.options.admission {
            None => Permit::new(&self.meter),
            Some(policy) => match policy.admit(peer) {
                Ok(permit) => permit,
                Err(reason) => return self.refuse(extended, reason, &onward),
            },
        };
        let address = address.unwrap_or_else(Address::random);
        let stream = Stream::new(&self.core, &self.pool, address, source.map(Arc::as_ref), extended, permit.meter());
        let (carrier, channel) = match source {
            Some(source) => (source.carrier.clone(), source.ended.clone()),
            None => (self.closed.clone(), self.closed.clone()),
        };
        let ends = StreamShutdown {
            carrier,
            channel,
            closed: (self.closed.clone(), EndReason::NotAllowed),
            stopping: self.core.stopping.clone(),
            revocation: permit.revocation().cloned(),
        };
        let admitted = ActivePermit::under(permit);
        if self.core.router.add_endpoint(stream.address().clone(), stream.clone()).is_err() {
            admitted.finish((0, 0), Err(EndReason::NotAllowed));
            return self.refuse(extended, EndReason::NotAllowed, &onward);
        }
        if let Some(source) = source {
            self.core.router.expose(stream.address(), source.origin);
            source.in_use.store(true, Ordering::Relaxed);
        }
        stream.set_remote(onward, window.unwrap_or(u64::MAX));
        self.core.spawn(async move {
            let result = serve(&counted.0, &stream, &ends).await;
            if let Err(reason) = result {
                tracing::debug!(%reason, "a stream ended early");
            }
            admitted.finish(stream.byte_counts(), result);
            drop(counted);
        });
        Ok(Delivery::default())
    }

    fn refuse(&self, extended: bool, reason: EndReason, onward: &Route) -> Result<Delivery, Undeliverable> {
        self.core.stats.refused.add(1);
        tracing::debug!(%reason, "stream refused");
        self.answer(&PortalMessage::Disconnect(if extended { reason } else { EndReason::Unspecified }), onward)
    }

    fn answer(&self, message: &PortalMessage<'_>, onward: &Route) -> Result<Delivery, Undeliverable> {
        let answered = self.core.router.dispatch(BorrowedMessage {
            onward: onward.as_ref(),
            return_route: Route::new().as_ref(),
            body: PayloadBuf::exactly(&mut message.encode()),
            source: None,
            depth: 1,
            completion: None,
        });
        answered.map(Delivery::ignoring_backpressure)
    }
}

/// A stream that counts against the outlet's limit until it is dropped.
struct StreamSlot(Arc<OutletInner>);

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects a stream to the service and runs it.
async fn serve(outlet: &OutletInner, stream: &Stream, ends: &StreamShutdown) -> Result<(), EndReason> {
    let target = read(&outlet.target).clone();
    let connected = tokio::select! {
        connected = target::connect(&outlet.core, &target) => connected,
        reason = ends.triggered() => Err(reason),
    };
    match connected {
        Err(reason) => {
            outlet.core.router.remove(stream.address());
            let told = if stream.is_extended() { reason } else { EndReason::Unspecified };
            drop(stream.send_control(&PortalMessage::Disconnect(told)));
            Err(reason)
        }
        Ok(socket) => {
            stream.set_opened();
            let window = stream.is_extended().then_some(INITIAL_WINDOW);
            drop(stream.send_control(&PortalMessage::Pong(window)));
            // Behind the Pong: a stream with a socket grants credit, and inlets of earlier commits forget what came before the Pong.
            stream.attach(socket);
            stream.run(ends, None).await.result
        }
    }
}
