//! The heart: a pure state machine that owns everything the engine knows.
//!
//! ```text
//! (Event, Now, seed) ──► handle(&mut State) ──► [Effect]
//!
//!   1. due        what is over by the wall clock is marked as over
//!   2. a room     hears the event and changes records: services, invitations, grants, received, inlets, contacts, …
//!   3. keep       compares what should be kept (hubs, outlets, who may use them, inlets, standings told) with what is
//!   4. errands    asks others what is due: redeem, decline, give back, how grants are; mail; looks at targets
//!   5. Transaction       puts it in order: Save first, then what is kept, then receipts, notices, answers and questions
//! ```
//!
//! There is no clock, no randomness and no I/O in here: time and a seed come in with the event, and what is to be
//! done goes out as effects, in order. A [`Save`](Effect::Save) stands before every effect that relies on what it
//! saves, so what was answered is on disk. What should be kept is computed from the records and never remembered
//! beside them, so a restart, a pause or a block cannot leave a gate open that the records close.

mod audit;
mod commands;
mod derive;
mod effect;
mod event;
mod fault_messages;
pub mod limits;
mod records;
mod table;
mod tasks;
mod transaction;
mod usage;
mod validation;

pub use effect::{AdmissionRule, Effect};
pub use event::{CallId, Event, MailId, Now, OwnIdentity, Refusal, RequestId};
pub use records::{
    Change, Contact, Grant, Inlet, Invitation, Profile, Received, Record, RecordKey, Service, TicketSecret,
    outlet_address,
};
pub use usage::ByteCounts;

use crate::api::{Answer, Code, Fault, KeychainPlace, Request};
use crate::core::commands::{
    contacts, grants, hubs, incoming_invitations, inlets, invitations, profile, redemption, services,
};
use crate::core::derive::{access, portal_status, reconcile, view};
use crate::core::tasks::{expiry, mail, outbound_calls};
use crate::peer::{PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use std::collections::BTreeMap;
use table::Table;
use transaction::Transaction;

/// What the machine is told once, when it is loaded.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Where everything that is no secret rests.
    pub data_dir: String,
    /// Where the key rests.
    pub keychain: KeychainPlace,
    /// The program's version.
    pub version: String,
}

/// Everything the engine knows.
#[derive(Default)]
pub struct State {
    launch: Environment,
    profile: Option<Profile>,
    key: profile::Key,
    services: Table<Service>,
    invitations: Table<Invitation>,
    grants: Table<Grant>,
    received: Table<Received>,
    inlets: Table<Inlet>,
    contacts: Table<Contact>,

    this_computer: hubs::Listening,
    hubs: BTreeMap<String, hubs::HubState>,
    hub_notices: hubs::Notices,
    watches: BTreeMap<crate::api::ServiceId, services::HealthCheck>,
    uses: BTreeMap<crate::api::GrantId, grants::GrantUsage>,
    knocks: BTreeMap<crate::api::InvitationId, redemption::PendingKnock>,
    lines: BTreeMap<crate::api::InletId, portal_status::PortalRuntime>,
    tallies: usage::UsageBaselines,
    met: BTreeMap<Identifier, u32>,
    errands: outbound_calls::OutboundCalls,
    mail: mail::Mail,
    kept: reconcile::AppliedState,
    refusals: audit::Refusals,
}

impl std::fmt::Debug for State {
    /// Without records: some hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("launch", &self.launch)
            .field("services", &self.services.len())
            .finish_non_exhaustive()
    }
}

impl State {
    /// The state as it was saved. [`start`] brings it up.
    pub fn load(records: Vec<Record>, launch: Environment) -> Self {
        let mut state = Self { launch, ..Self::default() };
        for record in records {
            match record {
                Record::Profile(profile) => state.profile = Some(profile),
                Record::Service(service) => state.services.load(service),
                Record::Invitation(invitation) => state.invitations.load(invitation),
                Record::Grant(grant) => state.grants.load(grant),
                Record::Received(received) => state.received.load(received),
                Record::Inlet(inlet) => state.inlets.load(inlet),
                Record::Contact(contact) => state.contacts.load(contact),
            }
        }
        state
    }

    /// Every record, as it should be on disk.
    #[cfg(test)]
    fn records(&self) -> BTreeMap<RecordKey, Record> {
        let mut records = BTreeMap::new();
        records.extend(self.profile.iter().map(|it| (RecordKey::Profile, Record::Profile(it.clone()))));
        records.extend(self.services.records());
        records.extend(self.invitations.records());
        records.extend(self.grants.records());
        records.extend(self.received.records());
        records.extend(self.inlets.records());
        records.extend(self.contacts.records());
        records
    }

