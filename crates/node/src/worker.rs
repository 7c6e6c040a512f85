//! A [`Worker`] is an address with a mailbox and a task that handles what arrives there, one message at a time.

use crate::address::Address;
use crate::context::{AccessPolicies, Context};
use crate::identity::TrustPolicy;
use crate::message::{Message, Routed};
use crate::route::Route;
use std::future::Future;

/// What a worker may fail with: any error converts into it with `?`.
pub type WorkerError = Box<dyn std::error::Error + Send + Sync>;

/// Handles the messages of one address.
///
/// An error from [`handle_message`](Self::handle_message) is logged and the worker goes on; one from
/// [`initialize`](Self::initialize) stops it. Messages that are not a `Message` are dropped and logged.
pub trait Worker: Send + 'static {
    /// What it understands; [`bytes::Bytes`] for anything.
    type Message: Message;

    /// Runs before the first message.
    fn initialize(&mut self, _context: &mut Context) -> impl Future<Output = Result<(), WorkerError>> + Send {
        async { Ok(()) }
    }

    /// Runs for every message, in the order of their arrival.
    ///
    /// A message that came from a [`Stream`](crate::stream::Stream) counts as handled when this has returned and `message` was
    /// dropped: one that is kept comes again after a restart, and so do all behind it.
    fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<Self::Message>,
    ) -> impl Future<Output = Result<(), WorkerError>> + Send;

    /// Runs when the worker or its node is stopped.
    fn shutdown(&mut self, _context: &mut Context) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// How a worker is started.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> postern_node::Result<()> {
/// use postern_node::identity::TrustPolicy;
/// use postern_node::policy::Policy;
/// use postern_node::{Echoer, Node, WorkerOptions};
///
/// let node = Node::new();
/// let alice = node.create_identity().await?;
/// // By identifier, and by attributes that an authority attests.
/// node.start_worker_with("for-alice", Echoer, WorkerOptions::new().accept_from(TrustPolicy::only([alice.identifier()])))?;
/// let editors: Policy = "role=editor".parse().expect("it can be read");
/// node.start_worker_with("for-editors", Echoer, WorkerOptions::new().accept_from(editors))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct WorkerOptions(AccessPolicies);

impl WorkerOptions {
    /// No limits beside [`Node::expose`](crate::Node::expose).
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes messages from outside only from identities that the policy accepts: proven by the secure channel that the message
    /// came through. What comes without one is refused. The node's own workers may always send.
    #[must_use]
    pub fn accept_from(mut self, policy: impl Into<TrustPolicy>) -> Self {
        self.0.incoming = Some(policy.into());
        self
    }

    /// Lets messages leave this node only to identities that the policy accepts: those at the other end of the first secure
    /// channel of a route. Routes over a bare connection are refused. The node's own workers may always be sent to.
    #[must_use]
    pub fn send_to(mut self, policy: impl Into<TrustPolicy>) -> Self {
        self.0.outgoing = Some(policy.into());
        self
    }

    pub(crate) fn into_policies(self) -> AccessPolicies {
        self.0
    }
}

pub(crate) async fn run<W: Worker>(mut worker: W, mut context: Context) {
    let address = context.address().clone();
    match worker.initialize(&mut context).await {
        Ok(()) => serve(&mut worker, &mut context, &address).await,
        Err(error) => tracing::error!(%address, %error, "the worker could not start"),
    }
    worker.shutdown(&mut context).await;
}

async fn serve<W: Worker>(worker: &mut W, context: &mut Context, address: &Address) {
    while let Some(message) = context.next().await {
        // Held until the worker has done with the message, even if it drops that earlier.
        let completion = message.completion.clone();
        match Routed::decode(message) {
            Ok(message) => {
                if let Err(error) = worker.handle_message(context, message).await {
                    tracing::debug!(%address, %error, "a worker failed on a message");
                }
            }
            Err(unexpected) => tracing::debug!(%address, error = %unexpected.0, "a message was dropped"),
        }
        drop(completion);
    }
}

/// Sends every message back the way it came, payload untouched.
///
/// Whoever asks from another node and does not take the answers holds up nobody else: they are sent
/// [at once](Context::send_at_once).
///
/// ```
/// # use postern_node::{Echoer, Node, route};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> postern_node::Result<()> {
/// let node = Node::new();
/// node.start_worker("echoer", Echoer)?;
/// let reply: String = node.context()?.send_and_receive(route!["echoer"], "hello").await?.into_body();
/// assert_eq!(reply, "hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default, Clone, Copy)]
pub struct Echoer;

impl Worker for Echoer {
    type Message = bytes::Bytes;

    async fn handle_message(
        &mut self,
        context: &mut Context,
        message: Routed<bytes::Bytes>,
    ) -> Result<(), WorkerError> {
        let route = message.return_route().clone();
        answer(context, message.is_remote(), route, message.into_body()).await
    }
}

/// Sends every text back in upper case, as [`Echoer`] does.
#[derive(Debug, Default, Clone, Copy)]
pub struct Uppercase;

impl Worker for Uppercase {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        let route = message.return_route().clone();
        answer(context, message.is_remote(), route, message.body().to_uppercase()).await
    }
}

/// Answers a message. One from this node waits until there is room; one from another node must not make the next wait.
async fn answer(context: &mut Context, remote: bool, route: Route, body: impl Message) -> Result<(), WorkerError> {
    match remote {
        true => context.send_at_once(route, body)?,
        false => context.send(route, body).await?,
    }
    Ok(())
}
