//! A [`DeliveryStore`] in memory: for tests, examples, and programs that do not have to survive a restart.

use super::message_id::{Epoch, Stamp};
use super::store::{
    Appended, DeliveryStore, Draft, EPOCHS_MAX, Incoming, Outgoing, Progress, StoreError, StoredMessage, Usage,
};
use crate::identity::Identifier;
use crate::sync::lock;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A store in memory. Clones are handles to the same store: one that is kept while a [`ReliableDelivery`](super::ReliableDelivery)
/// ends and another begins is what a file is to a program that restarts.
#[derive(Clone)]
pub struct MemoryDeliveryStore {
    state: Arc<Mutex<State>>,
    capacity: Usage,
}

/// Values by name, beside the deliveries, so that the effect of a handler can be part of a transaction.
#[derive(Default)]
pub struct MemoryTransaction {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone, Default)]
struct State {
    outgoing: HashMap<Identifier, OutgoingMessages>,
    incoming: HashMap<Identifier, VecDeque<(Epoch, Incoming)>>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Clone)]
struct OutgoingMessages {
    record: Outgoing,
    messages: BTreeMap<u64, (Stamp, Vec<u8>)>,
}

impl Default for MemoryDeliveryStore {
    fn default() -> Self {
        Self::with_capacity(Usage::DEFAULT_CAPACITY)
    }
}

impl MemoryDeliveryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that keeps at most so much for each peer.
    pub fn with_capacity(capacity: Usage) -> Self {
        Self { state: Arc::default(), capacity }
    }

    /// A copy of what is in it now.
    #[must_use]
    pub fn backup(&self) -> Self {
        Self { state: Arc::new(Mutex::new(lock(&self.state).clone())), capacity: self.capacity }
    }

    /// A value that a handler has put.
    pub fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        lock(&self.state).values.get(name).cloned()
    }
}

impl MemoryTransaction {
    /// Sets a value, when the transaction is committed.
    pub fn put(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.values.insert(name.into(), value.into());
    }
}

impl State {
    fn messages(&mut self, peer: &Identifier) -> Result<&mut OutgoingMessages> {
        if !self.outgoing.contains_key(peer) {
            let record = Outgoing::new(new_epoch()?);
            self.outgoing.insert(*peer, OutgoingMessages { record, messages: BTreeMap::new() });
        }
        Ok(self.outgoing.get_mut(peer).unwrap_or_else(|| unreachable!("it was just put there")))
    }

    /// Stores a message, for which the caller has found room.
    fn append(&mut self, draft: &Draft) -> Result<u64> {
        let to = self.messages(draft.peer())?;
        let sequence = to.record.next;
        let sealed = draft.seal(sequence)?;
        to.record.used.messages += 1;
        to.record.used.bytes += sealed.len() as u64;
        to.messages.insert(sequence, (draft.stamp(), sealed));
        to.record.next += 1;
        Ok(sequence)
    }

    fn write(&mut self, progress: &Progress) {
        let epochs = self.incoming.entry(progress.peer).or_default();
        match epochs.iter_mut().find(|(epoch, _)| *epoch == progress.epoch) {
            Some((_, incoming)) => *incoming = incoming.later(progress.incoming),
            None => {
                epochs.push_back((progress.epoch, progress.incoming));
                if epochs.len() > EPOCHS_MAX {
                    epochs.pop_front();
                }
            }
        }
    }
}

fn new_epoch() -> Result<Epoch> {
    Epoch::random().map_err(|_| StoreError::NoRandomness)
}

impl DeliveryStore for MemoryDeliveryStore {
    type Transaction = MemoryTransaction;

    async fn peers(&self) -> Result<Vec<Identifier>> {
        let state = lock(&self.state);
        let waiting = state.outgoing.iter().filter(|(_, to)| !to.messages.is_empty());
        Ok(waiting.map(|(peer, _)| *peer).collect())
    }

