//! A pair of logs between two nodes, as streams on a hub are: durable, and as faulty as wanted.

use crate::address::Address;
use crate::core::Core;
use crate::delivery::Delivery;
use crate::local_message::{BorrowedMessage, PayloadBuf};
use crate::origin::{Origin, OriginId, Source};
use crate::reliable::event::Event;
use crate::route::Route;
use crate::router::Endpoint;
use crate::sync::lock;
use crate::undeliverable::Undeliverable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// The address of the producer, in either node.
pub(super) const TO_PEER: &str = "to_peer";

struct Record {
    onward: Route,
    return_route: Route,
    payload: Vec<u8>,
}

/// Of a hundred records, how many are lost, repeated, and overtaken by the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) lost: u32,
    pub(super) repeated: u32,
    pub(super) reordered: u32,
}

/// Both logs; the index is the side that reads.
pub(super) struct Logs {
    queues: [Mutex<VecDeque<Record>>; 2],
    added: [Notify; 2],
    faults: Mutex<(Faults, StdRng)>,
    /// While it is set everything is lost.
    pub(super) is_broken: AtomicBool,
    /// Records that were put in.
    pub(super) records: AtomicU64,
}

impl Logs {
    pub(super) fn new(faults: Faults, seed: u64) -> Arc<Self> {
        let faults = Mutex::new((faults, StdRng::seed_from_u64(seed)));
        let (queues, added) = Default::default();
        Arc::new(Self { queues, added, faults, is_broken: AtomicBool::new(false), records: AtomicU64::new(0) })
    }

    /// No more faults from now on.
    pub(super) fn repair(&self) {
        lock(&self.faults).0 = Faults::default();
    }

    fn push(&self, reader: usize, record: Record) {
        self.records.fetch_add(1, Ordering::Relaxed);
        if self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        let (faults, random) = &mut *lock(&self.faults);
        let mut queue = lock(&self.queues[reader]);
        let mut happens = |percent| random.random_range(0..100) < percent;
        if happens(faults.lost) {
            return;
        }
        let copies = if happens(faults.repeated) { 2 } else { 1 };
        let at = if happens(faults.reordered) { queue.len().saturating_sub(1) } else { queue.len() };
        for _ in 0..copies {
            let Record { onward, return_route, payload } = &record;
            let (onward, return_route, payload) = (onward.clone(), return_route.clone(), payload.clone());
            queue.insert(at, Record { onward, return_route, payload });
        }
        self.added[reader].notify_one();
    }

    fn pop(&self, reader: usize) -> Option<Record> {
        lock(&self.queues[reader]).pop_front()
    }
}

/// One side of the logs in a node.
pub(super) struct Side {
    core: Arc<Core>,
    logs: Arc<Logs>,
    side: usize,
    origin: OriginId,
}

impl Origin for Side {
    fn origin(&self) -> OriginId {
        self.origin
    }
}

struct Producer(Arc<Logs>, usize);

impl Endpoint for Producer {
    fn deliver(&self, message: BorrowedMessage<'_>) -> Result<Delivery, Undeliverable> {
        let onward = message.onward.rest().behind(None);
        let return_route = message.full_return_route();
        self.0.push(1 - self.1, Record { onward, return_route, payload: message.body.payload().to_vec() });
        Ok(Delivery::default())
    }
}

impl Side {
    pub(super) fn new(core: &Arc<Core>, logs: &Arc<Logs>, side: usize) -> Self {
        core.router.add_endpoint(TO_PEER.into(), Arc::new(Producer(logs.clone(), side))).unwrap();
        Self { core: core.clone(), logs: logs.clone(), side, origin: OriginId::fresh() }
    }

    /// Delivers what is in the log, for ever.
    pub(super) async fn consume(self, undeliverable: mpsc::UnboundedSender<Event>) {
        let source = Arc::new(Source::new(self.origin, TO_PEER.into(), CancellationToken::new()));
        loop {
            let Some(mut record) = self.logs.pop(self.side) else {
                self.logs.added[self.side].notified().await;
                continue;
            };
            let to: Option<Address> = record.onward.front();
            let message = BorrowedMessage {
                onward: record.onward.as_ref(),
                return_route: record.return_route.as_ref(),
                body: PayloadBuf::exactly(&mut record.payload),
                source: Some(&source),
                depth: 0,
                completion: None,
            };
            match self.core.router.dispatch(message) {
                Ok(taken) => drop(taken.flush_at_once()),
                Err(Undeliverable::UnknownAddress) => {
                    if let Some(address) = to {
                        let _ = undeliverable.send(Event::Undeliverable(address));
                    }
                }
                Err(_) => {}
            }
            tokio::task::yield_now().await;
        }
    }
}
