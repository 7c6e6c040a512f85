//! The driver: runs the core. One task owns all state; work that takes time runs in other tasks and comes back as an event.
//!
//! ```text
//! frontends        ── EngineCommand ─►┌──────────────┐── effects, in order ──► store (awaited) · peer network · tasks
//! tasks            ── TaskEvent ─────►│    driver    │
//! admission control ── Event ────────►│ owns `State` │──► Snapshot (when it changed), Notice, Answer
//! clock            ── Tick ──────────►└──────────────┘
//! ```
//!
//! The path of an event: [`event_loop`] receives it, the core turns it into effects, [`effects`] executes them in order,
//! [`snapshot_publisher`] publishes the new snapshot, and then the answers are sent. A [`Save`](crate::core::Effect::Save)
//! is on disk before any effect behind it is executed. While it cannot be written, because the disk is full for instance, the driver
//! waits and tries again: going on would make promises that a restart forgets. Streams need no driver and go on meanwhile. If the
//! database is damaged, the engine stops.
//!
//! | files | subject |
//! |---|---|
//! | `event_loop`, `effects`, `requests`, `shutdown` | from an event to its effects and answers |
//! | `frontend`, `snapshot_publisher`, `traffic`, `traffic_sampler` | what frontends see |
//! | `persistence`, `identity_loader`, `clock` | stored data, the identity, time |
//! | `peer_network`, `node_context` | the node with its identity, and everything that needs both |
//! | `dialer`, `peer_rpc`, `peer_server`, `mail_transport` | reaching peers: connections, requests, notifications, mail |
//! | `hubs`, `hub_session`, `direct_listener` | being reachable |
//! | `inlets`, `inlet_task`, `inlet_path`, `portal_metrics` | portals of this person |
//! | `outlets`, `admission`, `admission_reports` | services of this person, and admission control |

mod admission;
mod admission_reports;
mod clock;
mod contacts;
mod dialer;
mod direct_listener;
mod effects;
mod event_loop;
mod frontend;
mod hub_session;
mod hubs;
mod identity_loader;
mod inlet_path;
mod inlet_task;
mod inlets;
mod mail_transport;
mod node_context;
mod outlets;
mod peer_network;
mod peer_rpc;
mod peer_server;
mod persistence;
mod portal_metrics;
mod requests;
mod shutdown;
mod snapshot_publisher;
mod traffic;
mod traffic_sampler;

pub(crate) use frontend::{EngineCommand, FrontendChannels, MAX_REQUESTS};

use crate::api::{Answer, AuditEvent, Code, CoreRequest, Fault, KeychainPlace, UnixMillis};
use crate::core::{self, Environment, Event, Record, RequestId, State};
use crate::identity::IdentityStore;
use crate::store::Store;
use admission_reports::{ReportReceiver, ReportSender};
use clock::Clock;
use direct_listener::DirectListener;
use frontend::ResponseSender;
use inlets::Inlets;
use node_context::TaskEvent;
use outlets::Outlets;
use peer_network::PeerNetwork;
use persistence::Unwritable;
use postern_env::time::Instant;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use tokio::sync::mpsc;
use traffic_sampler::TrafficSampler;

/// Events of tasks that may be queued; above, tasks wait (backpressure). Chosen.
const MAX_EVENTS: usize = 256;

/// The driver, and with it everything that lives as long as an engine does.
pub(crate) struct Driver {
    state: State,
    clock: Clock,
    /// Events that the driver itself has for the core, handled before anything from outside.
    internal_events: VecDeque<Event>,

    store: Store,
    data_dir: PathBuf,
    /// Audit entries that are written with the next save, or at the end of a batch of events.
    unwritten_audit: Vec<(UnixMillis, AuditEvent)>,
    /// Days for which audit entries are kept; 0 for ever.
    retention_days: u32,
    retention_checked: Option<Instant>,
    /// What was found damaged at the start.
    damage: Option<Fault>,
    /// Why nothing can be written, since the last attempt.
    unwritable: Option<Unwritable>,

    identity_store: IdentityStore,
    /// The keychain is being asked, and these requests need its answer.
    loading_identity: bool,
    deferred_requests: Vec<(CoreRequest, ResponseSender)>,
    loaded_identities: mpsc::Receiver<Result<PeerNetwork, Fault>>,
    loaded_identity_sender: mpsc::Sender<Result<PeerNetwork, Fault>>,

    /// Nothing until the identity is loaded.
    network: Option<PeerNetwork>,
    listen_address: String,
    direct_listener: Option<DirectListener>,
    outlets: Outlets,
    inlets: Inlets,
    events: mpsc::Receiver<TaskEvent>,
    event_sender: mpsc::Sender<TaskEvent>,
    admission_reports: ReportReceiver,

    frontends: FrontendChannels,
    /// Where the answers of the core go.
    pending_requests: HashMap<RequestId, ResponseSender>,
    /// Answers that are sent once the snapshot shows what they are about.
    answers: Vec<(RequestId, Result<Answer, Fault>)>,
    last_request: u64,
    traffic: TrafficSampler,
}

impl Driver {
    /// Opens the store, loads the state, and executes the core's first effects.
    ///
    /// # Errors
    /// The store cannot be opened or written, or the system has no random numbers.
    pub(crate) async fn start(
        data_dir: PathBuf,
        identity_store: IdentityStore,
        keychain: KeychainPlace,
        listen_address: String,
        frontends: FrontendChannels,
    ) -> Result<Self, Fault> {
        let opened = Store::open(&data_dir, clock::wall()).await?;
        let environment = Environment {
            data_dir: data_dir.display().to_string(),
            keychain,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let retention_days = opened.records.iter().find_map(|record| match record {
            Record::Profile(profile) => Some(profile.retention_days),
            _ => None,
        });
        let (event_sender, events) = mpsc::channel(MAX_EVENTS);
        // One: the identity is loaded once at a time.
        let (loaded_identity_sender, loaded_identities) = mpsc::channel(1);
        let (reports, admission_reports) = ReportSender::new();
        let mut driver = Self {
            state: State::load(opened.records, environment),
            clock: Clock::start(),
            internal_events: VecDeque::new(),
            store: opened.store,
            data_dir,
            unwritten_audit: Vec::new(),
            retention_days: retention_days.unwrap_or_default(),
            retention_checked: None,
            damage: opened.damage,
            unwritable: None,
            identity_store,
            loading_identity: false,
            deferred_requests: Vec::new(),
            loaded_identities,
            loaded_identity_sender,
            network: None,
            listen_address,
            direct_listener: None,
            outlets: Outlets::new(reports),
            inlets: Inlets::default(),
            events,
            event_sender,
            admission_reports,
            frontends,
            pending_requests: HashMap::new(),
            answers: Vec::new(),
            last_request: 0,
            traffic: TrafficSampler::new(),
        };
        let (now, _) = driver.clock.read();
        let effects = core::start(&mut driver.state, now, seed()?);
        driver.execute(effects, now).await?;
        driver.publish_snapshot(now);
        Ok(driver)
    }
}

/// Fresh randomness of the system for one event: the core makes ids and the secrets of tickets of it.
fn seed() -> Result<[u8; 32], Fault> {
    postern_env::random::bytes()
        .map_err(|error| Fault::new(Code::Failed, format!("The system has no random numbers: {error}.")))
}
