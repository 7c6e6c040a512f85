//! A stream service: creates and finds streams, and decides who may use them.
//!
//! ```text
//! client ── create ─► Service ── starts ─► Partition (address ST_P1_…) ── created ─► client
//!                        │ ▲
//!                        │ └─ what was created: storage and catalog take time, in a task of their own
//!                        └─ access (watched by the partitions)
//! ```
//!
//! In: requests to create, requests to share that partitions pass on, and what came of creating. Out: partitions, and answers
//! that they send. Never: a stream that is reached over a plain connection although it belongs to somebody.

mod sweep;

use super::access::{Access, Client, SHARED_MAX, is_valid_name};
use super::database::{CatalogEntry, StreamDatabase};
use super::partition::{Control, Partition, Place, ShareRequest, Shared};
use super::settings::Quotas;
use super::stats::StreamStats;
use super::storage::{NewStream, Result, StorageError, StreamStorage};
use crate::authorization::{self, Party, Verdict};
use bytes::Bytes;
use postern_env::random;
use postern_env::task::{self, JoinSet};
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::{Identifier, Timestamp};
use postern_node::rate_limit::{Rate, RateLimiter};
use postern_node::stream::{EXTENDED_PREFIX, Status, StreamReply, StreamRequest};
use postern_node::{Address, Context, ContextError, Counter, Node, OriginId, Route, Routed};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};

/// Rate limit of one client's requests to create or find streams: a burst for a program that opens many when it starts, then
/// as many as one needs that reconnects.
const CREATE_RATE: Rate = Rate::new(256, Duration::from_millis(200));
/// Clients whose rate is remembered. It bounds the memory that strangers can take (about 1 MiB).
const CLIENTS: usize = 16_384;
/// KiB of records that all partitions of a service together may have on the way to the storage: chosen.
const BUDGET_KIB: usize = 64 * 1024;
/// Requests to share that wait for the service; more are refused as unavailable.
const SHARE_REQUESTS: usize = 64;
/// Messages that a partition is asked to send and has not sent yet.
const CONTROL: usize = 256;
/// Streams that are being created at once; a client that asks for one more is refused.
const CREATING: usize = 32;
/// Requests for one stream that wait until it is created.
const WAITING: usize = 16;
/// How often it is noted which streams are used, and those that nobody uses are deleted.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Whom the streams of a service are exposed to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exposure {
    /// The hub's listener for connections.
    pub(crate) connections: OriginId,
    /// Its listener for secure channels.
    pub(crate) channels: OriginId,
    /// Whether streams may be created without an identity.
    pub(crate) anonymous: bool,
}

/// A service to start.
pub(crate) struct ServiceOptions<S> {
    pub(crate) address: &'static str,
    pub(crate) storage: S,
    pub(crate) quotas: Quotas,
    pub(crate) exposure: Exposure,
    pub(crate) stats: Arc<StreamStats>,
}

/// The state of the service, owned by its only task.
struct Service<S: StreamStorage> {
    node: Node,
    context: Context,
    database: StreamDatabase,
    options: ServiceOptions<S>,
    streams: HashMap<String, Stream>,
    creating: HashMap<String, Vec<Asked>>,
    created: JoinSet<(NewStream, Result<CatalogEntry>)>,
    limiter: RateLimiter<Client>,
    started: Instant,
    shared: Shared,
}

/// A stream in the catalog.
struct Stream {
    access: watch::Sender<Arc<Access>>,
    logs: Vec<i64>,
    /// Its partitions, once somebody has asked for it in this run.
    open: Vec<mpsc::Sender<Control>>,
    used: Arc<Counter>,
}

/// A request for a stream.
struct Asked {
    peer: Option<Identifier>,
    /// None: a request without partitions.
    partitions: Option<u64>,
    reply_to: Route,
}

enum Event<T> {
    Request(Routed<Bytes>),
    Share(ShareRequest),
    Created(T),
    Sweep,
    Ignored,
    Stopped,
}

