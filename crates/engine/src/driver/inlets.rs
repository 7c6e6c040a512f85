//! This person's portals: a local port for each, and a channel to its owner.
//!
//! ```text
//! KeepInlet ─► the port is free? ─► listen, channel over one way ─► InletUp
//!                  │ no: who holds it                  │ down for more than a moment
//!                  ▼ and on it goes                    ▼
//!              InletListening(Err)      other ways are tried: one works ─► listen anew over that one
//!                                                             none ─► InletDown, and why
//! ```
//!
//! The port listens whether the owner is there or not, so that it stays the same and nobody else takes it.

use super::{NodeContext, dialer};
use crate::api::{Fault, InletId};
use crate::core::{ByteCounts, Event};
use crate::listening_ports;
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use postern_node::portal::{EndReason, Inlet, InletRoute};
use postern_node::relay::RelayError;
use postern_node::session::{HubSession, HubUp, SessionError, State};
use postern_node::{Address, SecureChannel, SecureChannelOptions, route};
use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A channel that comes back within this time was not down.
const GRACE: Duration = Duration::from_millis(1_500);
/// Longest wait before other ways are tried again; it doubles from the one above.
const LAST_SCOUT: Duration = Duration::from_secs(15);
/// A port that is taken is tried again this often.
const PORT_EVERY: Duration = Duration::from_secs(2);
/// How long a port that we have just left may take to be free again.
const LEAVING: Duration = Duration::from_secs(2);
const LEAVING_EVERY: Duration = Duration::from_millis(20);

/// The portals that are kept.
#[derive(Default)]
pub(crate) struct Inlets(HashMap<InletId, Slot>);

struct Slot {
    wanted: InletSpec,
    stop: CancellationToken,
    task: JoinHandle<()>,
    line: Arc<PortalMetrics>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct InletSpec {
    pub(crate) inlet: InletId,
    pub(crate) owner: Identifier,
    pub(crate) reach: Vec<PeerAddress>,
    pub(crate) outlet: String,
    pub(crate) port: u16,
}

/// What can be seen of a portal while it is kept.
#[derive(Default)]
pub(crate) struct PortalMetrics {
    now: Mutex<Option<Inlet>>,
    /// What it runs over.
    channel: Mutex<Option<SecureChannel>>,
    /// What earlier inlets of the portal have carried.
    earlier_up: AtomicU64,
    earlier_down: AtomicU64,
}

impl PortalMetrics {
    /// Bytes towards the service and from it, and streams now.
    pub(crate) fn read(&self) -> (u64, u64, u32) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = now.as_ref().map(Inlet::meter);
        let (up, down, live) = meter.map_or((0, 0, 0), |it| (it.sent(), it.received(), it.live()));
        let earlier = (self.earlier_up.load(Ordering::Relaxed), self.earlier_down.load(Ordering::Relaxed));
        (earlier.0 + up, earlier.1 + down, u32::try_from(live).unwrap_or(u32::MAX))
    }

    /// How long there and back took last, in milliseconds.
    pub(crate) fn round_trip(&self) -> Option<u32> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let round_trip = now.as_ref()?.probe().round_trip?;
        Some(u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX).max(1))
    }

    fn runs_over(&self, channel: Option<SecureChannel>) -> Option<SecureChannel> {
        std::mem::replace(&mut *self.channel.lock().unwrap_or_else(PoisonError::into_inner), channel)
    }

    fn set(&self, inlet: Option<Inlet>) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *now, inlet) {
            before.close();
            self.earlier_up.fetch_add(before.meter().sent(), Ordering::Relaxed);
            self.earlier_down.fetch_add(before.meter().received(), Ordering::Relaxed);
        }
    }
}

impl Inlets {
    /// Keeps a portal open as it is wanted now.
    pub(crate) fn keep(&mut self, net: &NodeContext, wanted: InletSpec) {
        let before = match self.0.remove(&wanted.inlet) {
            Some(kept) if kept.wanted == wanted => {
                self.0.insert(wanted.inlet, kept);
                return;
            }
            before => before,
        };
        let line = before.as_ref().map(|it| it.line.clone()).unwrap_or_default();
        let stop = net.stop.child_token();
        let running = InletTask { net: net.clone(), wanted: wanted.clone(), line: line.clone() };
        let stopped = stop.clone();
        let task = net.spawn(async move {
            if let Some(before) = before {
                // It holds the port until it has ended.
                before.stop.cancel();
                let _ = before.task.await;
            }
            stopped.run_until_cancelled(running.run()).await;
            running.line.set(None);
        });
        self.0.insert(wanted.inlet, Slot { wanted, stop, task, line });
    }

