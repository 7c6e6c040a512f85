//! A [`Context`] is a mailbox with an address: what a worker, or a plain program, sends and receives with.

mod access;
mod forwarding;

pub(crate) use access::AccessPolicies;

use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::OwnedMessage;
use crate::message::{DecodeError, Message, Routed};
use crate::route::Route;
use crate::router::{AddressTaken, Registration};
use crate::tcp::{self, TcpError};
use crate::undeliverable::Undeliverable;
use bytes::Bytes;
use postern_env::time::{self, Duration};
use std::collections::VecDeque;
use std::fmt;
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
    /// A payload was of another type than expected; the message is inside.
    #[error(transparent)]
    Decode(Box<UnexpectedMessage>),
    /// The address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
    /// The node that a transport hop of the route names could not be connected to.
    #[error(transparent)]
    Tcp(#[from] TcpError),
}

/// A message whose payload is of another type than the receiver asked for. Nothing of it is lost.
#[derive(thiserror::Error)]
#[error("{error}")]
pub struct UnexpectedMessage {
    /// What was expected.
    pub error: DecodeError,
    /// The message as it came.
    pub message: Routed<Bytes>,
}

impl fmt::Debug for UnexpectedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnexpectedMessage").field("error", &self.error).finish_non_exhaustive()
    }
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
    access: AccessPolicies,
}

impl Context {
    pub(crate) fn open(core: &Arc<Core>, address: Address, stop: CancellationToken) -> Result<Self> {
        Self::open_with(core, address, stop, AccessPolicies::default())
    }

    pub(crate) fn open_with(
        core: &Arc<Core>,
        address: Address,
        stop: CancellationToken,
        access: AccessPolicies,
    ) -> Result<Self> {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let registration = core.router.add_mailbox(address.clone(), mailbox)?;
        Ok(Self { core: core.clone(), address, inbox, deferred: VecDeque::new(), stop, registration, access })
    }

    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The address that others reach this context at.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a message along a route, with this context as the place for answers.
    ///
    /// `Ok` means that the message is queued for its next mailbox or connection, not that it arrived. While the queue of the
    /// connection is full this waits, however slow the receiver is; a full mailbox of this node is waited for at most 5 seconds.
    /// Dropping the future leaves a message that a connection has queued there. The first [transport hop](Address::tcp) of the route is connected to, unless this node has connected
    /// to it before.
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`] when the first hop does not exist, is a mailbox that stays full, is a connection that has
    /// ended, also while this waits for it, or is somewhere this context
    /// [may not send to](crate::WorkerOptions::send_to); [`ContextError::Tcp`] when a transport hop cannot be connected to.
    pub async fn send(&mut self, route: impl Into<Route>, message: impl Message) -> Result<()> {
        let return_route = self.address.clone();
        self.send_with_return_route(route, return_route, message).await
    }

    /// Sends a message like [`send`](Self::send), with another place for answers.
    ///
    /// # Errors
    /// As for `send`.
    pub async fn send_with_return_route(
        &mut self,
        route: impl Into<Route>,
        return_route: impl Into<Route>,
        message: impl Message,
    ) -> Result<()> {
        let onward = tcp::connect_hop(&self.core, route.into()).await?;
        let (return_route, payload) = (return_route.into(), message.encode());
        self.dispatch(OwnedMessage { onward, return_route, payload, source: None, completion: None }).await
    }

    /// Sends a message like [`send`](Self::send), but never waits: for answers, that a peer who does not take them must
    /// not hold up what answers everybody. What a connection queues for such a peer ends the connection.
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`] as for `send`, and at once when the next mailbox is full.
    pub fn send_at_once(&self, route: impl Into<Route>, message: impl Message) -> Result<()> {
        let (onward, return_route) = (route.into(), self.address.clone().into());
        let message = OwnedMessage { onward, return_route, payload: message.encode(), source: None, completion: None };
        self.access.check_outgoing(&self.core, &message.onward)?;
        Ok(self.core.router.dispatch_local(message)?.flush_without_waiting()?)
    }

    async fn dispatch(&mut self, message: OwnedMessage) -> Result<()> {
        self.access.check_outgoing(&self.core, &message.onward)?;
        let delivery = self.core.router.dispatch_local(message)?;
        self.flush_and_wait(delivery).await.map_err(ContextError::from)
    }

    /// Waits with the delivery, and takes in what arrives meanwhile.
    async fn flush_and_wait(&mut self, delivery: Delivery) -> Result<(), Undeliverable> {
        let waiting = delivery.flush_and_wait_for_connection();
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
        let (route, access) = (route.into(), self.access.only_outgoing());
        let mut reply = Self::open_with(&self.core, Address::random(), self.stop.clone(), access)?;
        let answered = async {
            // Once only: a second transport hop lies beyond another node.
            let onward = tcp::connect_hop(&self.core, route).await?;
            if let Some(source) = onward.as_ref().front().and_then(|front| self.core.router.source_of(front)) {
                self.core.router.expose(&reply.address, source.origin);
            }
            let (return_route, payload) = (reply.address.clone().into(), message.encode());
            reply.dispatch(OwnedMessage { onward, return_route, payload, source: None, completion: None }).await?;
            reply.receive_any().await
        };
        time::timeout(timeout, answered).await.map_err(|_| ContextError::Timeout(timeout))?
    }

    /// Waits for the next message, at most [`DEFAULT_TIMEOUT`].
    ///
    /// # Errors
    /// [`ContextError::Timeout`], [`ContextError::Stopped`], or [`ContextError::Decode`] with the message when it is of another
    /// type.
    pub async fn receive<M: Message>(&mut self) -> Result<Routed<M>> {
        self.receive_within(DEFAULT_TIMEOUT).await
    }

    /// Waits for the next message, at most so long, or as long as it takes with `None`. A drop of the future loses no message.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub async fn receive_within<M: Message>(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Routed<M>> {
        match timeout.into() {
            None => self.receive_any().await,
            Some(timeout) => {
                let received = time::timeout(timeout, self.receive_any()).await;
                received.map_err(|_| ContextError::Timeout(timeout))?
            }
        }
    }

    async fn receive_any<M: Message>(&mut self) -> Result<Routed<M>> {
        let message = self.next().await.ok_or(ContextError::Stopped)?;
        Routed::decode(message).map_err(|unexpected| {
            let (error, message) = *unexpected;
            ContextError::Decode(Box::new(UnexpectedMessage { error, message: Routed::undecoded(message) }))
        })
    }

    /// Stops this context: it receives nothing more, and a worker ends when it has returned from what it does now.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until this context or its node is stopped.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(crate) async fn next(&mut self) -> Option<OwnedMessage> {
        loop {
            let message = self.next_unchecked().await?;
            message.completion.as_ref().inspect(|completion| completion.taken());
            match self.access.check_incoming(&message) {
                Ok(()) => return Some(message),
                Err(reason) => self.core.dropped(reason),
            }
        }
    }

    async fn next_unchecked(&mut self) -> Option<OwnedMessage> {
        match self.deferred.pop_front() {
            Some(message) => Some(message),
            None => tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                message = self.inbox.recv() => message,
            },
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.core.router.release(&self.address, self.registration);
    }
}
