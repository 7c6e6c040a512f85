//! The end of a portal on the friend's localhost.

use super::PortalError;
use super::message::{EndReason, Offer, PortalMessage};
use super::stream::{CONNECT_TIMEOUT, EARLY, Stream, WINDOW, reset};
use crate::address::Address;
use crate::error::Result;
use crate::identity::Identifier;
use crate::node::{Core, Node};
use crate::route::Route;
use crate::router::{Body, Delivery, Endpoint, Flow, FlowId, Parcel, Undeliverable};
use crate::session::{ChannelSession, State};
use crate::sync::lock;
use rand::Rng;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How often an inlet asks whether the other end is there.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Unanswered questions after which its channel is taken for dead.
const PROBES_LOST: u64 = 3;
/// A stream that is not answered for this long makes its channel suspect.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);
/// Pause after the system refused to accept, for instance because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How an inlet reaches its outlet.
pub enum InletRoute {
    /// A route that does not change: through a channel or a connection of this node, to the outlet.
    Fixed(Route),
    /// An outlet behind a secure channel that is kept.
    Kept(ChannelSession, Address),
}

impl From<Route> for InletRoute {
    fn from(route: Route) -> Self {
        Self::Fixed(route)
    }
}

/// What the last answered probe said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// Time to the outlet's node and back.
    pub round_trip: Option<Duration>,
}

/// Listens on a local port and carries every connection to an outlet. Dropping the handle leaves it open.
#[derive(Clone)]
pub struct Inlet(Arc<Listening>);

impl Inlet {
    /// Where it listens; the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local
    }

    /// What the last answered probe said. Only kept routes to outlets of ours are probed.
    pub fn probe(&self) -> ProbeReport {
        ProbeReport { round_trip: lock(&self.0.probe).round_trip }
    }

    /// Closes it, and resets the streams through it.
    pub fn close(&self) {
        self.0.closed.cancel();
    }
}

impl Node {
    /// Opens an inlet at a local `host:port`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`PortalError::Listen`].
    pub async fn create_inlet(&self, address: impl AsRef<str>, route: impl Into<InletRoute>) -> Result<Inlet> {
        let address = address.as_ref();
        let failed = |source| PortalError::Listen { address: address.to_owned(), source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let core = self.core().clone();
        let listening = Arc::new(Listening {
            local: socket.local_addr().map_err(failed)?,
            closed: core.stopping.child_token(),
            core,
            route: route.into(),
            streams: AtomicUsize::new(0),
            ours: Mutex::new(None),
            probe: Mutex::default(),
        });
        let probing = Arc::new(Probing(listening.clone()));
        let tasks = &listening.core.tasks;
        tasks.spawn(listening.clone().accept(socket));
        if matches!(listening.route, InletRoute::Kept(..)) {
            tasks.spawn(probing.run());
        }
        Ok(Inlet(listening))
    }
}

struct Listening {
    core: Arc<Core>,
    local: SocketAddr,
    route: InletRoute,
    streams: AtomicUsize,
    /// The channel whose outlet is known to speak our extension.
    ours: Mutex<Option<Address>>,
    probe: Mutex<Probe>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Probe {
    number: u64,
    answered: u64,
    asked_at: Option<Instant>,
    round_trip: Option<Duration>,
}

/// The way to the outlet at this moment.
struct Way {
    outlet: Route,
    flow: Option<FlowId>,
    peer: Option<Identifier>,
    carrier: CancellationToken,
    ended: CancellationToken,
    /// The first hop: a channel or a connection.
    through: Address,
}

impl Listening {
    fn way(&self) -> Option<Way> {
        match &self.route {
            InletRoute::Fixed(route) => {
                let router = &self.core.router;
                let through = route.front()?;
                if !router.contains(&through) {
                    return None;
                }
                Some(Way {
                    flow: router.flow_of(through.as_ref()),
                    peer: router.peer_of(through.as_ref()),
                    carrier: router.carrier_of(through.as_ref()).unwrap_or_else(|| self.closed.clone()),
                    ended: self.closed.clone(),
                    outlet: route.clone(),
                    through,
                })
            }
            InletRoute::Kept(session, outlet) => {
                let State::Up(channel) = session.state() else { return None };
                let source = channel.source();
                Some(Way {
                    outlet: Route::from(&channel).then(outlet),
                    flow: Some(channel.flow()),
                    peer: Some(channel.peer().identifier),
                    carrier: source.carrier.clone(),
                    ended: source.ended.clone(),
                    through: channel.address().clone(),
                })
            }
        }
    }

