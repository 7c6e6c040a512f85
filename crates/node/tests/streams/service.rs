//! A hub with stream services in memory, written from `docs/wire.md` §15, with and without the extension, and with faults.

use bytes::Bytes;
use postern_node::stream::{
    EXTENDED_PREFIX, HeldPull, IndexReply, IndexRequest, PushBatch, Record, Status, StreamReply, StreamRequest,
};
use postern_node::{Address, Context, Node, Origin, OriginId, Route, Routed, TcpListener, Worker, WorkerError};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// What a hub keeps on its disk, and what tests change while it runs.
pub(crate) struct Storage {
    extended: bool,
    logs: Mutex<HashMap<String, Log>>,
    indexes: Mutex<HashMap<Place, u64>>,
    rng: Mutex<StdRng>,
    /// Permille of the pushes that fail. Of the confirmations, a fifth of that is lost: each may cost the time for an answer.
    pub(crate) faults: AtomicUsize,
    /// Pushes are stored and never confirmed.
    pub(crate) silent: AtomicBool,
    /// Records above this are refused.
    pub(crate) record_max: AtomicUsize,
    /// Every request is answered with this.
    pub(crate) refuse: Mutex<Option<(Status, String)>>,
    /// The protocols of all requests.
    pub(crate) protocols: Mutex<BTreeSet<String>>,
}

/// Of a client, in a stream or a partition of it.
type Place = (String, String, Option<u64>);

struct Log {
    first: u64,
    records: Vec<Vec<u8>>,
    end: watch::Sender<u64>,
}

impl Default for Log {
    fn default() -> Self {
        Self { first: 0, records: Vec::new(), end: watch::channel(0).0 }
    }
}

impl Log {
    fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn read(&self, index: u64, limit: u64, max_bytes: usize) -> Vec<Record> {
        let start = index.max(self.first);
        let skipped = (start - self.first) as usize;
        let mut bytes = 0;
        let records = self.records.iter().enumerate().skip(skipped).take(limit as usize);
        let fitting = records.take_while(|(_, record)| {
            let fits = bytes == 0 || bytes + record.len() <= max_bytes;
            bytes += record.len();
            fits
        });
        fitting.map(|(place, data)| Record { index: self.first + place as u64, data: data.clone() }).collect()
    }
}

impl Storage {
    pub(crate) fn new(extended: bool, seed: u64) -> Arc<Self> {
        println!("seed {seed}");
        Arc::new(Self {
            extended,
            logs: Mutex::default(),
            indexes: Mutex::default(),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            faults: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
            record_max: AtomicUsize::new(usize::MAX),
            refuse: Mutex::default(),
            protocols: Mutex::default(),
        })
    }

    fn log<T>(&self, name: &str, work: impl FnOnce(&mut Log) -> T) -> T {
        work(self.logs.lock().unwrap().entry(name.to_owned()).or_default())
    }

    pub(crate) fn len(&self, name: &str) -> u64 {
        self.log(name, |log| log.end())
    }

    /// The index that a client saved.
    pub(crate) fn saved(&self, client: &str, name: &str) -> Option<u64> {
        self.indexes.lock().unwrap().get(&(client.to_owned(), name.to_owned(), None)).copied()
    }

    /// Deletes the records before this index.
    pub(crate) fn delete_before(&self, name: &str, index: u64) {
        self.log(name, |log| {
            log.records.drain(..(index - log.first) as usize);
            log.first = index;
        });
    }

    /// Loses everything, as a hub does that keeps it in memory.
    pub(crate) fn lose(&self) {
        self.logs.lock().unwrap().clear();
        self.indexes.lock().unwrap().clear();
    }

    pub(crate) fn append(&self, name: &str, data: Vec<u8>) -> u64 {
        self.log(name, |log| {
            log.records.push(data);
            log.end.send_replace(log.first + log.records.len() as u64);
            log.end() - 1
        })
    }

    fn fails(&self) -> bool {
        self.draws(self.faults.load(Ordering::Relaxed))
    }

    fn draws(&self, permille: usize) -> bool {
        self.rng.lock().unwrap().random_range(0..1_000) < permille
    }

    fn note(&self, payload: &[u8]) {
        let len = payload.first().map_or(0, |len| usize::from(*len));
        let protocol = payload.get(1..=len).unwrap_or_default();
        self.protocols.lock().unwrap().insert(String::from_utf8_lossy(protocol).into_owned());
    }
}

