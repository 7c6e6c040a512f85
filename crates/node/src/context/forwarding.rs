//! Forwarding: a worker in the middle of a route passes messages on.

use super::{Context, Result};
use crate::message::Routed;
use crate::route::Route;

/// What is forwarded counts as sent by this node: it reaches every address here, and everything that this node has a connection
/// to. A worker that is exposed and forwards along whatever the message says exposes all of that.
/// A route that came with a message connects nowhere: its transport hops are refused.
impl Context {
    /// Forwards a message to the hop behind this one on its route, and puts this address on the way of the answers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> postern_node::Result<()> {
    /// use postern_node::{Context, Echoer, Node, Routed, Worker, WorkerError, route};
    ///
    /// struct Hop;
    ///
    /// impl Worker for Hop {
    ///     type Message = bytes::Bytes;
    ///
    ///     async fn handle_message(&mut self, context: &mut Context, message: Routed<bytes::Bytes>) -> Result<(), WorkerError> {
    ///         Ok(context.step_forward(message).await?)
    ///     }
    /// }
    ///
    /// let node = Node::new();
    /// node.start_worker("echoer", Echoer)?;
    /// node.start_worker("h1", Hop)?;
    /// node.start_worker("h2", Hop)?;
    /// let reply = node.context()?.send_and_receive::<String>(route!["h1", "h2", "echoer"], "hello").await?;
    /// assert_eq!(reply.body(), "hello");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ContextError::Undeliverable`](super::ContextError::Undeliverable) when there is no hop behind this one, or it cannot be
    /// delivered there.
    pub async fn step_forward<M>(&mut self, message: Routed<M>) -> Result<()> {
        let (onward, mut return_route) = (message.remaining_route(), message.return_route().clone());
        return_route.push_front(self.address());
        self.forward(message, onward, return_route).await
    }

    /// Forwards a message along another route, and has its answers sent along another one too.
    ///
    /// The payload is passed on as it came. A message of a [`Stream`](crate::stream::Stream) counts as handled when the last
    /// receiver in this node has done with it.
    ///
    /// # Errors
    /// As for [`step_forward`](Self::step_forward).
    pub async fn forward<M>(
        &mut self,
        message: Routed<M>,
        onward: impl Into<Route>,
        return_route: impl Into<Route>,
    ) -> Result<()> {
        let mut message = message.into_owned_message();
        message.onward = onward.into();
        message.return_route = return_route.into();
        self.dispatch(message).await
    }
}
