//! Streams through a hub in memory ([`service`]): order, loss, backpressure, and what is saved when.

mod behaviour;
mod faults;
mod owned;
mod service;

use postern_node::session::HubSession;
use postern_node::stream::{Stream, StreamBuilder};
use postern_node::{Bare, Context, Node, Route, Routed, Worker, WorkerError, route};
use service::{MiniHub, Storage};
use std::sync::Arc;
use tokio::sync::mpsc;

/// One of two programs that exchange messages: `a` sends to the stream `a_to_b`, and the other way round.
struct Program {
    node: Node,
    hub: HubSession,
    names: [&'static str; 2],
}

impl Program {
    fn new(hub: &str, names: [&'static str; 2]) -> Self {
        let node = Node::new();
        let hub = node.keep_connected(hub, None);
        Self { node, hub, names }
    }

    fn a(hub: &MiniHub) -> Self {
        Self::new(&hub.address(), ["a_to_b", "b_to_a"])
    }

    fn b(hub: &MiniHub) -> Self {
        Self::new(&hub.address(), ["b_to_a", "a_to_b"])
    }

    fn builder(&self) -> StreamBuilder {
        Stream::new(&self.node).client_id(if self.names[0] == "a_to_b" { "a" } else { "b" })
    }

    async fn connect(&self, builder: StreamBuilder) -> Stream {
        builder.connect(&self.hub, self.names[0], self.names[1]).await.unwrap()
    }
}

/// What is sent in most tests: a number, and bytes.
type Numbered = Bare<(u64, Vec<u8>)>;

fn numbered(number: u64, len: usize) -> Numbered {
    Bare((number, vec![number as u8; len]))
}

/// Hands every message to the test, which decides when it was handled: by dropping it.
struct Receiver(mpsc::UnboundedSender<Routed<Numbered>>);

impl Worker for Receiver {
    type Message = Numbered;

    async fn handle_message(&mut self, _: &mut Context, message: Routed<Numbered>) -> Result<(), WorkerError> {
        Ok(self.0.send(message).map_err(|_| "the test is over")?)
    }
}

/// A program that receives at `receiver`.
fn receiver(node: &Node) -> mpsc::UnboundedReceiver<Routed<Numbered>> {
    let (sender, messages) = mpsc::unbounded_channel();
    node.start_worker("receiver", Receiver(sender)).unwrap();
    messages
}

fn to_receiver(stream: &Stream) -> Route {
    route![stream, "receiver"]
}

/// A hub, and the two programs at it with their streams.
async fn pair(storage: &Arc<Storage>) -> (MiniHub, (Program, Stream), (Program, Stream), Received) {
    let hub = MiniHub::start(storage).await;
    let (a, b) = (Program::a(&hub), Program::b(&hub));
    let received = receiver(&b.node);
    let to_b = a.connect(a.builder()).await;
    let to_a = b.connect(b.builder().expose("receiver")).await;
    (hub, (a, to_b), (b, to_a), received)
}

type Received = mpsc::UnboundedReceiver<Routed<Numbered>>;
