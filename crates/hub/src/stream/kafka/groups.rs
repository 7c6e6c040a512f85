//! The index service on the offsets of Kafka's consumer groups: one group for each client and identity.
//!
//! ```text
//! save, get ─► Groups ─► group of a client ─► its handle: commit, committed offsets      in order, in blocking calls
//! ```
//!
//! librdkafka has one group for each handle, and each handle has threads: so there is a bounded cache of them, and the one that was
//! silent longest makes room. A handle joins no group, it only reads and commits offsets.

use super::client::{HubConsumer, REQUEST_TIMEOUT};
use super::storage::Handles;
use crate::stream::storage::{IndexStorage, Pending, Place, Result, StorageError};
use postern_env::task;
use postern_env::time::{self, Duration};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Requests that wait for the task that knows the groups, and for one group. What finds no room is refused, and a save dropped:
/// then its client reads some records again.
const REQUESTS: usize = 1_024;
const REQUESTS_OF_GROUP: usize = 256;
/// Between two questions to a coordinator that is not ready. Chosen: short beside the seconds that it takes.
const COORDINATOR_PAUSE: Duration = Duration::from_millis(100);

/// A topic and partition.
type Position = (String, i32);

enum Request {
    Get { of: Position, reply: oneshot::Sender<Result<Option<u64>>> },
    Save { of: Position, index: u64 },
}

/// A handle to the groups. They end when the last one is dropped.
#[derive(Clone)]
pub(crate) struct KafkaGroups {
    requests: mpsc::Sender<(String, Request)>,
    handles: Arc<Handles>,
}

impl KafkaGroups {
    pub(crate) fn start(handles: Arc<Handles>) -> Self {
        let (requests, received) = mpsc::channel(REQUESTS);
        task::spawn(run(handles.clone(), received));
        Self { requests, handles }
    }

    /// The group: no name has `@`, so that no client can name the group of another's identity.
    fn group(&self, place: &Place) -> String {
        let prefix = &self.handles.client.settings.prefix;
        match &place.identity {
            None => format!("{prefix}{}", place.client),
            Some(identity) => format!("{prefix}{}@{identity}", place.client),
        }
    }

    fn position(&self, place: &Place) -> Position {
        let topic = format!("{}{}", self.handles.client.settings.prefix, place.stream);
        (topic, place.partition.map_or(0, |partition| i32::try_from(partition).unwrap_or(i32::MAX)))
    }
}

impl IndexStorage for KafkaGroups {
    fn get(&self, place: Place) -> Pending<Option<u64>> {
        let (reply, replied) = oneshot::channel();
        let request = Request::Get { of: self.position(&place), reply };
        let sent = match self.handles.client.health.trouble() {
            Some(trouble) => Err(StorageError::unavailable(trouble)),
            None => self.requests.try_send((self.group(&place), request)).map_err(|_| busy()),
        };
        Box::pin(async move {
            sent?;
            replied.await.unwrap_or_else(|_| Err(busy()))
        })
    }

    fn save(&self, place: Place, index: u64) -> Result<()> {
        let request = Request::Save { of: self.position(&place), index };
        self.requests.try_send((self.group(&place), request)).map_err(|_| busy())
    }
}

fn busy() -> StorageError {
    StorageError::unavailable("too many indexes are read and saved; try again in a second")
}

struct Group {
    requests: mpsc::Sender<Request>,
    used: u64,
}

async fn run(handles: Arc<Handles>, mut requests: mpsc::Receiver<(String, Request)>) {
    let most = handles.client.settings.groups;
    let mut groups: HashMap<String, Group> = HashMap::new();
    let mut clock = 0;
    while let Some((name, request)) = requests.recv().await {
        clock += 1;
        if groups.len() >= most && !groups.contains_key(&name) {
            let oldest = groups.iter().min_by_key(|(_, group)| group.used).map(|(name, _)| name.clone());
            // Its task ends when it has done what waits for it.
            oldest.and_then(|oldest| groups.remove(&oldest));
        }
        let group = groups.entry(name.clone()).or_insert_with(|| {
            let (requests, received) = mpsc::channel(REQUESTS_OF_GROUP);
            task::spawn(run_group(handles.clone(), name, received));
            Group { requests, used: 0 }
        });
        group.used = clock;
        if group.requests.try_send(request).is_err() {
            tracing::debug!("a consumer group has more to do than Kafka takes; an index is not saved, or not read");
        }
    }
}

