//! A [`Context`] is a mailbox with an address: what a worker, or a plain program, sends and receives with.

use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::OwnedMessage;
use crate::message::{DecodeError, Message, Routed};
use crate::route::Route;
use crate::router::{AddressTaken, Registration};
use crate::undeliverable::Undeliverable;
use postern_env::time::{self, Duration};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Messages a mailbox holds.
pub const MAILBOX: usize = 256;
/// Messages that a context sets aside while it waits for another mailbox, before it gives up.
const MAX_DEFERRED: usize = 16 * MAILBOX;
/// How long [`Context::send_and_receive`] and [`Context::receive`] wait by default.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a message was not sent or received.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The first hop of a route could not be reached.
    #[error("cannot deliver: {0}")]
    Undeliverable(#[from] Undeliverable),
    /// Nothing came within the time.
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    /// The context or its node was stopped.
    #[error("the node was stopped")]
    Stopped,
    /// A payload was of another type than expected.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
}

type Result<T, E = ContextError> = std::result::Result<T, E>;

/// A mailbox with an address in a node. Dropping it frees the address.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> postern_node::Result<()> {
/// use postern_node::{Node, route};
///
/// let node = Node::new();
/// let mut receiver = node.context_at("receiver")?;
/// let mut sender = node.context()?;
/// sender.send(route!["receiver"], "hello").await?;
///
/// let message = receiver.receive::<String>().await?;
/// assert_eq!(message.body(), "hello");
/// receiver.send(message.return_route().clone(), "hello yourself").await?;
/// assert_eq!(sender.receive::<String>().await?.body(), "hello yourself");
/// # Ok(())
/// # }
/// ```
pub struct Context {
    core: Arc<Core>,
    address: Address,
    inbox: mpsc::Receiver<OwnedMessage>,
    /// What arrived while this context was waiting to send: the reason why two workers that send to each other
    /// cannot wait for each other.
    deferred: VecDeque<OwnedMessage>,
    stop: CancellationToken,
    registration: Registration,
}

impl Context {
    pub(crate) fn open(core: &Arc<Core>, address: Address, stop: CancellationToken) -> Result<Self> {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let registration = core.router.add_mailbox(address.clone(), mailbox)?;
        Ok(Self { core: core.clone(), address, inbox, deferred: VecDeque::new(), stop, registration })
    }

    /// The address that others reach this context at.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a message along a route, with this context as the place for answers.
    ///
    /// That it was sent does not mean that it arrived. Where the next mailbox or connection is full this waits,
    /// at most 5 seconds.
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`] when the first hop does not exist, is closed, or stays full.
    pub async fn send(&mut self, route: impl Into<Route>, message: impl Message) -> Result<()> {
        let (onward, return_route) = (route.into(), self.address.clone().into());
        self.dispatch(OwnedMessage { onward, return_route, payload: message.encode(), source: None, completion: None })
            .await
    }

    /// Sends a message like [`send`](Self::send), but never waits: for answers, that a peer who does not take them must
    /// not hold up what answers everybody. What a connection queues for such a peer ends the connection.
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`] as for `send`, and at once when the next mailbox is full.
    pub fn send_at_once(&self, route: impl Into<Route>, message: impl Message) -> Result<()> {
        let (onward, return_route) = (route.into(), self.address.clone().into());
        let message = OwnedMessage { onward, return_route, payload: message.encode(), source: None, completion: None };
        Ok(self.core.router.dispatch_local(message)?.flush_without_waiting()?)
    }

    async fn dispatch(&mut self, message: OwnedMessage) -> Result<()> {
        let delivery = self.core.router.dispatch_local(message)?;
        self.flush_and_wait(delivery).await.map_err(ContextError::from)
    }

    /// Waits with the delivery, and takes in what arrives meanwhile.
    async fn flush_and_wait(&mut self, delivery: Delivery) -> Result<(), Undeliverable> {
        let waiting = delivery.flush_and_wait();
        tokio::pin!(waiting);
        loop {
            tokio::select! {
                biased;
                waiting = &mut waiting => return waiting,
                Some(message) = self.inbox.recv() => {
                    if self.deferred.len() == MAX_DEFERRED {
                        return Err(Undeliverable::Full);
                    }
                    self.deferred.push_back(message);
                }
                () = self.stop.cancelled() => return Err(Undeliverable::Closed),
            }
        }
    }

    /// Sends a message from a fresh address and waits for the answer that comes back there.
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`] as for [`send`](Self::send), [`ContextError::Timeout`] after [`DEFAULT_TIMEOUT`],
    /// [`ContextError::Decode`] when the answer is of another type.
    pub async fn send_and_receive<R: Message>(
        &self,
        route: impl Into<Route>,
        message: impl Message,
    ) -> Result<Routed<R>> {
        self.send_and_receive_within(DEFAULT_TIMEOUT, route, message).await
    }

    /// [`send_and_receive`](Self::send_and_receive) with a time of its own.
    pub async fn send_and_receive_within<R: Message>(
        &self,
        timeout: Duration,
        route: impl Into<Route>,
        message: impl Message,
    ) -> Result<Routed<R>> {
        let route = route.into();
        let mut reply = Self::open(&self.core, Address::random(), self.stop.clone())?;
        if let Some(source) = route.as_ref().front().and_then(|front| self.core.router.source_of(front)) {
            self.core.router.expose(&reply.address, source.origin);
        }
        let answered = async {
            reply.send(route, message).await?;
            reply.receive_any().await
        };
        time::timeout(timeout, answered).await.map_err(|_| ContextError::Timeout(timeout))?
    }

    /// Waits for the next message, at most [`DEFAULT_TIMEOUT`].
    ///
    /// # Errors
    /// [`ContextError::Timeout`], [`ContextError::Stopped`], or [`ContextError::Decode`] when it is of another type (it is lost then).
    pub async fn receive<M: Message>(&mut self) -> Result<Routed<M>> {
        let received = time::timeout(DEFAULT_TIMEOUT, self.receive_any()).await;
        received.map_err(|_| ContextError::Timeout(DEFAULT_TIMEOUT))?
    }

    async fn receive_any<M: Message>(&mut self) -> Result<Routed<M>> {
        Ok(Routed::decode(self.next().await.ok_or(ContextError::Stopped)?)?)
    }

    pub(crate) async fn next(&mut self) -> Option<OwnedMessage> {
        let message = match self.deferred.pop_front() {
            Some(message) => message,
            None => tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                message = self.inbox.recv() => message,
            }?,
        };
        message.completion.as_ref().inspect(|completion| completion.taken());
        Some(message)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.core.router.release(&self.address, self.registration);
    }
}
