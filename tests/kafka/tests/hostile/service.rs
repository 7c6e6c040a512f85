//! A hub whose stream services do what a hostile hub, or a hub with a hostile broker, can do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postern_node::stream::{
    EXTENDED_PREFIX, HeldPull, IndexReply, IndexRequest, PushBatch, Record, Status, StreamReply, StreamRequest,
};
use postern_node::{Address, Context, Node, Route, Routed, TcpListener, Worker, WorkerError};

/// Its services have the names of the real ones.
pub(crate) const STREAM: &str = "stream_kafka";
pub(crate) const INDEX: &str = "stream_kafka_index";

/// What it does with what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// What a service should.
    #[default]
    None,
    /// Confirms every third record without storing it.
    Drop,
    /// Stores every record three times.
    Duplicate,
    /// Stores every batch in reverse, and a lone record behind the next.
    Reorder,
    /// Serves each stream's records to whoever reads the other one.
    Swap,
    /// Confirms everything and stores nothing.
    Lose,
}

/// The logs, by name.
#[derive(Default)]
struct State {
    mischief: Mischief,
    logs: BTreeMap<String, Log>,
    places: BTreeMap<(String, String), u64>,
    pushed: u64,
}

#[derive(Default)]
struct Log {
    /// Those of the first `deleted` are empty and are not served.
    records: Vec<Vec<u8>>,
    deleted: u64,
    expected: BTreeMap<[u8; 16], u64>,
    kept_back: Option<Vec<u8>>,
    held: Option<(Route, HeldPull)>,
}

/// The hub. Stopped when dropped.
pub(crate) struct HostileHub {
    node: Node,
    listener: TcpListener,
    state: Arc<Mutex<State>>,
}

impl HostileHub {
    pub(crate) async fn start() -> Self {
        let node = Node::new();
        let state = Arc::new(Mutex::new(State::default()));
        let listener = node.tcp_listen("127.0.0.1:0").await.unwrap();
        let service = Service { node: node.clone(), listener: listener.clone(), state: state.clone() };
        node.start_worker(STREAM, service).unwrap();
        node.start_worker(INDEX, Index(state.clone())).unwrap();
        for address in [STREAM, INDEX] {
            node.expose(address, &listener).unwrap();
        }
        Self { node, listener, state }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// What it does from now on. What was kept back is stored.
    pub(crate) fn set(&self, mischief: Mischief) {
        let mut state = self.state();
        state.mischief = mischief;
        for log in state.logs.values_mut() {
            let kept = log.kept_back.take();
            log.records.extend(kept);
        }
    }

    /// Appends what a stream has a second time: an old log, replayed. Returns the indexes of the copies.
    pub(crate) fn replay(&self, name: &str) -> Range<u64> {
        let mut state = self.state();
        let log = state.logs.get_mut(name).expect("the stream exists");
        let old = log.records.clone();
        let first = old.len() as u64;
        log.records.extend(old);
        first..2 * first
    }

    /// Appends to a stream what another has.
    pub(crate) fn serve(&self, from: &str, to: &str) {
        let mut state = self.state();
        let foreign = state.logs[from].records.clone();
        state.logs.get_mut(to).expect("the stream exists").records.extend(foreign);
    }

    /// Deletes everything that a stream has, as retention does.
    pub(crate) fn delete(&self, name: &str) {
        let mut state = self.state();
        let log = state.logs.get_mut(name).expect("the stream exists");
        log.deleted = log.records.len() as u64;
    }

    /// How many records a stream has had.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.state().logs.get(name).map_or(0, |log| log.records.len())
    }