    async fn accept(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.closed.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => self.admit(socket),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Carries a connection, or resets it at once when there is no way or no room.
    fn admit(self: &Arc<Self>, socket: TcpStream) {
        let Some(way) = self.way() else {
            tracing::debug!("connection refused: the other side is not connected");
            return reset(&socket);
        };
        if self.streams.fetch_add(1, Ordering::Relaxed) >= self.core.limits.streams {
            self.streams.fetch_sub(1, Ordering::Relaxed);
            self.core.stats.refused.add(1);
            return reset(&socket);
        }
        self.core.tasks.spawn(serve(Counted(self.clone()), socket, way));
    }
}

/// A stream that counts against the inlet's limit until it is dropped.
struct Counted(Arc<Listening>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(counted: Counted, socket: TcpStream, way: Way) {
    let inlet = &counted.0;
    let result = tokio::select! {
        result = carry(inlet, socket, way) => result,
        () = inlet.closed.cancelled() => Err(EndReason::Stopping),
    };
    if let Err(reason) = result {
        tracing::debug!(%reason, "a stream ended early");
    }
}

/// Opens streams for a connection, over a new channel when the one at hand proves dead, and runs the one that opens.
async fn carry(inlet: &Arc<Listening>, socket: TcpStream, mut way: Way) -> Result<(), EndReason> {
    let socket = Resetting(Some(socket));
    let deadline = tokio::time::Instant::now() + CONNECT_TIMEOUT;
    loop {
        let known = lock(&inlet.ours).as_ref() == Some(&way.through);
        let stream = Registered::new(inlet, &way, known)?;
        if known {
            // What is sent at once cannot be sent again: from here on there is no second try.
            stream.attach(socket.take());
            let suspecting = suspect_without_answer(inlet, &stream);
            return tokio::select! {
                result = stream.run(way.carrier.clone(), way.ended.clone()) => result,
                reason = suspecting => {
                    stream.end(reason);
                    stream.run(way.carrier.clone(), way.ended.clone()).await
                }
            };
        }
        match open(inlet, &stream, &way, deadline).await {
            Opening::Answered => {
                if stream.is_ours() {
                    *lock(&inlet.ours) = Some(way.through.clone());
                }
                stream.attach(socket.take());
                return stream.run(way.carrier.clone(), way.ended.clone()).await;
            }
            Opening::Again(next) => way = next,
            Opening::Failed(reason) => return Err(reason),
        }
    }
}

/// Waits for the answer; then for ever. Gives a reason if there is none in time.
async fn suspect_without_answer(inlet: &Listening, stream: &Stream) -> EndReason {
    tokio::time::sleep(SUSPECT_AFTER).await;
    if !stream.is_opened() {
        suspect(inlet);
        tokio::time::sleep(CONNECT_TIMEOUT - SUSPECT_AFTER).await;
        if !stream.is_opened() {
            return EndReason::TimedOut;
        }
    }
    std::future::pending().await
}

enum Opening {
    Answered,
    Again(Way),
    Failed(EndReason),
}

async fn open(inlet: &Listening, stream: &Stream, way: &Way, deadline: tokio::time::Instant) -> Opening {
    let suspicion = tokio::time::sleep(SUSPECT_AFTER);
    tokio::pin!(suspicion);
    let mut suspected = false;
    loop {
        tokio::select! {
            answered = stream.answered() => {
                return answered.map_or_else(Opening::Failed, |()| Opening::Answered);
            }
            () = tokio::time::sleep_until(deadline) => return Opening::Failed(EndReason::TimedOut),
            () = &mut suspicion, if !suspected => {
                suspected = true;
                suspect(inlet);
            }
            () = way.ended.cancelled() => break,
            () = way.carrier.cancelled() => return Opening::Failed(EndReason::Disconnected),
        }
    }
    match inlet.way() {
        Some(next) if next.through != way.through => Opening::Again(next),
        _ => Opening::Failed(EndReason::Disconnected),
    }
}

fn suspect(inlet: &Listening) {
    if let InletRoute::Kept(session, _) = &inlet.route {
        session.suspect();
    }
}

/// A client's socket: reset if it is dropped before a stream takes it.
struct Resetting(Option<TcpStream>);

impl Resetting {
    fn take(mut self) -> TcpStream {
        // Taken once, by value.
        self.0.take().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for Resetting {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            reset(socket);
        }
    }
}

/// A stream whose address is known to the router until this is dropped, and that has sent its Ping.
struct Registered(Arc<Stream>, Arc<Core>);

impl Registered {
    fn new(inlet: &Listening, way: &Way, known: bool) -> Result<Self, EndReason> {
        let core = &inlet.core;
        let stream = Stream::new(core, Address::random(), way.peer, known);
        let gone = |_| EndReason::Disconnected;
        core.router.add_endpoint(stream.address().clone(), stream.clone()).map_err(|_| EndReason::Disconnected)?;
        let registered = Self(stream, core.clone());
        if let Some(flow) = way.flow {
            core.router.open(registered.address(), flow);
        }
        let offer = Offer { window: WINDOW, address: random_hex() };
        let there = Address::new(Address::LOCAL, offer.address);
        registered.aim(way.outlet.clone(), 0);
        drop(registered.say(&PortalMessage::Ping(Some(offer))).map_err(gone)?);
        if known {
            let hops = way.outlet.len() - 1;
            registered.aim(way.outlet.iter().take(hops).collect::<Route>().then(there), EARLY);
        }
        Ok(registered)
    }
}

impl std::ops::Deref for Registered {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.1.router.remove(self.0.address());
    }
}

fn random_hex() -> [u8; 32] {
    let mut rng = rand::rng();
    std::array::from_fn(|_| b"0123456789abcdef"[rng.random_range(0..16)])
}

/// Asks now and then whether the outlet's node is there, once it is known to be of ours.
struct Probing(Arc<Listening>);

impl Probing {
    async fn run(self: Arc<Self>) {
        let (inlet, address) = (&self.0, Address::random());
        let router = &inlet.core.router;
        if router.add_endpoint(address.clone(), self.clone()).is_err() {
            return;
        }
        let mut every = tokio::time::interval(PROBE_EVERY);
        loop {
            tokio::select! {
                () = inlet.closed.cancelled() => break,
                _ = every.tick() => {}
            }
            let Some(way) = inlet.way() else { continue };
            if lock(&inlet.ours).as_ref() != Some(&way.through) {
                continue;
            }
            if let Some(flow) = way.flow {
                router.open(&address, flow);
            }
            if self.ask(&way.outlet, &address).is_err() {
                suspect(inlet);
            }
        }
        router.remove(&address);
    }

