//! Making a stream: which services, names and partition it uses, and who may reach what through it.

use super::consumer::{Consumer, ConsumerParts};
use super::deliverer::{Deliverer, UNKNOWN_MAX};
use super::direction::keep;
use super::error::StreamError;
use super::handle::{Stream, StreamParts};
use super::path::HubPath;
use super::producer::Producer;
use super::progress::Progress;
use super::protocol::is_valid_name;
use super::queue::{ProducerEndpoint, Queue};
use super::reply::StreamSpec;
use super::report::Report;
use crate::address::Address;
use crate::core::Core;
use crate::identity::Identifier;
use crate::origin::{OriginId, Source};
use postern_env::time::{self, Duration};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Address of a hub's embedded stream service.
pub const STREAM_SERVICE: &str = "stream";
/// Address of the index service beside it.
pub const INDEX_SERVICE: &str = "stream_index";
/// How long the producer of a stream that ends goes on sending what it has. Chosen: as a connection does that is closed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes a [`Stream`]; see [`Stream::new`].
#[must_use]
pub struct StreamBuilder {
    core: Arc<Core>,
    stream_service: Address,
    index_service: Address,
    client_id: String,
    partition: Option<(u64, u64)>,
    share_with: Vec<Identifier>,
    exposed: Vec<Address>,
}

impl StreamBuilder {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self {
            core: core.clone(),
            stream_service: STREAM_SERVICE.into(),
            index_service: INDEX_SERVICE.into(),
            client_id: Address::random().to_string(),
            partition: None,
            share_with: Vec::new(),
            exposed: Vec::new(),
        }
    }

    /// Address of the hub's stream service: `stream`, unless told otherwise; `stream_kafka` for Kafka.
    pub fn stream_service(mut self, address: impl Into<Address>) -> Self {
        self.stream_service = address.into();
        self
    }

    /// Address of the hub's index service: `stream_index`, unless told otherwise; `stream_kafka_index` for Kafka.
    pub fn index_service(mut self, address: impl Into<Address>) -> Self {
        self.index_service = address.into();
        self
    }

    /// The name that the place in the received stream is saved under. A program that keeps it goes on where it stopped when it
    /// is started again; without one a random name is used, and everything in the stream is read from its beginning.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Uses one partition of streams that have so many. Both programs must use the same. Each direction has one partition,
    /// because messages keep their order only within it.
    pub fn partition(mut self, partitions: u64, partition: u64) -> Self {
        self.partition = Some((partitions, partition));
        self
    }

    /// Lets these identities use the streams too. Only for streams that are created over a secure channel with the hub, as its
    /// identity: they belong to it; otherwise the stream stays down with [`StreamError::CannotShare`].
    pub fn share_with(mut self, identifiers: impl IntoIterator<Item = Identifier>) -> Self {
        self.share_with.extend(identifiers);
        self
    }

    /// Exposes an address to the stream before the first message is delivered: with [`Node::expose`](crate::Node::expose) what
    /// waited in the stream may come too early, and is skipped. It must exist when the stream is connected.
    pub fn expose(mut self, address: impl Into<Address>) -> Self {
        self.exposed.push(address.into());
        self
    }

    /// Connects: sends to the stream `sender_name`, receives from `receiver_name`, creates them if they do not exist. The other
    /// program uses the same names the other way round.
    ///
    /// Returns when both directions are up. From then on the stream keeps itself up, over a session even when the hub is away
    /// for long. Dropping the future ends the attempt.
    ///
    /// # Errors
    /// [`StreamError::InvalidName`], or why the first attempt failed. [`keep_connected`](Self::keep_connected) goes on trying.
    pub async fn connect(
        self,
        path: impl Into<HubPath>,
        sender_name: impl Into<String>,
        receiver_name: impl Into<String>,
    ) -> Result<Stream, Arc<StreamError>> {
        let stream = self.keep_connected(path, sender_name, receiver_name)?;
        stream.up().await?;
        Ok(stream)
    }

    /// Like [`connect`](Self::connect), but returns at once, and goes on trying where a first attempt fails: what is sent until
    /// then is kept, within limits. [`Stream::state`] tells.
    ///
    /// # Errors
    /// [`StreamError::InvalidName`], [`StreamError::NoSuchPartition`], [`StreamError::NoSuchAddress`].
    pub fn keep_connected(
        self,
        path: impl Into<HubPath>,
        sender_name: impl Into<String>,
        receiver_name: impl Into<String>,
    ) -> Result<Stream, StreamError> {
        let (path, sender, receiver) = (path.into(), self.spec(sender_name)?, self.spec(receiver_name)?);
        valid_name(self.client_id.clone())?;
        let (report, state) = Report::new();
        let (core, address) = (self.core.clone(), Address::random());
        let source = source_of_stream(&core, &address);
        self.exposed.iter().try_for_each(|exposed| match core.router.expose(exposed, source.origin) {
            true => Ok(()),
            false => Err(StreamError::NoSuchAddress(exposed.clone())),
        })?;
        let queue = Arc::new(Queue::new(report.clone()));
        let endpoint = ProducerEndpoint { queue: queue.clone(), source: source.clone() };
        core.router.add_endpoint(address.clone(), Arc::new(endpoint))?;
        let stop = core.stopping.child_token();
        let producing = (core.clone(), path.clone(), stop.clone(), address);
        spawn_producer(producing, sender, queue.clone(), report.clone());
        let unknown = self.spawn_consumer(path, receiver, &source, &report, &stop);
        Ok(Stream::of(StreamParts { core, source, state, report, queue, stop, unknown }))
    }

    fn spec(&self, name: impl Into<String>) -> Result<StreamSpec, StreamError> {
        match self.partition {
            Some((partitions, partition)) if partition >= partitions => {
                return Err(StreamError::NoSuchPartition { partitions, partition });
            }
            _ => {}
        }
        Ok(StreamSpec {
            service: self.stream_service.clone(),
            name: valid_name(name.into())?,
            partition: self.partition,
            share_with: self.share_with.clone(),
        })
    }

    /// Starts the receiving direction; where the addresses that nothing has are told.
    fn spawn_consumer(
        self,
        path: HubPath,
        spec: StreamSpec,
        source: &Arc<Source>,
        report: &Arc<Report>,
        stop: &CancellationToken,
    ) -> mpsc::Receiver<Address> {
        let Self { core, index_service, client_id, .. } = self;
        let progress = Progress::new(report.clone());
        // One reply is being delivered, and one waits.
        let (batches, delivered) = mpsc::channel(1);
        let (told, unknown) = mpsc::channel(UNKNOWN_MAX);
        let deliverer = Deliverer {
            core: core.clone(),
            source: source.clone(),
            progress: progress.clone(),
            report: report.clone(),
            unknown: told,
        };
        let stopped = stop.clone();
        core.spawn(async move {
            stopped.run_until_cancelled(deliverer.run(delivered)).await;
        });
        let (report, stop) = (report.clone(), stop.clone());
        let parts = ConsumerParts {
            core: core.clone(),
            spec,
            index_service,
            client_id,
            report,
            progress,
            batches,
            stop: stop.clone(),
        };
        core.spawn(keep(core.clone(), path, stop, Consumer::new(parts)));
        unknown
    }
}

