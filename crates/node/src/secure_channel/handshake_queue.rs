//! The computations of handshakes, beside the tasks that read connections.
//!
//! ```text
//! reader of a connection ─ m1, m2, m3 ─► FairQueue: turns of those who caused them ─► half of the runtime's threads
//! ```
//!
//! Verifying a key history costs up to 127 signature checks. On the task that reads a hub's connection, that would hold up
//! everybody behind the hub. What waits is bounded, and whoever has most waiting loses first.

use crate::core::Core;
use crate::fairness::FairQueue;
use crate::local_message::BorrowedMessage;
use crate::origin::{OriginId, SourceAddress};
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::task;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Steps of handshakes that wait at once: as many as a listener's unfinished handshakes. A step holds one message of at
/// most 64 KiB.
const WAITING_MAX: usize = 1_024;

/// Who causes a handshake, as far as somebody else than themselves says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cause {
    /// This node.
    Local,
    /// The other end of a connection that was accepted here.
    Address(SourceAddress),
    /// Somebody beyond a connection that was made here: told apart by the address that the node at its other end, a hub,
    /// has for them. They cannot choose it.
    Beyond(OriginId, u64),
}

impl Cause {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let Some(source) = message.source else { return Self::Local };
        if let Some(address) = source.address {
            return Self::Address(address);
        }
        let mut hasher = DefaultHasher::new();
        if message.return_route.len() > 1 {
            message.return_route.front().map(|hop| hop.encoded().to_vec()).hash(&mut hasher);
        }
        Self::Beyond(source.origin, hasher.finish())
    }
}

type Step = Box<dyn FnOnce() + Send>;

/// The steps that wait in a node.
#[derive(Default)]
struct HandshakeQueue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: FairQueue<Cause, Step>,
    workers: usize,
}

/// Runs a step of a handshake soon, on a task of its own.
///
/// # Errors
/// [`Undeliverable::Full`] if too many wait. A step that was taken may be dropped later, when others come who have fewer.
pub(super) fn run(core: &Arc<Core>, cause: Cause, step: impl FnOnce() + Send + 'static) -> Result<(), Undeliverable> {
    let queue: Arc<HandshakeQueue> = core.extension();
    let mut state = lock(&queue.0);
    let pushed = state.waiting.push(cause, Box::new(step), WAITING_MAX);
    if state.workers < (task::workers() / 2).max(1) {
        state.workers += 1;
        core.spawn(work(core.clone(), queue.clone()));
    }
    drop(state);
    let Some(lost) = pushed.lost else { return Ok(()) };
    core.stats.refused.add(1);
    drop(lost);
    if pushed.taken { Ok(()) } else { Err(Undeliverable::Full) }
}

async fn work(core: Arc<Core>, queue: Arc<HandshakeQueue>) {
    loop {
        let step = {
            let mut state = lock(&queue.0);
            match state.waiting.pop().filter(|_| !core.stopping.is_cancelled()) {
                Some(step) => step,
                None => {
                    state.workers -= 1;
                    return;
                }
            }
        };
        step();
        task::yield_now().await;
    }
}
