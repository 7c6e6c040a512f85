//! The end of a portal on the friend's localhost.

use super::PortalError;
use super::message::{EndReason, Offer, PortalMessage};
use super::meter::{LiveStream, Meter};
use super::stream::{CONNECT_TIMEOUT, EARLY_DATA_MAX, INITIAL_WINDOW, Stream, StreamShutdown, reset};
use crate::address::Address;
use crate::delivery::{Delivery, Undeliverable};
use crate::error::Result;
use crate::node::{Core, Node};
use crate::route::Route;
use crate::router::{BorrowedMessage, Endpoint, Origin, PayloadBuf, Source};
use crate::secure_channel::SecureChannel;
use crate::session::{ChannelSession, State};
use crate::sync::lock;
use rand::Rng;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How often an inlet asks whether the other end is there.
pub const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long an answer may take.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The same when a stream is not answered either.
const SUSPICIOUS_PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Unanswered questions after which the channel is taken for dead. One is enough when a stream is not answered either.
const PROBES_LOST: u32 = 3;
/// A stream that is not answered for this long makes the inlet ask at once.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);
/// Pause after the system refused to accept, for instance because no file descriptor is left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

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
pub struct Inlet(Arc<InletInner>);

impl Inlet {
    /// Where it listens; the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local
    }

    /// What the last answered probe said. Only kept routes to outlets of ours are probed.
    pub fn probe(&self) -> ProbeReport {
        ProbeReport { round_trip: lock(&self.0.probe).round_trip }
    }

    /// Follows why we are not served, as the stream was told that was refused or cut last: by the owner's decision, or
    /// because of the service. Nothing again as soon as a stream opens.
    ///
    /// Streams that end for other reasons, such as a lost connection, change nothing.
    pub fn refused(&self) -> watch::Receiver<Option<EndReason>> {
        self.0.refused.subscribe()
    }

    /// What its streams carry.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
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
        let listening = Arc::new(InletInner {
            local: socket.local_addr().map_err(failed)?,
            closed: core.stopping.child_token(),
            core,
            route: route.into(),
            meter: Arc::default(),
            extended: Mutex::new(None),
            probe: Mutex::default(),
            answered: Notify::new(),
            suspicion: Notify::new(),
            identified: Notify::new(),
            refused: watch::Sender::new(None),
        });
        let probing = Arc::new(LivenessProbe { inlet: listening.clone(), address: Address::random() });
        let tasks = &listening.core.tasks;
        tasks.spawn(listening.clone().accept(socket));
        tasks.spawn(probing.run());
        Ok(Inlet(listening))
    }
}

struct InletInner {
    core: Arc<Core>,
    local: SocketAddr,
    route: InletRoute,
    meter: Arc<Meter>,
    /// The channel whose outlet is known to speak our extension.
    extended: Mutex<Option<Address>>,
    probe: Mutex<Probe>,
    answered: Notify,
    suspicion: Notify,
    /// The outlet's node has turned out to be of ours: it hears at once that we will ask.
    identified: Notify,
    refused: watch::Sender<Option<EndReason>>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Probe {
    asked: u64,
    answered: u64,
    round_trip: Option<Duration>,
}

/// The way to the outlet at this moment.
struct ResolvedPath {
    outlet: Route,
    /// The first hop: a channel or a connection.
    through: Address,
    source: Option<Arc<Source>>,
}

impl InletInner {
    fn resolve(&self) -> Option<ResolvedPath> {
        let outlet = match &self.route {
            InletRoute::Fixed(route) => route.clone(),
            InletRoute::Kept(session, outlet) => Route::from(session.state().up()?).then(outlet),
        };
        let through = outlet.front()?;
        let source = self.core.router.source_of(through.as_ref());
        (source.is_some() || self.core.router.contains(&through)).then_some(ResolvedPath { outlet, through, source })
    }

    fn ends(&self, path: &ResolvedPath) -> StreamShutdown {
        let (carrier, channel) = match &path.source {
            Some(source) => (source.carrier.clone(), source.ended.clone()),
            None => (self.closed.clone(), self.closed.clone()),
        };
        let closed = (self.closed.clone(), EndReason::Stopping);
        StreamShutdown { carrier, channel, closed, stopping: self.core.stopping.clone(), revocation: None }
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
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }

    /// Carries a connection, or resets it at once when there is no way or no room.
    fn admit(self: &Arc<Self>, socket: TcpStream) {
        let Some(path) = self.resolve() else {
            tracing::debug!("connection refused: the other side is not connected");
            return reset(&socket);
        };
        let Some(live) = self.meter.enter(self.core.limits.streams as u64) else {
            self.core.stats.refused.add(1);
            return reset(&socket);
        };
        self.core.tasks.spawn(serve(self.clone(), live, socket, path));
    }