    async fn outgoing(&self, peer: &Identifier) -> Result<Outgoing> {
        Ok(lock(&self.state).messages(peer)?.record)
    }

    async fn append(&self, peer: &Identifier, groups: Vec<Vec<Draft>>) -> Result<Appended> {
        let (mut state, capacity) = (lock(&self.state), self.capacity);
        let first = state.messages(peer)?.record.next;
        for group in &groups {
            let mut after = state.messages(peer)?.record.used;
            if !group.iter().all(|draft| after.add(draft.sealed_len(), capacity)) {
                break;
            }
            for draft in group {
                state.append(draft)?;
            }
        }
        let Outgoing { next, used, .. } = state.messages(peer)?.record;
        let count = (next - first) as usize;
        match count {
            0 => Err(StoreError::Full { used, capacity }),
            _ => Ok(Appended { first, count, used, capacity }),
        }
    }

    async fn read(&self, peer: &Identifier, after: u64, messages: usize, bytes: usize) -> Result<Vec<StoredMessage>> {
        let mut state = lock(&self.state);
        let mut read: Vec<StoredMessage> = Vec::new();
        let mut room = bytes;
        for (&sequence, (stamp, sealed)) in state.messages(peer)?.messages.range(after + 1..).take(messages) {
            if sealed.len() > room && !read.is_empty() {
                break;
            }
            room = room.saturating_sub(sealed.len());
            read.push(StoredMessage { sequence, stamp: *stamp, sealed: sealed.clone() });
        }
        Ok(read)
    }

    async fn stamp(&self, peer: &Identifier, sequence: u64) -> Result<Option<Stamp>> {
        Ok(lock(&self.state).messages(peer)?.messages.get(&sequence).map(|(stamp, _)| *stamp))
    }

    async fn acknowledge(&self, peer: &Identifier, sequence: u64, stamp: Stamp) -> Result<Usage> {
        let mut state = lock(&self.state);
        let OutgoingMessages { record, messages } = state.messages(peer)?;
        let kept = messages.split_off(&(sequence + 1));
        for (_, sealed) in std::mem::replace(messages, kept).into_values() {
            record.used.messages -= 1;
            record.used.bytes -= sealed.len() as u64;
        }
        (record.acknowledged, record.acknowledged_stamp) = (sequence, stamp);
        Ok(record.used)
    }

    async fn new_epoch(&self, peer: &Identifier) -> Result<Outgoing> {
        let mut state = lock(&self.state);
        let record = &mut state.messages(peer)?.record;
        *record = record.in_epoch(new_epoch()?);
        Ok(*record)
    }

    async fn incoming(&self, peer: &Identifier, epoch: &Epoch) -> Result<Incoming> {
        let state = lock(&self.state);
        let known = state.incoming.get(peer).and_then(|epochs| epochs.iter().find(|(it, _)| it == epoch));
        Ok(known.map(|(_, incoming)| *incoming).unwrap_or_default())
    }

    async fn begin(&self) -> Result<MemoryTransaction> {
        Ok(MemoryTransaction::default())
    }

    async fn commit(
        &self,
        transaction: Option<MemoryTransaction>,
        progress: Progress,
        drafts: Vec<Draft>,
    ) -> Result<Vec<u64>> {
        let mut state = lock(&self.state);
        // Room for all first: what follows cannot fail half-way.
        let mut used: HashMap<Identifier, Usage> = HashMap::new();
        for draft in &drafts {
            let present = state.messages(draft.peer())?.record.used;
            let used = used.entry(*draft.peer()).or_insert(present);
            if !used.add(draft.sealed_len(), self.capacity) {
                return Err(StoreError::Full { used: *used, capacity: self.capacity });
            }
        }
        let mut sequences = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            sequences.push(state.append(draft)?);
        }
        state.values.extend(transaction.unwrap_or_default().values);
        state.write(&progress);
        Ok(sequences)
    }

    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}