/// Starts a service and exposes it. It ends with the node.
///
/// # Errors
/// The catalog cannot be read, or the address is taken.
pub(crate) async fn start<S: StreamStorage>(
    node: &Node,
    database: &StreamDatabase,
    options: ServiceOptions<S>,
) -> Result<(), StorageError> {
    let unavailable = |error: postern_node::Error| StorageError::unavailable(error.to_string());
    let context = node.context_at(options.address).map_err(unavailable)?;
    for origin in [options.exposure.connections, options.exposure.channels] {
        node.expose(options.address, &origin).map_err(unavailable)?;
    }
    let entries = database.catalog(S::SERVICE).await?;
    let (service, share) = mpsc::channel(SHARE_REQUESTS);
    let budget = Arc::new(Semaphore::new(BUDGET_KIB));
    let shared = Shared { stats: options.stats.clone(), service, budget };
    let service = Service {
        node: node.clone(),
        context,
        database: database.clone(),
        streams: entries.into_iter().map(|entry| (entry.name.clone(), Stream::of(entry))).collect(),
        options,
        creating: HashMap::new(),
        created: JoinSet::new(),
        limiter: RateLimiter::new(CREATE_RATE, CLIENTS),
        started: time::now(),
        shared,
    };
    task::spawn(service.run(share));
    Ok(())
}

impl Stream {
    fn of(entry: CatalogEntry) -> Self {
        let access = Access { owner: entry.owner, shared: entry.shared.into_iter().collect() };
        let used = Counter::default();
        used.set(entry.used.0);
        Self { access: watch::Sender::new(Arc::new(access)), logs: entry.logs, open: Vec::new(), used: Arc::new(used) }
    }
}

impl<S: StreamStorage> Service<S> {
    async fn run(mut self, mut share: mpsc::Receiver<ShareRequest>) {
        let mut sweep = time::interval(SWEEP_INTERVAL);
        loop {
            let event = tokio::select! {
                received = self.context.receive::<Bytes>() => match received {
                    Ok(message) => Event::Request(message),
                    Err(ContextError::Stopped) => Event::Stopped,
                    Err(_) => Event::Ignored,
                },
                Some(request) = share.recv() => Event::Share(request),
                Some(created) = self.created.join_next() => created.map_or(Event::Ignored, Event::Created),
                _ = sweep.tick() => Event::Sweep,
            };
            match event {
                Event::Request(message) => self.handle(&message),
                Event::Share(request) => self.share(request).await,
                Event::Created((stream, result)) => self.finish(stream, result),
                Event::Sweep => self.sweep().await,
                Event::Ignored => {}
                Event::Stopped => break,
            }
            self.options.stats.streams.set(self.streams.len() as u64);
        }
    }

    fn handle(&mut self, message: &Routed<Bytes>) {
        let (name, partitions) = match StreamRequest::decode(message.body()) {
            Some(StreamRequest::Create { name }) => (name, None),
            Some(StreamRequest::CreatePartitioned { name, partitions }) => (name, Some(partitions)),
            _ => return tracing::debug!("a request to the stream service could not be decoded and was ignored"),
        };
        let asked = Asked { peer: message.peer().copied(), partitions, reply_to: message.return_route().clone() };
        if !self.limiter.allow(&Client::of(message), time::since(self.started)) {
            return self.refuse(&asked, "too many requests to create streams; wait a minute and try again");
        }
        message.keep_channel();
        let name = match name {
            Some(name) => name,
            None => match random::bytes::<8>() {
                Ok(bytes) => format!("generated_{}", hex::encode(bytes)),
                Err(error) => {
                    tracing::error!(%error, "the system has no randomness; a stream is not created");
                    return self.refuse(&asked, "the hub has no randomness; ask its operator to look at its log");
                }
            },
        };
        if !is_valid_name(&name) {
            return self.refuse(&asked, "a stream's name has 1 to 200 characters of a-z A-Z 0-9 . _ -; choose another");
        }
        self.open_or_create(name, asked);
    }

