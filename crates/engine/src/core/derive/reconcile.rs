//! The reconcile loop: after every event the desired state is computed from the records, compared with what was applied
//! last, and the differences go out as effects.
//!
//! ```text
//! records ─► desired: direct listener, hubs, outlets, admission rules, inlets, grant statuses told, blocked peers
//!                │
//!                └── differs from AppliedState? ─► Effect, and AppliedState is what was desired
//! ```
//!
//! Nothing remembers that something is to be opened or closed: it follows from the records each time. So a crash, a
//! pause or a block cannot leave anything open that the records close.

use super::access;
use crate::api::{Code, GrantId, InletId, ServiceId, UnixMillis};
use crate::core::effect::{AdmissionRule, Effect};
use crate::core::records::Records;
use crate::core::schema::Inlet;
use crate::core::task_request::{MailSubject, TaskRequest};
use crate::core::transaction::Transaction;
use crate::peer::{GrantStatus, PeerAddress, PeerNotification};
use postern_node::identity::Identifier;
use std::collections::{BTreeMap, BTreeSet};

/// What the driver was told to keep up, and what peers were told.
#[derive(Default)]
pub(crate) struct AppliedState {
    listens: bool,
    hubs: BTreeSet<String>,
    outlets: BTreeMap<ServiceId, String>,
    rules: BTreeMap<ServiceId, Vec<AdmissionRule>>,
    inlets: BTreeMap<InletId, DesiredInlet>,
    statuses: BTreeMap<GrantId, GrantStatus>,
    blocked: BTreeSet<Identifier>,
}

/// An inlet's parameters.
#[derive(Clone, PartialEq, Eq)]
struct DesiredInlet {
    owner: Identifier,
    reach: Vec<PeerAddress>,
    outlet: String,
    port: u16,
    host: Option<String>,
}

impl DesiredInlet {
    fn of(records: &Records, inlet: &Inlet) -> Self {
        Self {
            owner: inlet.owner,
            reach: inlet.reach.clone(),
            outlet: inlet.outlet.clone(),
            port: inlet.port,
            host: records.checked_host(inlet),
        }
    }
}

/// What is no longer known after a difference was applied, because the driver starts it anew.
pub(crate) enum Outdated {
    DirectListening,
    Portal { inlet: InletId, keeps_channel: bool },
}

impl AppliedState {
    /// Whether the driver keeps an inlet up; reports about any other are late.
    pub(crate) fn keeps_inlet(&self, id: InletId) -> bool {
        self.inlets.contains_key(&id)
    }

    /// Takes the present grant statuses as told and blocked peers as cut off: those of the last run, when one starts.
    pub(crate) fn assume_applied(&mut self, records: &Records, wall: UnixMillis) {
        self.statuses = records.grants.all().map(|it| (it.id, access::status(records, it, wall))).collect();
        self.blocked = blocked(records);
    }

    /// Has the status of a service's grants told again, whether or not it has changed.
    pub(crate) fn invalidate_statuses(&mut self, records: &Records, service: ServiceId) {
        self.statuses.retain(|id, _| records.grants.get(*id).is_none_or(|it| it.service != service));
    }
}

/// Applies the differences between the desired and the applied state. Returns what is outdated by that.
pub(crate) fn run(applied: &mut AppliedState, records: &Records, tx: &mut Transaction) -> Vec<Outdated> {
    let mut outdated = Vec::new();
    for id in tx.take_informed() {
        if let Some(grant) = records.grants.get(id) {
            applied.statuses.insert(id, access::status(records, grant, tx.now.wall));
        }
    }
    if records.is_running() {
        reconcile_hubs(applied, records, tx, &mut outdated);
        reconcile_outlets(applied, records, tx);
        reconcile_inlets(applied, records, tx, &mut outdated);
        tell_statuses(applied, records, tx);
        cut_off_blocked(applied, records, tx);
    }
    outdated
}

fn reconcile_hubs(applied: &mut AppliedState, records: &Records, tx: &mut Transaction, outdated: &mut Vec<Outdated>) {
    let Some(profile) = &records.profile else { return };
    if applied.listens != profile.this_computer {
        applied.listens = profile.this_computer;
        outdated.push(Outdated::DirectListening);
        tx.reconciled(Effect::Listen(applied.listens));
    }
    let desired: BTreeSet<String> = profile.hubs.iter().cloned().collect();
    for gone in applied.hubs.difference(&desired) {
        tx.reconciled(Effect::DropHub(gone.clone()));
    }
    for hub in profile.hubs.iter().filter(|it| !applied.hubs.contains(*it)) {
        tx.reconciled(Effect::KeepHub(hub.clone()));
    }
    applied.hubs = desired;
}