    /// When the machine wants an [`Event::Tick`], in ticks; nothing if it waits for nothing. Never before `now.ticks`.
    pub fn next_wake(&self, now: Now) -> Option<u64> {
        let waits = if self.is_running() {
            [self.errands.next(), self.mail.next(), services::next_check(self)].into_iter().flatten().min()
        } else {
            None
        };
        let expiry = expiry::next(self, now.wall).map(|at| now.ticks.saturating_add(at.0.saturating_sub(now.wall.0)));
        [waits, expiry].into_iter().flatten().min().map(|at| at.max(now.ticks))
    }
}

/// Brings everything up after [`State::load`], or asks for the key first.
pub fn start(state: &mut State, now: Now, seed: [u8; 32]) -> Vec<Effect> {
    let mut turn = Transaction::new(now, seed);
    profile::start(state, &mut turn);
    settle(state, &mut turn);
    turn.finish(state)
}

/// Hears an event and says what is to be done, in order.
///
/// The seed must be fresh randomness for each event: ids and tickets' secrets are made of it.
pub fn handle(state: &mut State, event: Event, now: Now, seed: [u8; 32]) -> Vec<Effect> {
    let mut turn = Transaction::new(now, seed);
    match event {
        Event::StreamOpened(grant) => grants::stream_opened(state, &mut turn, grant),
        Event::StreamEnded { grant, up_bytes, down_bytes, lasted_ms, reason } => {
            let ended = grants::StreamEnd { grant, up_bytes, down_bytes, lasted_ms, reason };
            grants::stream_ended(state, &mut turn, ended);
        }
        Event::TrafficCarried { grants, inlets } => usage::carried(state, &mut turn, grants, inlets),
        Event::InletLive(inlet, live) => portal_status::live(state, &mut turn, inlet, live),
        Event::InletRoundTrip(inlet, milliseconds) => portal_status::round_trip(state, &mut turn, inlet, milliseconds),
        event => {
            expiry::mark(state, &mut turn);
            hear(state, &mut turn, event);
        }
    }
    if turn.settle || turn.has_changes() {
        settle(state, &mut turn);
    }
    turn.finish(state)
}

fn settle(state: &mut State, turn: &mut Transaction) {
    reconcile::settle(state, turn);
    portal_status::settle(state, turn);
    if state.is_running() {
        outbound_calls::settle(state, turn);
        mail::settle(state, turn);
        services::settle(state, turn);
    }
}

fn hear(state: &mut State, turn: &mut Transaction, event: Event) {
    match event {
        Event::Request(id, request) => request_made(state, turn, id, request),
        Event::Identity(identity) => profile::identity(state, turn, identity),
        Event::Tick => {}
        Event::Resumed => retry(state, turn),
        Event::Listening(result) => hubs::listening(state, result),
        Event::HubUp(address, identifier) => hubs::up(state, turn, address, identifier),
        Event::HubDown(address, fault) => hubs::down(state, turn, address, fault),
        Event::Health(service, result) => services::health(state, turn, service, result),
        Event::StreamRefused(service, person, refusal) => access::refused(state, turn, service, person, refusal),
        Event::InletListening(inlet, result) => portal_status::listening(state, inlet, result),
        Event::InletUp(inlet, way) => portal_status::up(state, turn, inlet, way),
        Event::InletConnecting(inlet) => portal_status::connecting(state, inlet),
        Event::InletDown(inlet, fault) => portal_status::down(state, inlet, fault),
        Event::InletRefused(inlet, refusal) => portal_status::refused(state, turn, inlet, refusal),
        Event::PeerRequest(call, person, message) => {
            let answer = asked(state, turn, person, message);
            turn.effect(Effect::Reply(call, answer));
        }
        Event::CallAnswered(call, result) => outbound_calls::answered(state, turn, call, result),
        Event::PeerNotification(person, news) => incoming_invitations::told(state, turn, person, news),
        Event::MailPosted(mail, result) => mail::posted(state, turn, mail, result),
        Event::PeerIdentified(person, changes) => contacts::met(state, turn, person, changes),
        // Heard above, before anything that is not about counters.
        Event::StreamOpened(_)
        | Event::StreamEnded { .. }
        | Event::TrafficCarried { .. }
        | Event::InletLive(..)
        | Event::InletRoundTrip(..) => {}
    }
}

/// Tries everything that waits, now.
fn retry(state: &mut State, turn: &mut Transaction) {
    profile::retry(state, turn);
    state.errands.hurry(turn.now.ticks);
    state.mail.hurry(turn.now.ticks);
    services::hurry(state, turn.now.ticks);
    outbound_calls::sync_the_refused(state, turn);
    turn.effect(Effect::RetryNow);
}