    /// Closes a portal; what it has carried, if anything.
    pub(crate) fn drop_inlet(&mut self, inlet: InletId) -> Option<ByteCounts> {
        let kept = self.0.remove(&inlet)?;
        kept.stop.cancel();
        let (up, down, _) = kept.line.read();
        Some((up, down)).filter(|it| *it != (0, 0))
    }

    /// Closes a portal's channel; its session opens another one.
    pub(crate) fn reopen(&self, inlet: InletId) {
        if let Some(channel) = self.0.get(&inlet).and_then(|kept| kept.line.runs_over(None)) {
            channel.close();
        }
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// What can be seen of each portal.
    pub(crate) fn lines(&self) -> Vec<(InletId, Arc<PortalMetrics>)> {
        self.0.iter().map(|(inlet, kept)| (*inlet, kept.line.clone())).collect()
    }
}

/// One portal, kept.
struct InletTask {
    net: NodeContext,
    wanted: InletSpec,
    line: Arc<PortalMetrics>,
}

/// What a portal runs over now.
struct ResolvedPath {
    at: usize,
    inlet: Inlet,
    states: watch::Receiver<State<SecureChannel>>,
    /// The session beneath, held where it is not one of our hubs'.
    _pooled: Option<Arc<HubSession>>,
    beneath: watch::Receiver<State<HubUp>>,
}

impl InletTask {
    async fn run(&self) {
        let mut at = 0;
        loop {
            self.wait_for_port().await;
            let Some(way) = self.listen(at).await else {
                tokio::time::sleep(GRACE).await;
                continue;
            };
            let port = way.inlet.local_addr().port();
            self.net.tell(Event::InletListening(self.wanted.inlet, Ok(port))).await;
            self.line.set(Some(way.inlet.clone()));
            at = self.follow(way).await;
            self.line.set(None);
        }
    }

    /// Waits until the port can be had, and says who holds it meanwhile.
    async fn wait_for_port(&self) {
        let port = self.wanted.port;
        let is_free = || port == 0 || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let leaving = async {
            while !is_free() {
                tokio::time::sleep(LEAVING_EVERY).await;
            }
        };
        if tokio::time::timeout(LEAVING, leaving).await.is_ok() {
            return;
        }
        let mut told = None;
        while !is_free() {
            let taken = tokio::task::spawn_blocking(move || listening_ports::taken(port)).await.ok();
            if taken.is_some() && taken != told {
                told = taken.clone();
                let event = taken.map(|fault| Event::InletListening(self.wanted.inlet, Err(fault)));
                if let Some(event) = event {
                    self.net.tell(event).await;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PORT_EVERY) => {}
                () = self.net.nudged() => {}
            }
        }
    }

    /// Listens, with a channel over one of the ways.
    async fn listen(&self, at: usize) -> Option<ResolvedPath> {
        let reach = self.wanted.reach.get(at)?;
        let (session, own, there) = match reach {
            PeerAddress::Direct { address } => (self.net.pooled(address), false, route![dialer::LISTENER]),
            PeerAddress::Hub { address, relay } => {
                let there = route![relay.as_str(), dialer::LISTENER];
                match self.net.hubs.session(address).await {
                    Some(session) => (session, true, there),
                    None => (self.net.pooled(address), false, there),
                }
            }
        };
        let options = SecureChannelOptions::trust_only([self.wanted.owner]);
        let kept = self.net.node.keep_channel(&session, &self.net.identity, there, options).await;
        let channel = kept.inspect_err(|error| tracing::error!(%error, "a portal has no channel")).ok()?;
        let states = channel.watch();
        let route = InletRoute::Kept(channel, Address::from(self.wanted.outlet.as_str()));
        let address = format!("{}:{}", Ipv4Addr::LOCALHOST, self.wanted.port);
        let inlet = self.net.node.create_inlet(address, route).await;
        let inlet = inlet.inspect_err(|error| tracing::debug!(%error, "a portal cannot listen")).ok()?;
        let beneath = session.watch();
        // Our hubs' sessions end when the hub is left, so they are not held here.
        Some(ResolvedPath { at, inlet, states, _pooled: (!own).then_some(session), beneath })
    }