    fn open_or_create(&mut self, name: String, asked: Asked) {
        if let Some(waiting) = self.creating.get_mut(&name) {
            if waiting.len() < WAITING {
                return waiting.push(asked);
            }
            return self.refuse(&asked, "the stream is being created for others; try again in a second");
        }
        if self.streams.get(&name).is_some_and(|stream| !stream.open.is_empty()) {
            return self.announce(&name, &asked);
        }
        let new = match self.plan(name, &asked) {
            Ok(new) => new,
            Err(reason) => return self.refuse(&asked, &reason),
        };
        self.creating.insert(new.name.clone(), vec![asked]);
        self.create(new);
    }

    /// Whether somebody may create or find a stream, as far as that depends on who they are; otherwise the reason.
    fn check(&self, party: Party) -> Result<(), String> {
        let verdict = authorization::of_creation(party);
        if verdict.allows(self.options.exposure.anonymous) {
            return Ok(());
        }
        Err(match verdict {
            Verdict::IfConfigured => {
                "streams are created here over a secure channel with the hub only, so that they belong to somebody; \
                 use one, or set allow_anonymous = true in [kafka] of hub.toml"
                    .into()
            }
            Verdict::Allowed | Verdict::Refused => belongs_to_others(),
        })
    }

    /// Decides whether a stream may be created, or opened for the first time in this run.
    fn plan(&self, name: String, asked: &Asked) -> Result<NewStream, String> {
        if self.creating.len() >= CREATING {
            return Err("too many streams are being created; try again in a second".into());
        }
        if let Some(stream) = self.streams.get(&name) {
            let access = stream.access.borrow();
            self.check(access.party(asked.peer.as_ref()))?;
            return Ok(NewStream { name, partitions: stream.logs.len() as u64, owner: access.owner });
        }
        let Quotas { streams, partitions: most, .. } = self.options.quotas;
        let owner = asked.peer;
        let partitions = asked.partitions.unwrap_or(1);
        if !(1..=most).contains(&partitions) {
            return Err(format!("a stream here has 1 to {most} partitions; ask for as many"));
        }
        self.check(owner.map_or(Party::Anonymous, |_| Party::Owner))?;
        let of_owner = self.streams.values().filter(|stream| stream.access.borrow().owner == owner).count();
        if self.streams.len() >= streams || of_owner >= self.options.quotas.streams_of(owner.as_ref()) {
            return Err("the quota of streams is used up; use fewer, or raise [streams] streams or \
                        streams_per_identity in hub.toml"
                .into());
        }
        Ok(NewStream { name, partitions, owner })
    }

    /// Creates a stream in the storage, then in the catalog.
    fn create(&mut self, new: NewStream) {
        let known = self.streams.get(&new.name).map(|stream| stream.logs.clone());
        let (database, stream) = (self.database.clone(), new.clone());
        let creation = self.options.storage.create(new.clone(), known.is_some());
        self.created.spawn(async move {
            let result = async {
                let partitions = creation.await?;
                let logs = match known {
                    Some(logs) => logs,
                    None => database.add_stream(S::SERVICE, NewStream { partitions, ..new.clone() }).await?,
                };
                let NewStream { name, owner, .. } = new;
                Ok(CatalogEntry { name, owner, shared: Vec::new(), used: Timestamp::now(), logs })
            };
            (stream, result.await)
        });
    }

    /// Starts the partitions of a stream that was created, and answers who waits for it.
    fn finish(&mut self, new: NewStream, result: Result<CatalogEntry>) {
        let waiting = self.creating.remove(&new.name).unwrap_or_default();
        let opened = result.and_then(|entry| {
            let name = entry.name.clone();
            self.streams.entry(name.clone()).or_insert_with(|| Stream::of(entry));
            self.open(&name)
        });
        match opened {
            Ok(()) => waiting.iter().for_each(|asked| self.announce(&new.name, asked)),
            Err(error) => {
                self.options.stats.errors.add(1);
                tracing::debug!(%error, "a stream could not be created");
                waiting.iter().for_each(|asked| self.refuse(asked, &error.reason));
            }
        }
    }

