//! The runner: makes the heart live. One task owns the state; everything that takes time runs beside it and comes
//! back as an event.
//!
//! ```text
//! faces ── EngineCommand ──►┌────────┐── effects, in order ──► store (awaited) · node · tasks
//! tasks ── TaskEvent ──►│ runner │
//! gates ── Event ──►│ State  │──► Snapshot (when it changed), Notice, Answer
//! clock ── Tick ───►└────────┘
//! ```
//!
//! A [`Save`](Effect::Save) is on disk before anything behind it happens. If it cannot be written, the runner stops:
//! an engine that forgets what it promised is worse than none.

mod admission;
pub(crate) mod clock;
mod dialer;
mod direct_listener;
mod effects;
mod hubs;
mod inlets;
mod mail_transport;
mod node_context;
mod outlets;
mod peer_rpc;
mod requests;
mod traffic_sampler;

pub(crate) use node_context::NodeContext;
use requests::Waiting;

use crate::api::{
    Answer, AuditEvent, Code, CoreRequest, Fault, GrantId, InletId, KeychainPlace, Notice, Snapshot, Status, Traffic,
    UnixMillis,
};
use crate::core::{self, ByteCounts, Change, Effect, Environment, Event, Now, Record, RequestId, State};
use crate::engine::EngineCommand;
use crate::identity::IdentityStore;
use crate::store::{self, Store, StoreError};
use admission::{Reports, ReportsOut};
use clock::Clock;
use direct_listener::DirectListener;
use inlets::Inlets;
use node_context::TaskEvent;
use outlets::Outlets;
use rand::TryRngCore;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use traffic_sampler::Meters;

/// The wall clock and the network are looked at this often even when nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Events of tasks that may wait to be heard.
const MAX_EVENTS: usize = 256;
/// Receipts that are written together at most.
const MAX_UNWRITTEN: usize = 64;
/// How often what was carried is noted while streams are open, and while none is.
const NOTE_EVERY: Duration = Duration::from_secs(30);
const NOTE_AT_REST: Duration = Duration::from_secs(5);
/// How often old receipts are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Where faces are heard and told.
pub(crate) struct FrontendChannels {
    pub(crate) asked: mpsc::Receiver<EngineCommand>,
    pub(crate) snapshot: watch::Sender<Arc<Snapshot>>,
    pub(crate) traffic: watch::Sender<Arc<Traffic>>,
    pub(crate) notices: broadcast::Sender<Notice>,
}

/// The runner, and with it everything that lives as long as an engine does.
pub(crate) struct Runner {
    state: State,
    clock: Clock,
    store: Store,
    /// What is to be written with the next save, or soon.
    unwritten: Vec<(UnixMillis, AuditEvent)>,
    retention_days: u32,
    forgotten: Option<Instant>,
    /// What was found damaged at the start.
    damage: Option<Fault>,

    data_dir: PathBuf,
    home: IdentityStore,
    listen: String,
    net: Option<NodeContext>,
    listening: Option<DirectListener>,
    outlets: Outlets,
    inlets: Inlets,

    faces: FrontendChannels,
    waiting: HashMap<RequestId, Waiting>,
    /// The keychain is being asked, and these are requests that need its answer.
    finding_identity: bool,
    early: Vec<(CoreRequest, oneshot::Sender<Result<Answer, Fault>>)>,
    /// Answers that are given once the snapshot shows what they are about.
    answers: Vec<(RequestId, Result<Answer, Fault>)>,
    last_request: u64,
    events: mpsc::Sender<TaskEvent>,
    heard: mpsc::Receiver<TaskEvent>,
    /// What the runner itself tells the heart next.
    said: VecDeque<Event>,
    found: mpsc::Sender<Result<NodeContext, Fault>>,
    finding: mpsc::Receiver<Result<NodeContext, Fault>>,
    reports: ReportsOut,
    meters: Meters,
    metered: Instant,
    /// What the meters said when it was noted last, and when that was.
    noted: (TrafficTotals, Instant),
    /// A stream has come or gone since the meters were read.
    unread: bool,
    /// What the heart was told last of each portal: streams, and milliseconds there and back.
    lines: BTreeMap<InletId, (u32, Option<u32>)>,
}

/// What meters have carried since they began.
#[derive(Default, PartialEq)]
struct TrafficTotals {
    grants: Vec<(GrantId, ByteCounts)>,
    inlets: Vec<(InletId, ByteCounts)>,
}

