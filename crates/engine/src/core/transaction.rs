//! One event's work: its time and randomness, and what it has led to so far.

use crate::api::{Answer, AuditEvent, Fault, GrantId, Notice};
use crate::core::effect::Effect;
use crate::core::event::{Now, RequestId};
use crate::core::schema::{Change, Record, RecordKey};
use crate::core::task_request::{MailSubject, TaskRequest};
use crate::peer::PeerNotification;
use postern_node::identity::Identifier;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;

/// Collects what one event leads to, and orders it: changes are saved first, then hubs, outlets and inlets follow the
/// records, then audit entries, notices, answers and messages go out.
pub(crate) struct Transaction {
    pub(crate) now: Now,
    rng: StdRng,
    changes: BTreeMap<RecordKey, Change>,
    reconciled: Vec<Effect>,
    effects: Vec<Effect>,
    task_requests: Vec<TaskRequest>,
    informed: Vec<GrantId>,
    reconciles: bool,
}

impl Transaction {
    /// A transaction at an instant, with fresh randomness.
    pub(crate) fn new(now: Now, seed: [u8; 32]) -> Self {
        Self {
            now,
            rng: StdRng::from_seed(seed),
            changes: BTreeMap::new(),
            reconciled: Vec::new(),
            effects: Vec::new(),
            task_requests: Vec::new(),
            informed: Vec::new(),
            reconciles: true,
        }
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes[..]);
        bytes
    }

    /// A random fraction from 0 to 1, for the jitter of a backoff.
    pub(crate) fn random_fraction(&mut self) -> f32 {
        self.rng.random()
    }

    /// A delay with jitter: between three and five quarters of it.
    pub(crate) fn with_jitter(&mut self, milliseconds: u64) -> u64 {
        let quarter = milliseconds / 4;
        self.rng.random_range(milliseconds - quarter..=milliseconds + quarter)
    }

    pub(crate) fn put(&mut self, key: RecordKey, record: Record) {
        self.changes.insert(key, Change::Put(record));
    }

    pub(crate) fn delete(&mut self, key: RecordKey) {
        self.changes.insert(key.clone(), Change::Delete(key));
    }

    /// Skips reconcile unless a record changes or a task is asked for: the event only updates counters.
    pub(crate) fn only_counts(&mut self) {
        self.reconciles = false;
    }

    /// Whether anything but counters may have changed, so that reconcile and the tasks must run.
    pub(crate) fn needs_reconcile(&self) -> bool {
        self.reconciles || !self.changes.is_empty() || !self.task_requests.is_empty()
    }

    /// An effect that brings a hub, outlet or inlet to its desired state: done before anything is answered.
    pub(crate) fn reconciled(&mut self, effect: Effect) {
        self.reconciled.push(effect);
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Appends to the audit log.
    pub(crate) fn audit(&mut self, event: AuditEvent) {
        self.effects.push(Effect::Audit(event));
    }

    pub(crate) fn notify(&mut self, notice: Notice) {
        self.effects.push(Effect::Notify(notice));
    }

    pub(crate) fn answer(&mut self, request: RequestId, answer: Result<Answer, Fault>) {
        self.effects.push(Effect::Answer(request, answer));
    }

    /// Asks a task for something.
    pub(crate) fn request(&mut self, request: TaskRequest) {
        self.task_requests.push(request);
    }

    /// Sends a notification over a channel if one is open, and by mail.
    pub(crate) fn send(&mut self, person: Identifier, subject: MailSubject, notification: PeerNotification) {
        self.effect(Effect::NotifyPeer(person, notification.clone()));
        self.request(TaskRequest::Mail { subject, person, notification });
    }

    /// Notes that a grant's person learns its status from the answer that they are given.
    pub(crate) fn informs(&mut self, grant: GrantId) {
        self.informed.push(grant);
    }

    /// The grants whose persons learn the status from an answer.
    pub(crate) fn take_informed(&mut self) -> Vec<GrantId> {
        std::mem::take(&mut self.informed)
    }

    /// What was asked of the tasks, in order.
    pub(crate) fn take_task_requests(&mut self) -> Vec<TaskRequest> {
        std::mem::take(&mut self.task_requests)
    }

    /// The effects, in order. Those that need a node are left out while none runs.
    pub(crate) fn finish(self, is_running: bool) -> Vec<Effect> {
        let mut all = Vec::with_capacity(self.reconciled.len() + self.effects.len() + 1);
        if !self.changes.is_empty() {
            all.push(Effect::Save(self.changes.into_values().collect()));
        }
        all.extend(self.reconciled);
        all.extend(self.effects);
        if !is_running {
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