/// A hub that runs.
pub(crate) struct MiniHub {
    pub(crate) node: Node,
    pub(crate) tcp: TcpListener,
}

impl MiniHub {
    pub(crate) async fn start(storage: &Arc<Storage>) -> Self {
        Self::start_at("127.0.0.1:0", storage).await
    }

    /// Starts at an address that another hub may just be leaving.
    pub(crate) async fn start_at(address: &str, storage: &Arc<Storage>) -> Self {
        let node = Node::new();
        let tcp = loop {
            match node.tcp_listen(address).await {
                Ok(tcp) => break tcp,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let service = Service { node: node.clone(), storage: storage.clone(), exposed_to: tcp.origin() };
        node.start_worker("stream", service).unwrap();
        node.start_worker("stream_index", IndexService { storage: storage.clone() }).unwrap();
        node.expose("stream", &tcp).unwrap();
        node.expose("stream_index", &tcp).unwrap();
        Self { node, tcp }
    }

    pub(crate) fn address(&self) -> String {
        self.tcp.local_addr().to_string()
    }

    /// Ends at once, and begins again at the same address.
    pub(crate) async fn restart(self, storage: &Arc<Storage>) -> Self {
        let address = self.address();
        self.stop().await;
        Self::start_at(&address, storage).await
    }

    pub(crate) async fn stop(self) {
        self.node.shutdown().await;
    }
}

struct Service {
    node: Node,
    storage: Arc<Storage>,
    exposed_to: OriginId,
}

impl Worker for Service {
    type Message = Bytes;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        self.storage.note(message.payload());
        let back = message.return_route().clone();
        if let Some((_, reason)) = self.storage.refuse.lock().unwrap().clone() {
            context.send_at_once(back, StreamReply::Error { reason }.encode())?;
            return Ok(());
        }
        let (name, partitions) = match StreamRequest::decode(message.payload()) {
            Some(StreamRequest::Create { name }) => (name, None),
            Some(StreamRequest::CreatePartitioned { name, partitions }) => (name, Some(partitions)),
            _ => return Ok(()),
        };
        let name = name.ok_or("a name")?;
        for partition in 0..partitions.unwrap_or(1) {
            let prefix = if self.storage.extended { EXTENDED_PREFIX } else { "ST_S_" };
            let address = Address::from(format!("{prefix}{}", Address::random()));
            let log = partitions.map_or_else(|| name.clone(), |_| format!("{name}/{partition}"));
            let created = match partitions {
                None => StreamReply::Created { name: name.clone() },
                Some(_) => StreamReply::CreatedPartition { name: name.clone(), partition },
            };
            let storage = self.storage.clone();
            let (producers, pulls) = (HashMap::new(), HashMap::new());
            let greeting = Some((back.clone(), created));
            let stream = StreamWorker { node: self.node.clone(), storage, log, producers, pulls, greeting };
            self.node.start_worker(&address, stream)?;
            self.node.expose(&address, &self.exposed_to)?;
        }
        Ok(())
    }
}

struct StreamWorker {
    node: Node,
    storage: Arc<Storage>,
    log: String,
    producers: HashMap<[u8; 16], u64>,
    pulls: HashMap<[u8; 16], tokio::task::JoinHandle<()>>,
    greeting: Option<(Route, StreamReply)>,
}

impl Worker for StreamWorker {
    type Message = Bytes;

    async fn initialize(&mut self, context: &mut Context) -> Result<(), WorkerError> {
        let (back, created) = self.greeting.take().ok_or("a greeting")?;
        Ok(context.send_at_once(back, created.encode())?)
    }

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        self.storage.note(message.payload());
        let back = message.return_route().clone();
        let reply = match StreamRequest::decode(message.payload()) {
            Some(StreamRequest::Push { request_id, data }) => self.push(request_id, data),
            Some(StreamRequest::Pull { request_id, index, limit }) => {
                let records = self.storage.log(&self.log, |log| log.read(index, limit, 1_000_000));
                Some(StreamReply::Pulled { request_id, records })
            }
            Some(StreamRequest::PushBatch(batch)) => self.push_batch(batch),
            Some(StreamRequest::HeldPull(pull)) => {
                self.held_pull(pull, back);
                return Ok(());
            }
            Some(StreamRequest::Share { request_id, .. }) => {
                Some(StreamReply::Shared { request_id, status: Status::Done })
            }
            _ => None,
        };
        if let Some(reply) = reply {
            context.send_at_once(back, reply.encode())?;
        }
        Ok(())
    }
}