fn reconcile_outlets(applied: &mut AppliedState, records: &Records, tx: &mut Transaction) {
    let gone: Vec<ServiceId> = applied.outlets.keys().copied().filter(|id| !records.services.contains(*id)).collect();
    for id in gone {
        applied.outlets.remove(&id);
        applied.rules.remove(&id);
        tx.reconciled(Effect::DropOutlet(id));
    }
    for service in records.services.all() {
        let (id, target) = (service.id, &service.target);
        let rules = access::rules(records, id, tx.now.wall);
        // Admission first: a new outlet must not be open for an instant under the rules of an older one.
        if applied.rules.get(&id) != Some(&rules) {
            tx.reconciled(Effect::SetAdmission { service: id, rules: rules.clone() });
            applied.rules.insert(id, rules);
        }
        if applied.outlets.get(&id) != Some(target) {
            tx.reconciled(Effect::KeepOutlet { service: id, target: target.clone() });
            applied.outlets.insert(id, target.clone());
        }
    }
}

fn reconcile_inlets(applied: &mut AppliedState, records: &Records, tx: &mut Transaction, outdated: &mut Vec<Outdated>) {
    let desired = records.inlets.all().filter(|it| records.is_wanted(it, tx.now.wall));
    let desired: BTreeMap<InletId, DesiredInlet> = desired.map(|it| (it.id, DesiredInlet::of(records, it))).collect();
    let gone: Vec<InletId> = applied.inlets.keys().copied().filter(|id| !desired.contains_key(id)).collect();
    for inlet in gone {
        applied.inlets.remove(&inlet);
        outdated.push(Outdated::Portal { inlet, keeps_channel: false });
        tx.reconciled(Effect::DropInlet(inlet));
    }
    for (inlet, next) in desired {
        let before = applied.inlets.insert(inlet, next.clone());
        if before.as_ref() == Some(&next) {
            continue;
        }
        if before.is_some_and(|it| it.port != next.port || it.outlet != next.outlet || it.host != next.host) {
            outdated.push(Outdated::Portal { inlet, keeps_channel: true });
        }
        let DesiredInlet { owner, reach, outlet, port, host } = next;
        tx.reconciled(Effect::KeepInlet { inlet, owner, reach, outlet, port, host });
    }
}

/// Tells friends whose grants have another status than they were told last.
fn tell_statuses(applied: &mut AppliedState, records: &Records, tx: &mut Transaction) {
    for grant in records.grants.all() {
        let status = access::status(records, grant, tx.now.wall);
        if applied.statuses.get(&grant.id) == Some(&status) {
            continue;
        }
        let before = applied.statuses.insert(grant.id, status.clone());
        let subject = MailSubject::Grant(grant.id);
        let only_health = is_about_health(before.as_ref(), &status);
        let notification = PeerNotification::Grant { grant: grant.id, status };
        if only_health {
            // Mail would arrive when the service's health is long another.
            tx.request(TaskRequest::DropMail(subject));
            tx.effect(Effect::NotifyPeer(grant.person, notification));
        } else {
            tx.send(grant.person, subject, notification);
        }
    }
    applied.statuses.retain(|id, _| records.grants.contains(*id));
}

/// Whether a status differs from the one before only by the service's health.
fn is_about_health(before: Option<&GrantStatus>, now: &GrantStatus) -> bool {
    let is_down = |it: &GrantStatus| *it == GrantStatus::Inactive(Code::ServiceDown);
    let is_usable = |it: &GrantStatus| matches!(it, GrantStatus::Active(_)) || is_down(it);
    (is_down(now) || before.is_none_or(is_down)) && is_usable(now) && before.is_none_or(is_usable)
}

fn blocked(records: &Records) -> BTreeSet<Identifier> {
    records.contacts.all().filter(|it| it.blocked).map(|it| it.identifier).collect()
}

/// Closes the channels with contacts that were blocked, after they were told.
fn cut_off_blocked(applied: &mut AppliedState, records: &Records, tx: &mut Transaction) {
    let desired = blocked(records);
    for person in desired.difference(&applied.blocked) {
        tx.effect(Effect::CutOff(*person));
    }
    applied.blocked = desired;
}