impl TrafficTotals {
    /// What has moved, as the heart hears it.
    fn since(&self, noted: &Self) -> Event {
        let grants = self.grants.iter().filter(|it| it.1 != (0, 0) && !noted.grants.contains(it)).copied();
        let inlets = self.inlets.iter().filter(|it| it.1 != (0, 0) && !noted.inlets.contains(it)).copied();
        Event::TrafficCarried { grants: grants.collect(), inlets: inlets.collect() }
    }
}

/// What the runner woke up for.
enum Wakeup {
    Command(Option<EngineCommand>),
    Task(TaskEvent),
    Found(Result<NodeContext, Fault>),
    Reported(Event),
    Time,
    Meters,
}

impl Runner {
    pub(crate) async fn start(
        data_dir: PathBuf,
        home: IdentityStore,
        place: KeychainPlace,
        listen: String,
        faces: FrontendChannels,
    ) -> Result<Self, Fault> {
        let opened = Store::open(&data_dir, clock::wall()).await?;
        let launch = Environment {
            data_dir: data_dir.display().to_string(),
            keychain: place,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let profile = opened.records.iter().find_map(|record| match record {
            Record::Profile(profile) => Some(profile.retention_days),
            _ => None,
        });
        let (events, heard) = mpsc::channel(MAX_EVENTS);
        let (found, finding) = mpsc::channel(1);
        let (reports, reports_out) = Reports::new();
        let mut runner = Self {
            state: State::load(opened.records, launch),
            clock: Clock::start(),
            store: opened.store,
            unwritten: Vec::new(),
            retention_days: profile.unwrap_or_default(),
            forgotten: None,
            damage: opened.damage,
            data_dir,
            home,
            listen,
            net: None,
            listening: None,
            outlets: Outlets::new(reports),
            inlets: Inlets::default(),
            faces,
            waiting: HashMap::new(),
            finding_identity: false,
            early: Vec::new(),
            answers: Vec::new(),
            last_request: 0,
            events,
            heard,
            said: VecDeque::new(),
            found,
            finding,
            reports: reports_out,
            meters: Meters::default(),
            metered: Instant::now(),
            noted: (TrafficTotals::default(), Instant::now()),
            unread: false,
            lines: BTreeMap::new(),
        };
        let (now, _) = runner.clock.look();
        let effects = core::start(&mut runner.state, now, seed()?);
        runner.carry_out(effects, now).await?;
        runner.show(now);
        Ok(runner)
    }

    /// Runs until it is told to stop, nobody holds the engine any more, or the disk fails; why it ended.
    pub(crate) async fn run(mut self) -> Fault {
        let ended = loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => break Fault::new(Code::Stopped, "Postern has stopped. Start it again."),
                Err(fault) => {
                    tracing::error!(%fault, "the engine stops");
                    self.show_end(&fault);
                    break fault;
                }
            }
        };
        self.end(&ended).await;
        ended
    }

    /// Waits for the next thing and deals with it; false when all is over.
    async fn turn(&mut self) -> Result<bool, Fault> {
        let woken = self.next().await;
        let (now, jumped) = self.clock.look();
        if jumped {
            tracing::info!("the clock jumped, or the machine slept");
            self.hear(Event::Resumed, now).await?;
        }
        match woken {
            Wakeup::Command(None | Some(EngineCommand::Shutdown)) => return Ok(false),
            Wakeup::Command(Some(EngineCommand::Request(request, answer))) => self.asked(request, answer, now).await?,
            Wakeup::Task(TaskEvent { event, done }) => {
                self.hear(event, now).await?;
                if let Some(done) = done {
                    self.write().await?;
                    let _ = done.send(());
                }
            }
            Wakeup::Found(net) => self.identity_found(net, now).await?,
            Wakeup::Reported(event) => {
                self.unread = true;
                self.hear(event, now).await?;
            }
            Wakeup::Time => {
                self.look_around(now).await?;
                self.hear(Event::Tick, now).await?;
            }
            Wakeup::Meters => self.read_meters(now).await?,
        }
        let more_follows = !self.heard.is_empty() || !self.reports.is_empty();
        if !self.answers.is_empty() || !more_follows || self.unwritten.len() >= MAX_UNWRITTEN {
            self.write().await?;
        }
        self.show(now);
        for (request, answer) in std::mem::take(&mut self.answers) {
            self.answer(request, answer);
        }
        Ok(true)
    }

    async fn next(&mut self) -> Wakeup {
        let now = self.clock.now();
        let wake = self.state.next_wake(now).and_then(|ticks| self.clock.instant(ticks));
        let latest = Instant::now() + LOOK_EVERY;
        let wake = wake.map_or(latest, |wake| wake.min(latest));
        let meters = self.metered + if self.moves() { traffic_sampler::BUSY } else { traffic_sampler::IDLE };
        tokio::select! {
            asked = self.faces.asked.recv() => Wakeup::Command(asked),
            Some(heard) = self.heard.recv() => Wakeup::Task(heard),
            Some(net) = self.finding.recv() => Wakeup::Found(net),
            Some(event) = self.reports.next() => Wakeup::Reported(event),
            () = tokio::time::sleep_until(wake.into()) => Wakeup::Time,
            () = tokio::time::sleep_until(meters.into()), if self.has_meters() => Wakeup::Meters,
        }
    }

    /// Lets the heart hear something, and does what follows.
    async fn hear(&mut self, event: Event, now: Now) -> Result<(), Fault> {
        self.said.push_back(event);
        while let Some(event) = self.said.pop_front() {
            let effects = core::handle(&mut self.state, event, now, seed()?);
            self.carry_out(effects, now).await?;
        }
        Ok(())
    }

    /// Has the heart hear something as soon as it has done what it is at.
    fn say(&mut self, event: Event) {
        self.said.push_back(event);
    }

    /// Writes receipts that were not written with a save.
    async fn write(&mut self) -> Result<(), Fault> {
        if self.unwritten.is_empty() { Ok(()) } else { self.save(&[]).await }
    }

    /// Saves changes, and with them the receipts that wait.
    async fn save(&mut self, changes: &[Change]) -> Result<(), Fault> {
        let failed = |error: StoreError| error.fault(&self.data_dir.join(store::FILE));
        self.store.save(changes, &self.unwritten).await.map_err(failed)?;
        self.unwritten.clear();
        for change in changes {
            if let Change::Put(Record::Profile(profile)) = change
                && self.retention_days != profile.retention_days
            {
                self.retention_days = profile.retention_days;
                self.forgotten = None;
            }
        }
        Ok(())
    }

    /// What changes without anybody saying so: the network, and what is old.
    async fn look_around(&mut self, now: Now) -> Result<(), Fault> {
        if let Some(news) = self.listening.as_mut().and_then(DirectListener::news) {
            self.hear(Event::Listening(Ok(news)), now).await?;
            self.hear(Event::Resumed, now).await?;
        }
        let is_due = self.forgotten.is_none_or(|last| last.elapsed() >= FORGET_EVERY);
        if is_due && self.retention_days > 0 {
            self.forgotten = Some(Instant::now());
            let kept = u64::from(self.retention_days).saturating_mul(DAY_MS);
            let before = UnixMillis(now.wall.0.saturating_sub(kept));
            let failed = |error: StoreError| error.fault(&self.data_dir.join(store::FILE));
            self.store.forget_receipts_before(before).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Whether numbers may move without anybody saying so.
    fn has_meters(&self) -> bool {
        self.unread || self.inlets.has_any() || self.outlets.are_live() || self.moves()
    }

    fn moves(&self) -> bool {
        let traffic = self.faces.traffic.borrow();
        let grants = traffic.grants.iter().map(|it| it.up_rate + it.down_rate);
        grants.chain(traffic.inlets.iter().map(|it| it.up_rate + it.down_rate)).any(|rate| rate > 0.0)
    }

    /// Reads what flows, and tells the heart what it shows of portals.
    async fn read_meters(&mut self, now: Now) -> Result<(), Fault> {
        self.unread = false;
        let elapsed = std::mem::replace(&mut self.metered, Instant::now()).elapsed();
        let carried = self.carried();
        let sum = |before: ByteCounts, now: ByteCounts| (before.0 + now.0, before.1 + now.1);
        let ever = |(id, now): &(GrantId, ByteCounts)| (*id, sum(self.state.carried_by_grant(*id, *now), *now));
        let grants = carried.grants.iter().map(ever).map(|(id, (up, down))| (id, up, down)).collect();
        let ever = |(id, now): &(InletId, ByteCounts)| (*id, sum(self.state.carried_by_inlet(*id, *now), *now));
        let inlets = carried.inlets.iter().map(ever).map(|(id, (up, down))| (id, up, down)).collect();
        let traffic = self.meters.read(grants, inlets, elapsed, now.wall);
        self.note(carried, now).await?;
        let lines = self.inlets.lines();
        self.faces.traffic.send_if_modified(|last| {
            let changed = !traffic_sampler::is_same(last, &traffic);
            if changed {
                *last = Arc::new(traffic);
            }
            changed
        });
        self.lines.retain(|id, _| lines.iter().any(|(kept, _)| kept == id));
        for (id, line) in lines {
            let (_, _, live) = line.read();
            let round_trip = line.round_trip();
            let (last_live, last_round_trip) = self.lines.insert(id, (live, round_trip)).unwrap_or_default();
            if live != last_live {
                self.hear(Event::InletLive(id, live), now).await?;
            }
            if let Some(round_trip) = round_trip.filter(|it| last_round_trip.is_none_or(|last| differs(last, *it))) {
                self.hear(Event::InletRoundTrip(id, round_trip), now).await?;
            } else {
                self.lines.insert(id, (live, last_round_trip));
            }
        }
        Ok(())
    }

    /// What the meters of this run say.
    fn carried(&self) -> TrafficTotals {
        let grants = self.outlets.meters().into_iter().map(|(id, it)| (id, (it.received(), it.sent())));
        let inlets = self.inlets.lines().into_iter().map(|(id, line)| {
            let (up, down, _) = line.read();
            (id, (up, down))
        });
        let mut carried = TrafficTotals { grants: grants.collect(), inlets: inlets.collect() };
        carried.grants.sort_unstable();
        carried.inlets.sort_unstable();
        carried
    }

    /// Has the heart note what was carried, if that is not what it noted last, and not too often.
    async fn note(&mut self, carried: TrafficTotals, now: Now) -> Result<(), Fault> {
        let (noted, at) = &self.noted;
        if *noted == carried {
            return Ok(());
        }
        if at.elapsed() < if self.outlets.are_live() { NOTE_EVERY } else { NOTE_AT_REST } {
            self.unread = true;
            return Ok(());
        }
        let event = carried.since(noted);
        self.noted = (carried, Instant::now());
        self.hear(event, now).await
    }

    /// Shows the state, if it looks different now.
    fn show(&self, now: Now) {
        let mut snapshot = self.state.snapshot(now);
        self.add_trouble(&mut snapshot, self.damage.as_ref());
        self.faces.snapshot.send_if_modified(|last| {
            let changed = **last != snapshot;
            if changed {
                *last = Arc::new(snapshot);
            }
            changed
        });
    }

    fn show_end(&self, fault: &Fault) {
        let mut snapshot = self.state.snapshot(self.clock.now());
        self.add_trouble(&mut snapshot, Some(fault));
        self.faces.snapshot.send_replace(Arc::new(snapshot));
    }

    fn add_trouble(&self, snapshot: &mut Snapshot, trouble: Option<&Fault>) {
        if let Some(trouble) = trouble {
            snapshot.troubles.insert(0, trouble.clone());
            snapshot.status = Status::Attention;
        }
    }

    /// Ends everything; whoever still waits hears why.
    async fn end(mut self, why: &Fault) {
        self.faces.asked.close();
        for (_, waiting) in self.waiting.drain() {
            waiting.answer(Err(why.clone()));
        }
        for (_, answer) in self.early.drain(..) {
            let _ = answer.send(Err(why.clone()));
        }
        self.listening = None;
        if let Some(net) = self.net.take() {
            // What gates report meanwhile is written too; what tasks tell is heard by nobody any more.
            let (_, heard) = mpsc::channel(1);
            drop(std::mem::replace(&mut self.heard, heard));
            net.close().await;
        }
        let now = self.clock.now();
        let mut last = vec![self.carried().since(&self.noted.0)];
        last.extend(std::iter::from_fn(|| self.reports.now()));
        let mut changes = Vec::new();
        for event in last {
            let Ok(seed) = seed() else { break };
            for effect in core::handle(&mut self.state, event, now, seed) {
                match effect {
                    Effect::Audit(deed) => self.unwritten.push((now.wall, deed)),
                    Effect::Save(more) => changes.extend(more),
                    _ => {}
                }
            }
        }
        if why.code == Code::Stopped && self.save(&changes).await.is_err() {
            tracing::error!("the last receipts cannot be written");
        }
        self.store.close().await;
    }
}

/// Whether a round trip is worth telling: it changed by more than a fifth, and by more than a millisecond.
fn differs(last: u32, now: u32) -> bool {
    last.abs_diff(now) > 1 && last.abs_diff(now) > last / 5
}

/// Fresh randomness of the system.
fn seed() -> Result<[u8; 32], Fault> {
    let mut seed = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| Fault::new(Code::Failed, format!("The system gives no random numbers: {error}.")))?;
    Ok(seed)
}
