//! The computations of handshakes, beside the tasks that read connections.
//!
//! ```text
//! reader of a connection ┬ m2, m3 ─► FairQueue: turns of those who caused them ┬► threads of their own, half of the cores
//!                        └ m1 ─────► FairQueue, at least every fourth turn ─────┘
//! ```
//!
//! Verifying a key history costs up to 127 signature checks. On the task that reads a hub's connection, that would hold up
//! everybody behind the hub; on any thread of the runtime, every task that is due there. What waits is bounded, and whoever
//! has most waiting loses first.

use crate::core::Core;
use crate::fairness::FairQueue;
use crate::local_message::BorrowedMessage;
use crate::origin::{OriginId, SourceAddress};
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use postern_env::task;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Steps of handshakes that wait at once, of those that have begun and of new ones: as many as a listener's unfinished handshakes. A
/// step holds one message, of at most 64 KiB where the handshake has begun and of 32 bytes where not.
const WAITING_MAX: usize = 1_024;

/// Turns of handshakes that have begun for one of a new one. Chosen: whoever sends third messages that do not verify, as often as they
/// like, leaves a quarter to those who begin.
const BEGUN_TURNS: u8 = 3;

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
    /// Of handshakes that have begun: they have most of the turns, because both ends have computed for them already, and whoever only
    /// begins handshakes must not be in their way.
    begun: FairQueue<Cause, Step>,
    new: FairQueue<Cause, Step>,
    /// Turns that those which have begun had since a new one had one.
    begun_turns: u8,
    workers: usize,
}

/// Which message of a handshake a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first.
    New,
    /// The second or third.
    Begun,
}

/// Runs a step of a handshake soon, on a thread for work that takes long.
///
/// # Errors
/// [`Undeliverable::Full`] if too many wait. A step that was taken may be dropped later, when others come who have fewer, or
/// when the node shuts down.
pub(super) fn run(
    core: &Arc<Core>,
    stage: Stage,
    cause: Cause,
    step: impl FnOnce() + Send + 'static,
) -> Result<(), Undeliverable> {
    let queue: Arc<HandshakeQueue> = core.extension();
    let mut state = lock(&queue.0);
    let waiting = match stage {
        Stage::New => &mut state.new,
        Stage::Begun => &mut state.begun,
    };
    let pushed = waiting.push(cause, Box::new(step), WAITING_MAX);
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
        let (stopping, steps) = (core.stopping.clone(), queue.clone());
        let run = task::spawn_blocking(move || {
            while let Some(step) = steps.next(stopping.is_cancelled()) {
                step();
            }
        });
        // A step that panicked costs only its own handshake.
        if run.await.is_ok() {
            return;
        }
    }
}

impl State {
    /// The next step: after so many of handshakes that have begun, a new one if there is one.
    fn pop(&mut self) -> Option<Step> {
        if self.begun_turns < BEGUN_TURNS
            && let Some(step) = self.begun.pop()
        {
            self.begun_turns += 1;
            return Some(step);
        }
        self.begun_turns = 0;
        self.new.pop().or_else(|| self.begun.pop())
    }
}

impl HandshakeQueue {
    /// The next step; when there is none the worker that asks has ended.
    fn next(&self, is_stopping: bool) -> Option<Step> {
        let mut state = lock(&self.0);
        // What waits refers to the node, which could not be freed.
        let dropped = is_stopping.then(|| (std::mem::take(&mut state.begun), std::mem::take(&mut state.new)));
        let step = state.pop();
        state.workers -= usize::from(step.is_none());
        drop(state);
        drop(dropped);
        step
    }
}