async fn run_group(handles: Arc<Handles>, name: String, mut requests: mpsc::Receiver<Request>) {
    let mut consumer: Option<Arc<HubConsumer>> = None;
    while let Some(request) = requests.recv().await {
        let mut waiting = vec![request];
        while let Ok(request) = requests.try_recv() {
            waiting.push(request);
        }
        let opened = match &consumer {
            Some(consumer) => Ok(consumer.clone()),
            None => open(&handles, &name).await,
        };
        match opened {
            Ok(opened) => {
                serve(&handles, &opened, waiting).await;
                consumer = Some(opened);
            }
            Err(error) => waiting.into_iter().for_each(|request| refuse(request, &error)),
        }
    }
    // Closing a handle blocks.
    task::spawn_blocking(move || drop(consumer));
}

async fn open(handles: &Arc<Handles>, name: &str) -> Result<Arc<HubConsumer>> {
    let (client, name) = (handles.client.clone(), name.to_owned());
    let create = move || client.create_group(&name).map(Arc::new).map_err(StorageError::unavailable);
    handles.client.blocking(create).await
}

/// Serves requests in order; of saves in a row, the last of each position counts.
async fn serve(handles: &Arc<Handles>, consumer: &Arc<HubConsumer>, requests: Vec<Request>) {
    let mut saves = HashMap::new();
    for request in requests {
        match request {
            Request::Save { of, index } => drop(saves.insert(of, index)),
            Request::Get { of, reply } => {
                commit(handles, consumer, std::mem::take(&mut saves)).await;
                let _ = reply.send(committed(handles, consumer, of).await);
            }
        }
    }
    commit(handles, consumer, saves).await;
}

fn refuse(request: Request, error: &StorageError) {
    match request {
        Request::Get { reply, .. } => drop(reply.send(Err(error.clone()))),
        Request::Save { .. } => tracing::debug!(%error, "an index is not saved; its client may read records again"),
    }
}

/// Asks again while the group's coordinator is elected, or reads its log: in a new broker that takes seconds.
fn with_coordinator<T>(consumer: &HubConsumer, ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    let started = time::now();
    loop {
        match ask() {
            Err(error) if moves(&error) && time::since(started) < REQUEST_TIMEOUT => {
                // Nothing is assigned, so it waits.
                let _ = consumer.poll(COORDINATOR_PAUSE);
            }
            answer => return answer,
        }
    }
}

fn moves(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    let code = error.rdkafka_error_code();
    matches!(code, Some(NotCoordinator | CoordinatorNotAvailable | CoordinatorLoadInProgress))
}

async fn commit(handles: &Arc<Handles>, consumer: &Arc<HubConsumer>, saves: HashMap<Position, u64>) {
    if saves.is_empty() {
        return;
    }
    let (of, consumer) = (handles.clone(), consumer.clone());
    let work = move || {
        let topic = saves.keys().next().map(|(topic, _)| topic.clone()).unwrap_or_default();
        let explain = |error| of.client.explain(&topic, &error);
        let mut list = TopicPartitionList::new();
        for ((topic, partition), index) in &saves {
            let offset = Offset::Offset(i64::try_from(*index).unwrap_or(i64::MAX));
            list.add_partition_offset(topic, *partition, offset).map_err(explain)?;
        }
        let committed = with_coordinator(&consumer, || consumer.commit(&list, CommitMode::Sync)).map_err(explain);
        // Serves its callbacks.
        let _ = consumer.poll(Duration::ZERO);
        committed
    };
    if let Err(error) = handles.client.blocking(work).await {
        tracing::debug!(%error, "an index is not saved; its client may read records again");
    }
}

async fn committed(handles: &Arc<Handles>, consumer: &Arc<HubConsumer>, of: Position) -> Result<Option<u64>> {
    let (with, consumer) = (handles.clone(), consumer.clone());
    let work = move || {
        let (topic, partition) = of;
        let explain = |error| with.client.explain(&topic, &error);
        let mut list = TopicPartitionList::new();
        list.add_partition(&topic, partition);
        let ask = || consumer.committed_offsets(list.clone(), REQUEST_TIMEOUT);
        let list = with_coordinator(&consumer, ask).map_err(explain)?;
        let _ = consumer.poll(Duration::ZERO);
        let found = list.elements().first().map(|found| (found.error(), found.offset()));
        match found {
            Some((Err(error), _)) => Err(explain(error)),
            Some((Ok(()), Offset::Offset(offset))) => Ok(u64::try_from(offset).ok()),
            _ => Ok(None),
        }
    };
    handles.client.blocking(work).await
}
