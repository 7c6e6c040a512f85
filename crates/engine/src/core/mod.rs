//! The core: a deterministic state machine that decides everything, without input or output.
//!
//! ```text
//! (Event, Now, seed) ──► handle(&mut State) ──► [Effect]
//!
//!   1. expiry      ends what has expired by the wall clock
//!   2. command     the event changes records: services, invitations, grants, portals, contacts, hubs, …
//!   3. reconcile   the desired state is derived from the records; where it differs from what was applied, effects go out
//!   4. tasks       calls to owners, mail and health checks that are due
//!   5. Transaction orders the effects: saved first, then what is kept up, then audit, notices, answers, messages
//! ```
//!
//! There is no clock, no randomness and no input or output in here: time and a seed come with the event, and what is to
//! be done goes out as effects, in order. A [`Save`](Effect::Save) comes before every effect that relies on what it
//! saves, so whatever was answered is on disk.
//!
//! The layers, each of which knows only those above it in this list:
//!
//! * `limits`, `schema` (the saved form of the records), `event`, `effect`, `validation`
//! * `records`: all facts, and every function that changes them, each within a `transaction`
//! * `derive`: access control, the reconcile loop, portals' status, the snapshot; reads records only
//! * `commands`: what the user and other engines ask for; `tasks`: what is retried
//! * this file: dispatches events to them

mod authorization;
pub(crate) mod clock_skew;
mod commands;
mod derive;
mod effect;
mod event;
mod fault_messages;
pub mod limits;
mod observed;
mod records;
mod schema;
mod service_target;
mod task_request;
mod tasks;
mod transaction;
mod validation;

pub use effect::{AdmissionRule, Effect, InletDescription};
pub use event::{ByteCounts, CallId, Environment, Event, HealthSource, MailId, Now, OwnIdentity, Refusal, RequestId};
pub use schema::{
    Change, Contact, Grant, HistoryRefusal, Inlet, Invitation, KeyHistory, Profile, Received, Record, RecordKey,
    RefusedHistory, Service, TicketSecret, VerifiedKey, outlet_address,
};
pub use service_target::ServiceTarget;

use crate::api::{Fault, Finding, GrantId, InletId, InvitationPreview, Secret, Snapshot};
use derive::inlet_description::InletDescriptions;
use derive::portal_status::PortalHistory;
use derive::reconcile::{AppliedState, Outdated};
use derive::view::View;
use derive::{findings, reconcile};
use postern_node::identity::Identifier;
use records::usage::StreamEnd;
use records::{Records, audit, contact, hub, portal, usage};
use std::cell::OnceCell;
use tasks::{Tasks, expiry};
use transaction::Transaction;

/// Everything the engine knows.
#[derive(Default)]
pub struct State {
    environment: Environment,
    records: Records,
    applied: AppliedState,
    portals: PortalHistory,
    descriptions: InletDescriptions,
    tasks: Tasks,
}

impl std::fmt::Debug for State {
    /// Without records: some hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("environment", &self.environment)
            .field("services", &self.records.services.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// The state as it was saved. [`start`] brings it up.
    pub fn load(saved: Vec<Record>, environment: Environment) -> Self {
        Self { environment, records: Records::load(saved), ..Self::default() }
    }

    /// Everything visible at this instant. Equal states give equal snapshots.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let view = View {
            records: &self.records,
            portals: &self.portals,
            environment: &self.environment,
            redeem_faults: &|id| self.tasks.calls.redeem_fault(id),
            wall: now.wall,
            names: OnceCell::new(),
        };
        view.snapshot()
    }

    /// What the state itself says about what is wrong, worst first.
    pub fn findings(&self, now: Now) -> Vec<Finding> {
        findings::findings(&self.snapshot(now))
    }

    /// The local ports of the user's portals, of those that are switched off too.
    pub fn portal_ports(&self) -> Vec<u16> {
        self.records.inlets.all().map(|it| it.port).collect()
    }

    /// What a link offers. Asks nobody and changes nothing.
    ///
    /// # Errors
    /// The link is not one of Postern's.
    pub fn preview(&self, link: &Secret, now: Now) -> Result<InvitationPreview, Fault> {
        commands::preview(&self.records, link, now.wall)
    }

    /// When an [`Event::Tick`] is needed, in ticks; nothing if nothing waits. Never before `now.ticks`.
    pub fn next_wake(&self, now: Now) -> Option<u64> {
        let tasks = if self.records.is_running() { self.tasks.next() } else { None };
        let added_up = usage::next_added_up(&self.records);
        let expiry = expiry::next(&self.records, now.wall);
        let expiry = expiry.map(|at| now.ticks.saturating_add(at.0.saturating_sub(now.wall.0)));
        [tasks, expiry, added_up].into_iter().flatten().min().map(|at| at.max(now.ticks))
    }

    /// Whether a hub has shown an identity before.
    pub(crate) fn has_pinned_hub(&self, address: &str) -> bool {
        self.records.profile.as_ref().is_some_and(|it| it.hub_pins.contains_key(address))
    }

    /// Whether the records belong to this identity, or to none yet.
    pub(crate) fn is_of(&self, person: Identifier) -> bool {
        self.records.belong_to(person)
    }

    /// The bytes of a grant from before its meter started, which says this now.
    pub(crate) fn carried_by_grant(&self, id: GrantId, now: ByteCounts) -> ByteCounts {
        self.records.grant_bytes_before(id, now)
    }

    /// The bytes of a portal from before its meter started, which says this now.
    pub(crate) fn carried_by_inlet(&self, id: InletId, now: ByteCounts) -> ByteCounts {
        self.records.inlet_bytes_before(id, now)
    }
}