fn spawn_producer(
    (core, path, stop, address): (Arc<Core>, HubPath, CancellationToken, Address),
    spec: StreamSpec,
    queue: Arc<Queue>,
    report: Arc<Report>,
) {
    // What was taken before the end is sent after it, if that works at once.
    let flushed = CancellationToken::new();
    let producer = Producer::new(core.clone(), spec, queue.clone(), report, flushed.clone());
    let running = keep(core.clone(), path, flushed.clone(), producer);
    core.clone().spawn(async move {
        let ending = async {
            stop.cancelled().await;
            let _ = time::timeout(FLUSH_TIMEOUT, queue.drained()).await;
            flushed.cancel();
        };
        tokio::join!(running, ending);
        queue.close();
        core.router.remove(&address);
    });
}

fn source_of_stream(core: &Arc<Core>, producer: &Address) -> Arc<Source> {
    let ended = core.disconnecting.child_token();
    // Not that of a connection to the hub: a channel through the stream outlives those.
    let source = Source::new(OriginId::fresh(), producer.clone(), ended);
    Arc::new(Source { authenticated: AtomicBool::new(true), ..source })
}

fn valid_name(name: String) -> Result<String, StreamError> {
    if is_valid_name(&name) { Ok(name) } else { Err(StreamError::InvalidName(name)) }
}
