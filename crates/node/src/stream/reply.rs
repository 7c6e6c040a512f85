//! Where a direction of a stream receives the hub's answers, and the first requests that both directions make.

use super::error::StreamError;
use super::path::Link;
use super::protocol::{EXTENDED_PREFIX, IndexReply, SHARE_MAX, Status, StreamReply, StreamRequest};
use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::Identifier;
use crate::local_message::BorrowedMessage;
use crate::route::Route;
use crate::router::{Endpoint, Registration};
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How long a request to a stream service waits for its answer, before it is made again: as long as the programs before Postern
/// waited (`docs/wire.md` §15.2).
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes in a second that a connection to a hub is expected to carry: 1 Mbit/s, a slow mobile network. At less a large batch is sent
/// again before it has arrived, and is then a smaller one.
const SLOW_RATE: usize = 128 * 1024;
/// Answers that wait to be read: more than an honest hub has on the way to one direction. Others are dropped.
const REPLIES_MAX: usize = 4 * super::window::BATCHES_MAX;

/// How long an answer may take where so many bytes are sent before it, or with it.
pub(super) fn answer_timeout(bytes: usize) -> Duration {
    ANSWER_TIMEOUT + Duration::from_secs((bytes / SLOW_RATE) as u64)
}

/// What a hub answers.
pub(super) enum Reply {
    Stream(StreamReply, Route),
    Index(IndexReply),
}

/// An address of this node that the hub's answers come to. Dropping it frees the address.
pub(super) struct ReplyPort {
    core: Arc<Core>,
    address: Address,
    registration: Registration,
    replies: mpsc::Receiver<Reply>,
}

impl ReplyPort {
    pub(super) fn open(core: &Arc<Core>, link: &Link, partition: Option<u64>) -> Result<Self, StreamError> {
        let (address, (taken, replies)) = (Address::random(), mpsc::channel(REPLIES_MAX));
        let registration =
            core.router.add_endpoint(address.clone(), Arc::new(ReplyEndpoint { replies: taken, partition }))?;
        if let Some(origin) = link.origin() {
            core.router.expose(&address, origin);
        }
        Ok(Self { core: core.clone(), address, registration, replies })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next answer. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Result<Reply, StreamError> {
        self.replies.recv().await.ok_or(StreamError::Stopped)
    }
}

impl Drop for ReplyPort {
    fn drop(&mut self) {
        self.core.router.release(&self.address, self.registration);
    }
}

/// Decodes answers in the buffer that they were read into.
struct ReplyEndpoint {
    replies: mpsc::Sender<Reply>,
    partition: Option<u64>,
}

impl Endpoint for ReplyEndpoint {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let payload = message.body.payload();
        let reply = match StreamReply::decode(payload) {
            // There is one for each partition.
            Some(StreamReply::CreatedPartition { partition, .. }) if self.partition != Some(partition) => {
                return Ok(Delivery::default());
            }
            Some(reply) => Reply::Stream(reply, message.full_return_route()),
            None => Reply::Index(IndexReply::decode(payload).ok_or(Undeliverable::Malformed)?),
        };
        // One that is lost is asked for again.
        self.replies.try_send(reply).map_err(|_| Undeliverable::Full)?;
        Ok(Delivery::default())
    }
}

/// Waits for the answer that `pick` takes.
pub(super) async fn answer<T>(
    link: &Link,
    port: &mut ReplyPort,
    (service, timeout): (&str, Duration),
    mut pick: impl FnMut(Reply) -> Option<Result<T, StreamError>>,
) -> Result<T, StreamError> {
    let answered = async {
        loop {
            if let Some(answer) = pick(port.next().await?) {
                return answer;
            }
        }
    };
    tokio::select! {
        () = link.ended() => Err(StreamError::Disconnected),
        answered = time::timeout(timeout, answered) => {
            answered.unwrap_or_else(|_| Err(StreamError::NoAnswer { service: service.to_owned(), waited: timeout }))
        }
    }
}

/// Which stream a direction uses, and how.
pub(super) struct StreamSpec {
    pub(super) service: Address,
    pub(super) name: String,
    /// How many the stream is to have, and the one to use; nothing for streams without partitions.
    pub(super) partition: Option<(u64, u64)>,
    pub(super) share_with: Vec<Identifier>,
}

/// A stream at a hub.
pub(super) struct RemoteStream {
    pub(super) route: Route,
    /// It understands the extensions.
    pub(super) extended: bool,
}

impl StreamSpec {
    /// Creates the stream, or finds it.
    pub(super) async fn create(&self, link: &Link, port: &mut ReplyPort) -> Result<RemoteStream, StreamError> {
        if !self.share_with.is_empty() && !link.is_authenticated() {
            return Err(StreamError::CannotShare);
        }
        let name = Some(self.name.clone());
        let request = match self.partition {
            None => StreamRequest::Create { name },
            Some((partitions, _)) => StreamRequest::CreatePartitioned { name, partitions },
        };
        link.send(&link.to(&self.service), port, request.encode()).await?;
        let service = self.service.to_string();
        let route = answer(link, port, (&service, ANSWER_TIMEOUT), |reply| match reply {
            Reply::Stream(StreamReply::Created { name }, route) if self.partition.is_none() && name == self.name => {
                Some(Ok(route))
            }
            Reply::Stream(StreamReply::CreatedPartition { name, .. }, route) if name == self.name => Some(Ok(route)),
            Reply::Stream(StreamReply::Error { reason }, _) => {
                Some(Err(StreamError::refused("create", &self.name, None, &reason)))
            }
            _ => None,
        })
        .await?;
        let extended = route.back().is_some_and(|address| address.value().starts_with(EXTENDED_PREFIX.as_bytes()));
        Ok(RemoteStream { route, extended })
    }

    /// Shares the stream with the identities it is to be shared with. One that belongs to somebody else is theirs to share.
    pub(super) async fn share(
        &self,
        link: &Link,
        port: &mut ReplyPort,
        stream: &RemoteStream,
    ) -> Result<(), StreamError> {
        if !self.share_with.is_empty() && !stream.extended {
            return Err(StreamError::CannotShare);
        }
        for (number, identities) in (0..).zip(self.share_with.chunks(SHARE_MAX)) {
            let request = StreamRequest::Share { request_id: number, identities: identities.to_vec() };
            link.send(&stream.route, port, request.encode()).await?;
            let status = answer(link, port, (&self.name, ANSWER_TIMEOUT), |reply| match reply {
                Reply::Stream(StreamReply::Shared { request_id, status }, _) if request_id == number => {
                    Some(Ok(status))
                }
                _ => None,
            });
            match status.await? {
                Status::Done => {}
                Status::Denied => {
                    tracing::debug!(stream = %self.name, "the stream belongs to somebody else, who shares it");
                }
                status => return Err(StreamError::refused("share", &self.name, Some(status), "")),
            }
        }
        Ok(())
    }
}