    /// A stream has been opened, or was refused or cut.
    fn record_refusal(&self, refused: Option<EndReason>) {
        self.refused.send_if_modified(|last| std::mem::replace(last, refused) != refused);
    }
}

async fn serve(inlet: Arc<InletInner>, _live: LiveStream, socket: TcpStream, path: ResolvedPath) {
    let Err(reason) = connect_stream(&inlet, socket, path).await else { return inlet.record_refusal(None) };
    tracing::debug!(%reason, "a stream ended early");
    if reason.is_owners_decision() || reason.is_services_fault() {
        inlet.record_refusal(Some(reason));
    }
}

/// Opens streams for a connection, over a new channel when the one at hand proves dead, and runs the one that opens.
async fn connect_stream(inlet: &Arc<InletInner>, socket: TcpStream, mut path: ResolvedPath) -> Result<(), EndReason> {
    let socket = ResetOnDrop(Some(socket));
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        let known = lock(&inlet.extended).as_ref() == Some(&path.through);
        let ends = inlet.ends(&path);
        let mut stream = PendingStream::open(inlet, &path, known)?;
        if known {
            // What is sent at once cannot be sent again: from here on there is no second try.
            stream.attach(socket.take());
            return run_before_answer(inlet, &stream, &path.through, deadline, &ends).await;
        }
        let answered = tokio::select! {
            answered = stream.answered() => answered,
            reason = answer_overdue(inlet, &stream, &path.through, deadline) => Err(reason),
            reason = ends.triggered() => Err(reason),
        };
        match answered {
            Ok(()) => {
                stream.answered = true;
                if stream.is_extended() {
                    *lock(&inlet.extended) = Some(path.through.clone());
                    inlet.identified.notify_one();
                }
                inlet.record_refusal(None);
                stream.attach(socket.take());
                return stream.run(&ends).await;
            }
            Err(EndReason::Disconnected) => match inlet.resolve() {
                Some(next) if next.through != path.through => path = next,
                _ => return Err(EndReason::Disconnected),
            },
            Err(reason) => return Err(reason),
        }
    }
}

/// Runs a stream whose answer is still to come.
async fn run_before_answer(
    inlet: &InletInner,
    stream: &Stream,
    through: &Address,
    deadline: Instant,
    ends: &StreamShutdown,
) -> Result<(), EndReason> {
    let running = stream.run(ends);
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        () = stream.opened() => inlet.record_refusal(None),
        reason = answer_overdue(inlet, stream, through, deadline) => stream.end(reason),
    }
    running.await
}

/// Has the inlet ask when a stream is not answered soon. Ends when the way has changed, or nothing came in time.
async fn answer_overdue(inlet: &InletInner, stream: &Stream, through: &Address, deadline: Instant) -> EndReason {
    let mut states = match &inlet.route {
        InletRoute::Kept(session, _) => Some(session.watch()),
        InletRoute::Fixed(_) => None,
    };
    let suspicion = tokio::time::sleep(SUSPECT_AFTER);
    tokio::pin!(suspicion);
    let mut suspected = false;
    loop {
        tokio::select! {
            () = &mut suspicion, if !suspected => {
                if stream.is_opened() {
                    std::future::pending::<()>().await;
                }
                suspected = true;
                inlet.suspicion.notify_one();
            }
            () = tokio::time::sleep_until(deadline.into()), if suspected => {
                if stream.is_opened() {
                    std::future::pending::<()>().await;
                }
                // The owner's node is silent: that says nothing about the service beside it.
                return EndReason::Disconnected;
            }
            true = changed(&mut states), if suspected => {
                if !stream.is_opened() && inlet.resolve().is_none_or(|path| path.through != *through) {
                    return EndReason::Disconnected;
                }
            }
        }
    }
}