    /// Starts a task for each partition.
    fn open(&mut self, name: &str) -> Result<()> {
        let Some(stream) = self.streams.get_mut(name) else { return Ok(()) };
        let is_owned = stream.access.borrow().owner.is_some();
        let unavailable = |error: postern_node::Error| StorageError::unavailable(error.to_string());
        let mut open = Vec::new();
        for (partition, id) in stream.logs.iter().enumerate() {
            let bytes = random::bytes::<16>().map_err(|error| StorageError::unavailable(error.to_string()))?;
            let address = Address::from(format!("{EXTENDED_PREFIX}{}", hex::encode(bytes)));
            let context = self.node.context_at(address.clone()).map_err(unavailable)?;
            self.node.expose(address.clone(), &self.options.exposure.channels).map_err(unavailable)?;
            if !is_owned {
                self.node.expose(address, &self.options.exposure.connections).map_err(unavailable)?;
            }
            let log = self.options.storage.log(name, partition as u64, *id);
            let (access, used) = (stream.access.subscribe(), stream.used.clone());
            let place = Place { stream: name.to_owned(), partition, log, access, used };
            let (control, received) = mpsc::channel(CONTROL);
            task::spawn(Partition::new(context, place, self.shared.clone()).run(received));
            open.push(control);
        }
        stream.open = open;
        Ok(())
    }

    /// Lets the partitions answer a request to create or find the stream.
    fn announce(&self, name: &str, asked: &Asked) {
        let Some(stream) = self.streams.get(name) else { return };
        if let Err(reason) = self.check(stream.access.borrow().party(asked.peer.as_ref())) {
            return self.refuse(asked, &reason);
        }
        stream.used.set(Timestamp::now().0);
        let wanted = asked.partitions.unwrap_or(1);
        if wanted == 0 || wanted > stream.open.len() as u64 {
            return self
                .refuse(asked, &format!("the stream exists with {} partitions; ask for as many", stream.open.len()));
        }
        for (partition, control) in stream.open.iter().enumerate().take(usize::try_from(wanted).unwrap_or(usize::MAX)) {
            let name = name.to_owned();
            let reply = match asked.partitions {
                None => StreamReply::Created { name },
                Some(_) => StreamReply::CreatedPartition { name, partition: partition as u64 },
            };
            let _ = control.try_send(Control { to: asked.reply_to.clone(), reply });
        }
    }

    fn refuse(&self, asked: &Asked, reason: &str) {
        self.options.stats.refused.add(1);
        let reply = StreamReply::Error { reason: reason.into() };
        if let Err(error) = self.context.send_at_once(asked.reply_to.clone(), reply.encode()) {
            tracing::debug!(%error, "the answer of the stream service could not be delivered; the client will ask again");
        }
    }

    async fn share(&mut self, request: ShareRequest) {
        let status = self.share_stream(&request).await;
        let Some(control) = self.streams.get(&request.stream).and_then(|it| it.open.get(request.partition)) else {
            return;
        };
        let reply = StreamReply::Shared { request_id: request.request_id, status };
        let _ = control.try_send(Control { to: request.reply_to, reply });
    }

    async fn share_stream(&mut self, request: &ShareRequest) -> Status {
        let Some(stream) = self.streams.get(&request.stream) else { return Status::Unavailable };
        let mut access = Access::clone(&stream.access.borrow());
        // The partition that passed the request on has asked the same; the owner may have changed since.
        if access.party(request.peer.as_ref()) != Party::Owner {
            return Status::Denied;
        }
        access.shared.extend(&request.identities);
        if access.shared.len() > SHARED_MAX {
            return Status::Full;
        }
        let (name, identities) = (request.stream.clone(), request.identities.clone());
        match self.database.share(S::SERVICE, name, identities).await {
            Ok(()) => {
                stream.access.send_replace(Arc::new(access));
                Status::Done
            }
            Err(error) => error.status,
        }
    }
}

fn belongs_to_others() -> String {
    "the stream belongs to another identity: choose another name, or let its owner share it with yours and use it over a \
     secure channel with the hub"
        .into()
}
