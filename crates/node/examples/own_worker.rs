//! A worker of one's own: state that only its task touches, and messages of a type of one's own.
//!
//! ```sh
//! cargo run -p postern-node --example own_worker
//! ```
//!
//! It prints:
//!
//! ```text
//! 2 added: the total is 2
//! 40 added: the total is 42
//! ```

use postern_node::{Bare, Context, Node, Result, Routed, Worker, WorkerError, route};
use serde::{Deserialize, Serialize};

/// A request. `Bare` encodes any serde type in BARE, as `#[derive(ockam::Message)]` does.
#[derive(Serialize, Deserialize)]
struct Add {
    amount: i64,
}

/// A worker has one task, which handles one message at a time: its state needs no lock.
struct Adder {
    total: i64,
}

impl Worker for Adder {
    type Message = Bare<Add>;

    async fn handle_message(&mut self, context: &mut Context, message: Routed<Bare<Add>>) -> Result<(), WorkerError> {
        // Every message carries the route back to its sender.
        let sender = message.return_route().clone();
        let Bare(Add { amount }) = message.into_body();
        self.total += amount;
        context.send(sender, Bare(self.total)).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let node = Node::new();
    node.start_worker("adder", Adder { total: 0 })?;
    let context = node.context()?;
    for amount in [2, 40] {
        let reply = context.send_and_receive::<Bare<i64>>(route!["adder"], Bare(Add { amount })).await?;
        println!("{amount} added: the total is {}", reply.into_body().0);
    }
    node.shutdown().await;
    Ok(())
}