async fn changed(states: &mut Option<watch::Receiver<State<SecureChannel>>>) -> bool {
    match states {
        Some(states) => states.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

/// A client's socket: reset if it is dropped before a stream takes it.
struct ResetOnDrop(Option<TcpStream>);

impl ResetOnDrop {
    fn take(mut self) -> TcpStream {
        // Taken once, by value.
        self.0.take().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            reset(socket);
        }
    }
}

/// A stream that has sent its Ping. Dropped without an answer it tells the outlet that it is not wanted any more.
struct PendingStream {
    stream: Arc<Stream>,
    core: Arc<Core>,
    /// Where the outlet's end may be.
    there: Route,
    answered: bool,
}

impl PendingStream {
    fn open(inlet: &InletInner, path: &ResolvedPath, known: bool) -> Result<Self, EndReason> {
        let core = &inlet.core;
        let stream = Stream::new(core, Address::random(), path.source.as_deref(), known, &inlet.meter);
        let offer = Offer { window: INITIAL_WINDOW, address: random_hex() };
        let there = Address::new(Address::LOCAL, offer.address);
        let there = path.outlet.iter().take(path.outlet.len() - 1).collect::<Route>().then(there);
        core.router.add_endpoint(stream.address().clone(), stream.clone()).map_err(|_| EndReason::Disconnected)?;
        let opened = Self { stream, core: core.clone(), there, answered: known };
        if let Some(source) = &path.source {
            core.router.expose(opened.address(), source.origin);
        }
        // Before the Ping: its answer sets both anew, and may come before this goes on.
        opened.set_remote(opened.there.clone(), if known { EARLY_DATA_MAX } else { 0 });
        drop(
            opened
                .send_control_to(&path.outlet, &PortalMessage::Ping(Some(offer)))
                .map_err(|_| EndReason::Disconnected)?,
        );
        Ok(opened)
    }
}

impl std::ops::Deref for PendingStream {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for PendingStream {
    fn drop(&mut self) {
        self.core.router.remove(self.stream.address());
        if !self.answered {
            drop(self.stream.send_control_to(&self.there, &PortalMessage::Disconnect(EndReason::Stopping)));
        }
    }
}

fn random_hex() -> [u8; 32] {
    let mut rng = rand::rng();
    std::array::from_fn(|_| b"0123456789abcdef"[rng.random_range(0..16)])
}

/// Asks now and then whether the outlet's node is there, once it is known to be of ours, and whenever a stream is
/// not answered.
struct LivenessProbe {
    inlet: Arc<InletInner>,
    address: Address,
}

impl LivenessProbe {
    async fn run(self: Arc<Self>) {
        let inlet = &self.inlet;
        let InletRoute::Kept(session, _) = &inlet.route else { return };
        if inlet.core.router.add_endpoint(self.address.clone(), self.clone()).is_err() {
            return;
        }
        let mut every = tokio::time::interval(PROBE_EVERY);
        let mut lost = 0;
        loop {
            let suspicious = tokio::select! {
                () = inlet.closed.cancelled() => break,
                () = inlet.suspicion.notified() => true,
                () = inlet.identified.notified() => false,
                _ = every.tick(), if lost == 0 => false,
                () = std::future::ready(()), if lost > 0 => false,
            };
            let State::Up(channel) = session.state() else {
                lost = 0;
                continue;
            };
            let extended = lock(&inlet.extended).as_ref() == Some(channel.address());
            if !extended && !suspicious {
                // Or this would ask again at once, and again, without ever waiting.
                lost = 0;
                continue;
            }
            let timeout = if suspicious { SUSPICIOUS_PROBE_TIMEOUT } else { PROBE_TIMEOUT };
            lost = if self.is_answered(&channel, timeout).await { 0 } else { lost + 1 };
            if lost >= PROBES_LOST || (suspicious && lost > 0) {
                session.suspect(channel.address());
            }
            if lost >= PROBES_LOST {
                // Streams on it would wait for ever: they learn now that it is over.
                channel.close();
                lost = 0;
            }
        }
        inlet.core.router.remove(&self.address);
    }

    /// Asks once. Whatever else comes over the channel meanwhile is an answer too.
    async fn is_answered(&self, channel: &SecureChannel, timeout: Duration) -> bool {
        let inlet = &self.inlet;
        let InletRoute::Kept(_, outlet) = &inlet.route else { return true };
        inlet.core.router.expose(&self.address, channel.origin());
        let (number, asked_at) = {
            let mut probe = lock(&inlet.probe);
            probe.asked += 1;
            (probe.asked, Instant::now())
        };
        let sent = inlet.core.router.dispatch(BorrowedMessage {
            onward: Route::from(channel).then(outlet).as_ref(),
            return_route: Route::from(&self.address).as_ref(),
            body: PayloadBuf::exactly(&mut PortalMessage::Probe(number).encode()),
            source: None,
            depth: 0,
        });
        if sent.map(drop).is_err() {
            return false;
        }
        let answered = async {
            while lock(&inlet.probe).answered < number {
                inlet.answered.notified().await;
            }
            lock(&inlet.probe).round_trip = Some(asked_at.elapsed());
        };
        let in_time = tokio::select! {
            answered = tokio::time::timeout(timeout, answered) => answered.is_ok(),
            () = inlet.closed.cancelled() => true,
        };
        in_time || channel.silence() < asked_at.elapsed()
    }
}

impl Endpoint for LivenessProbe {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let Some(PortalMessage::Alive(number)) = PortalMessage::read(message.body.payload()) else {
            return Err(Undeliverable::Malformed);
        };
        let mut probe = lock(&self.inlet.probe);
        probe.answered = probe.answered.max(number.min(probe.asked));
        self.inlet.answered.notify_one();
        Ok(Delivery::default())
    }
}