    pub(crate) async fn stop(self) {
        self.node.shutdown().await;
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Stores records as the mischief has it.
    fn store(&mut self, name: &str, records: Vec<Vec<u8>>) {
        let mischief = self.mischief;
        let log = self.logs.get_mut(name).expect("it was created");
        match mischief {
            Mischief::None | Mischief::Swap => log.records.extend(records),
            Mischief::Lose => {}
            Mischief::Drop => {
                for record in records {
                    self.pushed += 1;
                    if !self.pushed.is_multiple_of(3) {
                        log.records.push(record);
                    }
                }
            }
            Mischief::Duplicate => log.records.extend(records.into_iter().flat_map(|record| vec![record; 3])),
            Mischief::Reorder => {
                let mut records = records;
                records.reverse();
                match (records.len(), log.kept_back.take()) {
                    (1, None) => log.kept_back = records.pop(),
                    (_, kept) => log.records.extend(records.into_iter().chain(kept)),
                }
            }
        }
    }

    /// The name of the log that is served for a stream.
    fn served(&self, name: &str) -> String {
        let other = || self.logs.keys().find(|it| *it != name && it.contains("_to_")).cloned();
        let swapped = (self.mischief == Mischief::Swap).then(other).flatten();
        swapped.unwrap_or_else(|| name.to_owned())
    }

    fn read(&self, name: &str, index: u64, limit: u64) -> (u64, Vec<Record>) {
        let log = &self.logs[&self.served(name)];
        let from = index.max(log.deleted);
        let records = log.records.iter().enumerate().skip(from as usize).take(limit as usize);
        (log.deleted, records.map(|(index, data)| Record { index: index as u64, data: data.clone() }).collect())
    }
}

/// Creates streams.
struct Service {
    node: Node,
    listener: TcpListener,
    state: Arc<Mutex<State>>,
}

impl Worker for Service {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let Some(StreamRequest::Create { name: Some(name) }) = StreamRequest::decode(message.body()) else {
            return Ok(());
        };
        locked(&self.state).logs.entry(name.clone()).or_default();
        let address: Address = format!("{EXTENDED_PREFIX}{}", Address::random()).into();
        let worker = Stream { name, state: self.state.clone(), greeted: message.return_route().clone() };
        self.node.start_worker(address.clone(), worker)?;
        self.node.expose(address, &self.listener)?;
        Ok(())
    }
}

/// A stream's address, for one client.
struct Stream {
    name: String,
    state: Arc<Mutex<State>>,
    greeted: Route,
}

impl Worker for Stream {
    type Message = Vec<u8>;

    async fn initialize(&mut self, context: &mut Context) -> Result<(), WorkerError> {
        let created = StreamReply::Created { name: self.name.clone() };
        context.send(self.greeted.clone(), created.encode()).await?;
        Ok(())
    }

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let back = message.return_route().clone();
        match StreamRequest::decode(message.body()) {
            Some(StreamRequest::PushBatch(batch)) => {
                let reply = self.push(batch);
                context.send(back, reply.encode()).await?;
            }
            Some(StreamRequest::HeldPull(pull)) => {
                let mut state = locked(&self.state);
                state.logs.get_mut(&self.name).expect("it was created").held = Some((back, pull));
            }
            _ => {}
        }
        self.answer_held(context).await
    }
}

impl Stream {
    fn push(&self, batch: PushBatch) -> StreamReply {
        let mut state = locked(&self.state);
        let PushBatch { request_id, producer, sequence, records } = batch;
        let log = state.logs.get_mut(&self.name).expect("it was created");
        let expected = *log.expected.entry(producer).or_insert(sequence);
        let known = expected.saturating_sub(sequence) as usize;
        let next_sequence = expected.max(sequence + records.len() as u64);
        log.expected.insert(producer, next_sequence);
        state.store(&self.name, records.into_iter().skip(known).collect());
        StreamReply::BatchPushed { request_id, status: Status::Done, next_sequence, reason: String::new() }
    }

    /// Answers every pull that there is something for.
    async fn answer_held(&self, context: &mut Context) -> Result<(), WorkerError> {
        let mut answers = Vec::new();
        {
            let mut state = locked(&self.state);
            let names: Vec<String> = state.logs.keys().cloned().collect();
            for name in names {
                let Some((back, pull)) = state.logs[&name].held.clone() else { continue };
                let (first, records) = state.read(&name, pull.index, pull.limit);
                if records.is_empty() {
                    continue;
                }
                state.logs.get_mut(&name).expect("it was listed").held = None;
                let next = records.last().map_or(pull.index, |record| record.index + 1);
                let (request_id, status, reason) = (pull.request_id, Status::Done, String::new());
                let reply = StreamReply::HeldPulled { request_id, status, first, next, records, reason };
                answers.push((back, reply.encode()));
            }
        }
        for (back, reply) in answers {
            context.send(back, reply).await?;
        }
        Ok(())
    }
}

/// Keeps places.
struct Index(Arc<Mutex<State>>);

impl Worker for Index {
    type Message = Vec<u8>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Vec<u8>>) -> Result<(), WorkerError> {
        let reply = match IndexRequest::decode(message.body()) {
            Some(IndexRequest::Save(cursor, index)) => {
                locked(&self.0).places.insert((cursor.client_id, cursor.stream_name), index);
                return Ok(());
            }
            Some(IndexRequest::Get(cursor)) => {
                let key = (cursor.client_id.clone(), cursor.stream_name.clone());
                let index = locked(&self.0).places.get(&key).copied();
                IndexReply { cursor, index }
            }
            None => return Ok(()),
        };
        context.send(message.return_route().clone(), reply.encode()).await?;
        Ok(())
    }
}
