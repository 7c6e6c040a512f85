//! An index service: where clients have stopped. A place belongs to the identity that a secure channel with the hub says, so that
//! nobody moves another's; without one, to whoever knows its name.

use super::access::{Client, is_valid_name};
use super::service::Exposure;
use super::stats::StreamStats;
use super::storage::{IndexStorage, Place, Result, StorageError};
use crate::authorization::{self, Party};
use bytes::Bytes;
use postern_env::task::{self, JoinSet};
use postern_env::time::{self, Duration, Instant};
use postern_node::rate_limit::{Rate, RateLimiter};
use postern_node::stream::{IndexReply, IndexRequest, StreamReply};
use postern_node::{Context, ContextError, Node, Route, Routed};
use std::sync::Arc;

/// Rate limit of one client: chosen; a client saves at most once for each reply to a pull.
const RATE: Rate = Rate::new(1_024, Duration::from_millis(1));
/// Clients whose rate is remembered. It bounds the memory that strangers can take (about 1 MiB).
const CLIENTS: usize = 16_384;
/// Requests that wait for the storage; more are refused.
const WAITING: usize = 256;

/// The state of the service, owned by its only task.
struct IndexService<I> {
    context: Context,
    storage: I,
    exposure: Exposure,
    stats: Arc<StreamStats>,
    limiter: RateLimiter<Client>,
    started: Instant,
    found: JoinSet<(Route, Vec<u8>)>,
}

enum Event {
    Request(Routed<Bytes>),
    Found(Route, Vec<u8>),
    Ignored,
    Stopped,
}

/// Starts a service and exposes it. It ends with the node.
///
/// # Errors
/// The address is taken.
pub(crate) fn start(
    node: &Node,
    address: &'static str,
    storage: impl IndexStorage,
    exposure: Exposure,
    stats: Arc<StreamStats>,
) -> Result<(), postern_node::Error> {
    let context = node.context_at(address)?;
    for origin in [exposure.connections, exposure.channels] {
        node.expose(address, &origin)?;
    }
    let (limiter, started) = (RateLimiter::new(RATE, CLIENTS), time::now());
    let service = IndexService { context, storage, exposure, stats, limiter, started, found: JoinSet::new() };
    task::spawn(service.run());
    Ok(())
}

impl<I: IndexStorage> IndexService<I> {
    async fn run(mut self) {
        loop {
            let event = tokio::select! {
                received = self.context.receive::<Bytes>() => match received {
                    Ok(message) => Event::Request(message),
                    Err(ContextError::Stopped) => Event::Stopped,
                    Err(_) => Event::Ignored,
                },
                Some(found) = self.found.join_next() => found.map_or(Event::Ignored, |(to, reply)| Event::Found(to, reply)),
            };
            match event {
                Event::Request(message) => self.handle(&message),
                Event::Found(to, reply) => self.send(to, reply),
                Event::Ignored => {}
                Event::Stopped => break,
            }
        }
    }

    fn handle(&mut self, message: &Routed<Bytes>) {
        let Some(request) = IndexRequest::decode(message.body()) else {
            return tracing::debug!("a request to an index service could not be decoded and was ignored");
        };
        if let Err(error) = self.try_handle(&request, message) {
            self.stats.refused.add(1);
            // A save is not answered, so its client does not know what to do with an error.
            if let IndexRequest::Get(_) = request {
                self.send(message.return_route().clone(), StreamReply::Error { reason: error.reason }.encode());
            }
        }
    }

    fn try_handle(&mut self, request: &IndexRequest, message: &Routed<Bytes>) -> Result<()> {
        let (IndexRequest::Get(cursor) | IndexRequest::Save(cursor, _)) = request;
        if !self.limiter.allow(&Client::of(message), time::since(self.started)) {
            return Err(StorageError::unavailable("too many requests; wait a second"));
        }
        if !is_valid_name(&cursor.client_id) || !is_valid_name(&cursor.stream_name) {
            let reason = "names of clients and streams have 1 to 200 characters of a-z A-Z 0-9 . _ -; choose another";
            return Err(StorageError::unavailable(reason));
        }
        let identity = message.peer().copied();
        let verdict = authorization::of_index(request, Party::of_index(identity.as_ref()));
        if !verdict.allows(self.exposure.anonymous) {
            let reason = "this service is used over a secure channel with the hub only; use one, or set \
                          allow_anonymous = true in [kafka] of hub.toml";
            return Err(StorageError::unavailable(reason));
        }
        let (client, stream) = (cursor.client_id.clone(), cursor.stream_name.clone());
        let place = Place { identity, client, stream, partition: cursor.partition };
        match request {
            IndexRequest::Save(_, index) => self.storage.save(place, *index),
            IndexRequest::Get(cursor) if self.found.len() < WAITING => {
                let (work, to, cursor) = (self.storage.get(place), message.return_route().clone(), cursor.clone());
                let stats = self.stats.clone();
                self.found.spawn(async move {
                    let reply = match work.await {
                        Ok(index) => IndexReply { cursor, index }.encode(),
                        Err(error) => {
                            stats.errors.add(1);
                            StreamReply::Error { reason: error.reason }.encode()
                        }
                    };
                    (to, reply)
                });
                Ok(())
            }
            IndexRequest::Get(_) => Err(StorageError::unavailable("too many requests wait; try again in a second")),
        }
    }

    fn send(&self, to: Route, reply: Vec<u8>) {
        if let Err(error) = self.context.send_at_once(to, reply) {
            tracing::debug!(%error, "the answer of an index service could not be delivered; the client will ask again");
        }
    }
}