impl StreamWorker {
    fn lost(&self) -> bool {
        let storage = &self.storage;
        storage.silent.load(Ordering::Relaxed) || storage.draws(storage.faults.load(Ordering::Relaxed) / 5)
    }

    fn push(&mut self, request_id: u64, data: Vec<u8>) -> Option<StreamReply> {
        if self.storage.fails() {
            return Some(StreamReply::Pushed { request_id, stored: false, index: 0 });
        }
        let index = self.storage.append(&self.log, data);
        (!self.lost()).then_some(StreamReply::Pushed { request_id, stored: true, index })
    }

    fn push_batch(&mut self, batch: PushBatch) -> Option<StreamReply> {
        let PushBatch { request_id, producer, sequence, records } = batch;
        let known = self.producers.get(&producer).copied();
        let expected = known.unwrap_or(sequence);
        let record_max = self.storage.record_max.load(Ordering::Relaxed);
        let refused = self.storage.refuse.lock().unwrap().clone();
        let (status, next_sequence, reason) = match refused {
            Some((status, reason)) => (status, expected, reason),
            None if sequence > expected => (Status::OutOfOrder, expected, "out of order".into()),
            None if self.storage.fails() => (Status::Unavailable, expected, "a fault of the test".into()),
            None if records.iter().any(|record| record.len() > record_max) => {
                (Status::TooLarge, expected, "too large for the test".into())
            }
            None => {
                let end = expected.max(sequence + records.len() as u64);
                for record in records.into_iter().skip((expected - sequence) as usize) {
                    self.storage.append(&self.log, record);
                }
                self.producers.insert(producer, end);
                if self.lost() {
                    return None;
                }
                (Status::Done, end, String::new())
            }
        };
        Some(StreamReply::BatchPushed { request_id, status, next_sequence, reason })
    }

    fn held_pull(&mut self, pull: HeldPull, back: Route) {
        let (storage, log, node) = (self.storage.clone(), self.log.clone(), self.node.clone());
        let answering = tokio::spawn(async move {
            let mut end = storage.log(&log, |log| log.end.subscribe());
            let there = end.wait_for(|end| *end != pull.index);
            let _ = tokio::time::timeout(Duration::from_millis(pull.wait_ms), there).await;
            let refused = storage.refuse.lock().unwrap().clone();
            let (status, reason) = refused.unwrap_or((Status::Done, String::new()));
            let reply = storage.log(&log, |log| {
                let records = match status {
                    Status::Done => log.read(pull.index, pull.limit, pull.max_bytes as usize),
                    _ => Vec::new(),
                };
                let next = records.last().map_or(log.end().min(pull.index.max(log.first)), |last| last.index + 1);
                let (request_id, first) = (pull.request_id, log.first);
                StreamReply::HeldPulled { request_id, status, first, next, records, reason }
            });
            let Ok(context) = node.context() else { return };
            let _ = context.send_at_once(back, reply.encode());
        });
        if let Some(replaced) = self.pulls.insert(pull.consumer, answering) {
            replaced.abort();
        }
    }
}

struct IndexService {
    storage: Arc<Storage>,
}

impl Worker for IndexService {
    type Message = Bytes;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bytes>) -> Result<(), WorkerError> {
        self.storage.note(message.payload());
        let key = |cursor: &postern_node::stream::Cursor| {
            (cursor.client_id.clone(), cursor.stream_name.clone(), cursor.partition)
        };
        match IndexRequest::decode(message.payload()).ok_or("an index request")? {
            IndexRequest::Save(cursor, index) => {
                self.storage.indexes.lock().unwrap().insert(key(&cursor), index);
                Ok(())
            }
            IndexRequest::Get(cursor) => {
                let index = self.storage.indexes.lock().unwrap().get(&key(&cursor)).copied();
                Ok(context.send_at_once(message.return_route().clone(), IndexReply { cursor, index }.encode())?)
            }
        }
    }
}