    /// Tells how the portal is doing. Ends with the way to take instead.
    async fn follow(&self, mut way: ResolvedPath) -> usize {
        let inlet = self.wanted.inlet;
        let mut refusals = way.inlet.refused();
        let mut told = ReportedState::Nothing;
        let mut heard: Option<Address> = None;
        let mut pause = GRACE;
        let mut scouting: Option<Probing<'_>> = None;
        loop {
            let state = way.states.borrow_and_update().clone();
            match state {
                State::Up(channel) => {
                    (scouting, pause) = (None, GRACE);
                    // A channel that took the place of another one is a new one: what it is for must be opened to it.
                    if heard.as_ref() != Some(channel.address()) {
                        heard = Some(channel.address().clone());
                        self.net.met(&channel.peer().history);
                        self.net.hear_news_from(&channel);
                        self.line.runs_over(Some(channel.clone()));
                        told = ReportedState::Nothing;
                    }
                    if told != ReportedState::Up {
                        told = ReportedState::Up;
                        self.net.tell(Event::InletUp(inlet, dialer::way(&self.wanted.reach[way.at]))).await;
                    }
                }
                State::Connecting if self.wanted.reach.len() < 2 => {}
                _ if scouting.is_none() => scouting = Some(Box::pin(self.scout(PathState::of(&way), pause))),
                _ => {}
            }
            if told == ReportedState::Up && way.states.borrow().up().is_none() {
                told = ReportedState::Nothing;
                self.net.tell(Event::InletConnecting(inlet)).await;
            }
            tokio::select! {
                // The session beneath may be gone: our hub was left, or has turned out to have no identity.
                changed = way.states.changed() => if changed.is_err() { return way.at },
                Ok(()) = refusals.changed() => {
                    let reason: Option<EndReason> = *refusals.borrow_and_update();
                    self.net.tell(Event::InletRefused(inlet, reason)).await;
                }
                found = next(&mut scouting) => {
                    scouting = None;
                    pause = LAST_SCOUT.min(pause * 2);
                    match found {
                        ProbeResult::Other(at) => return at,
                        ProbeResult::Same => {}
                        ProbeResult::None(fault) if told == ReportedState::Down(fault.clone()) => {}
                        ProbeResult::None(fault) => {
                            told = ReportedState::Down(fault.clone());
                            self.net.tell(Event::InletDown(inlet, fault)).await;
                        }
                    }
                }
            }
        }
    }

    /// Looks for another way when the channel has been down for a moment, or for why there is none.
    async fn scout(&self, seen: PathState, pause: Duration) -> ProbeResult {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.net.nudged() => {}
        }
        let reach = &self.wanted.reach;
        if reach.len() < 2 {
            return match &*seen.states.borrow() {
                State::Down(error) => ProbeResult::None(self.why(&seen, error)),
                _ => ProbeResult::Same,
            };
        }
        match dialer::open(&self.net, self.wanted.owner, reach).await {
            Err(fault) => ProbeResult::None(fault),
            Ok(road) => match reach.iter().position(|it| dialer::way(it) == road.way) {
                Some(at) if at != seen.at => ProbeResult::Other(at),
                _ => ProbeResult::Same,
            },
        }
    }

    fn why(&self, seen: &PathState, error: &SessionError) -> Fault {
        let reach = &self.wanted.reach[seen.at];
        let beneath_is_up = seen.beneath.borrow().up().is_some_and(|up| !up.connection.is_closed());
        match error {
            SessionError::Relay(RelayError::Disconnected) if beneath_is_up => dialer::owner_offline(),
            error => dialer::why_not_up(reach, error),
        }
    }
}

type Probing<'a> = Pin<Box<dyn Future<Output = ProbeResult> + Send + 'a>>;

async fn next(scouting: &mut Option<Probing<'_>>) -> ProbeResult {
    match scouting {
        Some(scouting) => scouting.await,
        None => std::future::pending().await,
    }
}

/// How a way is, seen from beside.
struct PathState {
    at: usize,
    states: watch::Receiver<State<SecureChannel>>,
    beneath: watch::Receiver<State<HubUp>>,
}

impl PathState {
    fn of(way: &ResolvedPath) -> Self {
        Self { at: way.at, states: way.states.clone(), beneath: way.beneath.clone() }
    }
}

#[derive(PartialEq)]
enum ReportedState {
    Nothing,
    Up,
    Down(Fault),
}

enum ProbeResult {
    /// Another way works.
    Other(usize),
    /// The way at hand works, or is about to.
    Same,
    /// None does.
    None(Fault),
}
