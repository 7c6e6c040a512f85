//! The workers that the examples share. They print every message: a text as it is, what may be anything as `Any Message`.
//!
//! Releases of `ockam` up to 2024 print messages so, 0.150 a dump of its own data structure instead.

use postern_node::tcp::TcpConnection;
use postern_node::{Address, Context, Routed, Worker, WorkerError, route};

/// What may be any message.
type Any = bytes::Bytes;

/// Prints a message that a worker got, with its address as `ockam` writes local ones.
fn print(address: &Address, message: &str) {
    println!("Address: 0#{address}, Received: {message}");
}

/// Answers each text with the same.
pub(crate) struct Echoer;

impl Worker for Echoer {
    type Message = String;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<String>) -> Result<(), WorkerError> {
        print(context.address(), message.body());
        Ok(context.send(message.return_route().clone(), message.into_body()).await?)
    }
}

/// Passes each message on to the next hop of its route, and itself comes next on the way back.
pub(crate) struct Hop;

impl Worker for Hop {
    type Message = Any;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Any>) -> Result<(), WorkerError> {
        print(context.address(), "Any Message");
        Ok(context.step_forward(message).await?)
    }
}

/// Passes each message on to the node at the other end of a connection, whatever remains of its route.
pub(crate) struct Relay(pub(crate) TcpConnection);

impl Worker for Relay {
    type Message = Any;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Any>) -> Result<(), WorkerError> {
        print(context.address(), "Any Message");
        let mut onward = route![&self.0];
        onward.append(&message.remaining_route());
        let back = message.return_route().clone();
        // The answers do not come through this worker: they may go straight to where the message came from.
        let sender = back.front().ok_or("the message gives no way back")?;
        context.node().expose(sender, &self.0)?;
        Ok(context.forward(message, onward, back).await?)
    }
}