    /// Sends the next question, unless too many are unanswered.
    fn ask(&self, outlet: &Route, address: &Address) -> Result<(), Undeliverable> {
        let number = {
            let mut probe = lock(&self.0.probe);
            if probe.number >= probe.answered + PROBES_LOST {
                probe.answered = probe.number;
                return Err(Undeliverable::Closed);
            }
            probe.number += 1;
            probe.asked_at = Some(Instant::now());
            probe.number
        };
        let sent = self.0.core.router.dispatch(Parcel {
            onward: outlet.as_ref(),
            return_route: Route::from(address).as_ref(),
            body: Body::exactly(&mut PortalMessage::Probe(number).encode()),
            source: None,
            depth: 0,
        });
        sent.map(drop)
    }
}

impl Endpoint for Probing {
    fn deliver(&self, parcel: Parcel<'_>) -> Result<Delivery, Undeliverable> {
        let Some(PortalMessage::Alive(number)) = PortalMessage::read(parcel.body.payload()) else {
            return Err(Undeliverable::Malformed);
        };
        let mut probe = lock(&self.0.probe);
        if number == probe.number {
            probe.answered = number;
            probe.round_trip = probe.asked_at.take().map(|asked_at| asked_at.elapsed()).or(probe.round_trip);
        }
        Ok(Delivery::default())
    }
}
