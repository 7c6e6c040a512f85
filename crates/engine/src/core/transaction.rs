//! One event's work: the instant, the randomness, and what has been decided so far.

use crate::api::{Answer, AuditEvent, Fault, Notice};
use crate::core::event::{Now, RequestId};
use crate::core::records::{Change, Record, RecordKey};
use crate::core::{Effect, State};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

/// Gathers what one event leads to, and puts it in order: saved first, then gates and portals, then words.
pub(crate) struct Transaction {
    pub(crate) now: Now,
    rng: StdRng,
    changes: BTreeMap<RecordKey, Change>,
    keeps: Vec<Effect>,
    effects: Vec<Effect>,
    /// Whether anything but counters may have changed, so that what is kept must be looked at again.
    pub(crate) settle: bool,
}

impl Transaction {
    pub(crate) fn new(now: Now, seed: [u8; 32]) -> Self {
        Self {
            now,
            rng: StdRng::from_seed(seed),
            changes: BTreeMap::new(),
            keeps: Vec::new(),
            effects: Vec::new(),
            settle: true,
        }
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes[..]);
        bytes
    }

    /// About this long: between three and five quarters of it.
    pub(crate) fn about(&mut self, milliseconds: u64) -> u64 {
        let quarter = milliseconds / 4;
        self.rng.random_range(milliseconds - quarter..=milliseconds + quarter)
    }

    pub(crate) fn put(&mut self, key: RecordKey, record: Record) {
        self.changes.insert(key, Change::Put(record));
    }

    pub(crate) fn delete(&mut self, key: RecordKey) {
        self.changes.insert(key.clone(), Change::Delete(key));
    }

    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Something about hubs, outlets and inlets: done before anybody is answered.
    pub(crate) fn keep(&mut self, effect: Effect) {
        self.keeps.push(effect);
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn write(&mut self, deed: AuditEvent) {
        self.effects.push(Effect::Audit(deed));
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.effects.push(Effect::Notify(notice));
    }

    pub(crate) fn answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        self.effects.push(Effect::Answer(request, answer));
    }

    pub(crate) fn finish(self, state: &State) -> Vec<Effect> {
        let mut all = Vec::with_capacity(self.keeps.len() + self.effects.len() + 1);
        if !self.changes.is_empty() {
            all.push(Effect::Save(self.changes.into_values().collect()));
        }
        all.extend(self.keeps);
        all.extend(self.effects);
        if !state.is_running() {
            all.retain(needs_no_node);
        }
        all
    }
}

/// Whether an effect can be carried out before there is an identity, and so a node.
fn needs_no_node(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Save(_)
            | Effect::Audit(_)
            | Effect::Answer(..)
            | Effect::Notify(_)
            | Effect::CreateIdentity
            | Effect::LoadIdentity
            | Effect::Reply(..)
    )
}