/// Brings everything up after [`State::load`]: ends what the last run left, and loads the identity.
pub fn start(state: &mut State, now: Now, seed: [u8; 32]) -> Vec<Effect> {
    let mut tx = Transaction::new(now, seed);
    if state.records.profile.is_some() {
        // Friends were told the present statuses in the last run; what ends now is told anew.
        state.applied.assume_applied(&state.records, now.wall);
        records::grant::end_until_quit(&mut state.records, &mut tx);
        expiry::run(&mut state.records, &mut tx);
        commands::profile::load(&mut state.records, &mut tx);
    }
    settle(state, &mut tx);
    tx.finish(state.records.is_running())
}

/// Applies an event; the effects are to be carried out in order.
///
/// The seed must be fresh randomness for each event: ids and tickets' secrets are made of it.
pub fn handle(state: &mut State, event: Event, now: Now, seed: [u8; 32]) -> Vec<Effect> {
    let mut tx = Transaction::new(now, seed);
    if event.only_counts() {
        tx.only_counts();
    } else {
        expiry::run(&mut state.records, &mut tx);
    }
    dispatch(state, &mut tx, event);
    if tx.needs_reconcile() {
        settle(state, &mut tx);
    }
    tx.finish(state.records.is_running())
}

/// Brings what follows from the records up to date.
fn settle(state: &mut State, tx: &mut Transaction) {
    state.records.prune();
    records::inlet::assign_labels(&mut state.records, tx);
    for outdated in reconcile::run(&mut state.applied, &state.records, tx) {
        match outdated {
            Outdated::DirectListening => hub::listening(&mut state.records, Ok(Vec::new())),
            Outdated::Portal { inlet, keeps_channel } => portal::reset(&mut state.records, inlet, keeps_channel),
        }
    }
    state.portals.update(&state.records, tx);
    state.descriptions.update(&state.records, tx);
    state.tasks.run(&mut state.records, tx);
}

fn dispatch(state: &mut State, tx: &mut Transaction, event: Event) {
    let State { records, applied, tasks, .. } = state;
    match event {
        Event::Request(id, request) => commands::request(records, tx, id, request),
        Event::Identity(identity) => commands::profile::identity(records, tx, identity),
        Event::Tick => write_added_up(records, tx, false),
        Event::Stopping => write_added_up(records, tx, true),
        Event::Resumed => commands::retry(records, tx),
        Event::Listening(result) => hub::listening(records, result),
        Event::HubUp(address, identifier) => hub::up(records, tx, address, identifier),
        Event::HubClock(address, ahead_ms) => hub::clock(records, &address, ahead_ms),
        Event::HubDown(address, fault) => hub::down(records, tx, address, fault),
        Event::Health(service, result) => tasks.checks.checked(records, applied, tx, service, result),
        Event::StreamOpened(grant) => usage::stream_opened(records, tx, grant),
        Event::StreamEnded { grant, up_bytes, down_bytes, lasted_ms, reason } => {
            let end = StreamEnd { up_bytes, down_bytes, lasted_ms, ended: reason.map(|it| it.to_string()) };
            commands::streams::ended(records, tx, grant, end, reason);
        }
        Event::StreamRefused { service, person, refusal, count } => {
            commands::streams::refused(records, tx, service, person, refusal, count);
        }
        Event::TrafficCarried { grants, inlets } => usage::carried(records, tx, grants, inlets),
        Event::PeerRequest(call, person, request) => {
            let response = commands::peer_request(records, tx, person, request);
            tx.effect(Effect::Reply(call, response));
        }
        Event::CallAnswered(call, result) => tasks.calls.answered(records, tx, call, result),
        Event::PeerNotification(person, notification) => commands::notified(records, tx, person, notification),
        Event::MailPosted(mail, result) => tasks.mail.sent(records, tx, mail, result),
        Event::PeerIdentified(person, history) => contact::history_seen(records, tx, person, history),
        Event::HistoryRefused(person, how) => contact::history_refused(records, tx, person, how),
        Event::PostalRefused(person) => contact::postal_refused(records, tx, person),
        Event::InletListening(id, result) if applied.keeps_inlet(id) => portal::listening(records, id, result),
        Event::InletUp(id, path) if applied.keeps_inlet(id) => portal::up(records, tx, id, path),
        Event::InletConnecting(id) if applied.keeps_inlet(id) => portal::connecting(records, id),
        Event::InletDown(id, fault) if applied.keeps_inlet(id) => portal::down(records, id, fault),
        Event::InletRoundTrip(id, milliseconds) if applied.keeps_inlet(id) => {
            portal::round_trip(records, id, milliseconds);
        }
        Event::InletRefused(id, refusal) if applied.keeps_inlet(id) => portal::refused(records, tx, id, refusal),
        Event::InletLive(id, live) if applied.keeps_inlet(id) => portal::live(records, id, live),
        // Late: the inlet is not kept up any more.
        Event::InletListening(..)
        | Event::InletUp(..)
        | Event::InletConnecting(_)
        | Event::InletDown(..)
        | Event::InletRoundTrip(..)
        | Event::InletRefused(..)
        | Event::InletLive(..) => {}
    }
}

/// Writes the audit entries of what was added up, when its time is over or the engine stops.
fn write_added_up(records: &mut Records, tx: &mut Transaction, stops: bool) {
    usage::write_all_added_up(records, tx, stops);
    audit::write_further_refusals(records, tx, stops);
}

#[cfg(test)]
mod tests;