/// Another engine asks: one answer to each.
fn asked(state: &mut State, turn: &mut Transaction, person: Identifier, message: PeerRequest) -> PeerResponse {
    match message {
        PeerRequest::Redeem { ticket, secret, card } => redemption::redeem(state, turn, person, ticket, &secret, card),
        PeerRequest::Seen { ticket, secret } => redemption::seen(state, turn, person, ticket, &secret),
        PeerRequest::Decline { ticket, secret } => redemption::decline(state, turn, person, ticket, &secret),
        PeerRequest::Sync { grants, card } => grants::sync(state, turn, person, grants, card),
        PeerRequest::GiveBack { grant } => grants::give_back(state, turn, person, grant),
    }
}

/// A face asks: one answer to each, at once, except that setting up is answered when the identity is there.
fn request_made(state: &mut State, turn: &mut Transaction, id: RequestId, request: Request) {
    let answer = match request {
        Request::SetUp { name, hubs, this_computer } => {
            match profile::set_up(state, turn, id, &name, &hubs, this_computer) {
                Ok(()) => return,
                Err(fault) => Err(fault),
            }
        }
        request => answer(state, turn, request),
    };
    turn.answer(id, answer);
}

fn answer(state: &mut State, turn: &mut Transaction, request: Request) -> Result<Answer, Fault> {
    match request {
        Request::Preview { link } => return incoming_invitations::preview(state, turn, &link),
        Request::Doctor => return Ok(view::findings(state, turn.now)),
        Request::Ports | Request::Log { .. } | Request::Backup { .. } => {
            return Err(Fault::new(Code::Failed, "This is not known here."));
        }
        _ if state.profile.is_none() => {
            return Err(Fault::new(Code::NotSetUp, "Postern is not set up yet: choose a name first."));
        }
        _ => {}
    }
    match request {
        Request::Share { name, kind, target, path, description } => {
            services::share(state, turn, &services::ServiceSpec { name, kind, target, path, description })
        }
        Request::Invite { service, to, ask_first, valid_for, terms } => {
            invitations::invite(state, turn, service, to, invitations::Offering { ask_first, valid_for, terms })
        }
        Request::InvitationLink { invitation } => invitations::link(state, turn, invitation),
        Request::Open { link } => incoming_invitations::open(state, turn, &link),
        request => change(state, turn, request).map(|()| Answer::Done),
    }
}

/// The requests that are answered with "done".
fn change(state: &mut State, turn: &mut Transaction, request: Request) -> Result<(), Fault> {
    match request {
        Request::Rename { name } => profile::rename(state, turn, &name),
        Request::AddHub { address } => hubs::add(state, turn, &address),
        Request::RemoveHub { address } => hubs::remove(state, turn, &address),
        Request::SetThisComputer { on } => profile::change(state, turn, |it| it.this_computer = on),
        Request::SetRetention { days } => profile::change(state, turn, |it| it.retention_days = days),
        Request::PauseAll { on } => profile::change(state, turn, |it| it.paused = on),
        Request::Retry => {
            retry(state, turn);
            Ok(())
        }
        Request::ChangeService { service, patch } => services::change(state, turn, service, patch),
        Request::SetService { service, on } => services::set(state, turn, service, on),
        Request::CloseService { service } => services::close(state, turn, service),
        Request::Resend { invitation } => invitations::resend(state, turn, invitation),
        Request::RevokeInvitation { invitation } => invitations::revoke(state, turn, invitation),
        Request::AnswerKnock { invitation, answer } => redemption::answer_knock(state, turn, invitation, answer),
        Request::ChangeGrant { grant, terms } => grants::change(state, turn, grant, terms),
        Request::PauseGrant { grant, on } => grants::pause(state, turn, grant, on),
        Request::RevokeGrant { grant } => grants::revoke(state, turn, grant),
        Request::Accept { invitation, port } => incoming_invitations::accept(state, turn, invitation, port),
        Request::Decline { invitation } => incoming_invitations::decline(state, turn, invitation),
        Request::ChangeInlet { inlet, name, port } => inlets::change(state, turn, inlet, name, port),
        Request::SetInlet { inlet, on } => inlets::set(state, turn, inlet, on),
        Request::RemoveInlet { inlet } => inlets::remove(state, turn, inlet),
        Request::RenameContact { person, name } => contacts::rename(state, turn, person, &name),
        Request::Verify { person, verified } => contacts::verify(state, turn, person, verified),
        Request::Block { person, on } => contacts::block(state, turn, person, on),
        Request::Forget { person } => contacts::forget(state, turn, person),
        _ => Err(Fault::new(Code::Failed, "This is not known here.")),
    }
}

#[cfg(test)]
mod tests;
