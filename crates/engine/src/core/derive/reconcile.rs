//! What is kept up: compared after every event with what the records say, and put right.

use crate::api::{Code, GrantId, InletId, ServiceId, UnixMillis};
use crate::core::derive::portal_status;
use crate::core::records::{Grant, Inlet};
use crate::core::tasks::mail;
use crate::core::transaction::Transaction;
use crate::core::{AdmissionRule, Effect, State};
use crate::peer::PeerAddress;
use crate::peer::{GrantStatus, PeerNotification};
use postern_node::identity::Identifier;
use std::collections::{BTreeMap, BTreeSet};

/// What the runner was told to keep, and friends how their grants are.
#[derive(Default)]
pub(crate) struct AppliedState {
    listens: bool,
    hubs: BTreeSet<String>,
    outlets: BTreeMap<ServiceId, String>,
    permits: BTreeMap<ServiceId, Vec<AdmissionRule>>,
    inlets: BTreeMap<InletId, DesiredInlet>,
    standings: BTreeMap<GrantId, GrantStatus>,
}

/// An inlet as it is kept.
#[derive(Clone, PartialEq, Eq)]
struct DesiredInlet {
    owner: Identifier,
    reach: Vec<PeerAddress>,
    outlet: String,
    port: u16,
}

impl DesiredInlet {
    fn of(inlet: &Inlet) -> Self {
        Self { owner: inlet.owner, reach: inlet.reach.clone(), outlet: inlet.outlet.clone(), port: inlet.port }
    }
}

impl AppliedState {
    pub(crate) fn keeps_inlet(&self, id: InletId) -> bool {
        self.inlets.contains_key(&id)
    }
}

/// Takes for told how every grant is.
pub(crate) fn remember_standings(state: &mut State, wall: UnixMillis) {
    let standings: BTreeMap<_, _> = state.grants.all().map(|it| (it.id, state.standing(it, wall))).collect();
    state.kept.standings = standings;
}

/// Has friends told anew how their grants for a service are.
pub(crate) fn tell_anew(state: &mut State, service: ServiceId) {
    let grants = &state.grants;
    state.kept.standings.retain(|id, _| grants.get(*id).is_none_or(|it| it.service != service));
}

/// Takes for told how a grant is: its person hears it with the answer.
pub(crate) fn remember(state: &mut State, grant: &Grant, wall: UnixMillis) {
    let standing = state.standing(grant, wall);
    state.kept.standings.insert(grant.id, standing);
}

/// Puts right what is not kept as the records say.
pub(crate) fn settle(state: &mut State, turn: &mut Transaction) {
    if !state.is_running() {
        return;
    }
    keep_hubs(state, turn);
    keep_outlets(state, turn);
    keep_inlets(state, turn);
    tell_standings(state, turn);
}

fn keep_hubs(state: &mut State, turn: &mut Transaction) {
    let Some(profile) = &state.profile else { return };
    if state.kept.listens != profile.this_computer {
        state.kept.listens = profile.this_computer;
        state.this_computer = crate::core::commands::hubs::Listening::default();
        turn.keep(Effect::Listen(state.kept.listens));
    }
    let wanted: BTreeSet<String> = profile.hubs.iter().cloned().collect();
    for gone in state.kept.hubs.difference(&wanted) {
        turn.keep(Effect::DropHub(gone.clone()));
    }
    for hub in profile.hubs.iter().filter(|it| !state.kept.hubs.contains(*it)) {
        turn.keep(Effect::KeepHub(hub.clone()));
    }
    state.kept.hubs = wanted;
}

fn keep_outlets(state: &mut State, turn: &mut Transaction) {
    let gone: Vec<ServiceId> = state.kept.outlets.keys().copied().filter(|id| !state.services.contains(*id)).collect();
    for id in gone {
        state.kept.outlets.remove(&id);
        state.kept.permits.remove(&id);
        turn.keep(Effect::DropOutlet(id));
    }
    let services: Vec<(ServiceId, String)> = state.services.all().map(|it| (it.id, it.target.clone())).collect();
    for (id, target) in services {
        let permitted = state.permitted(id, turn.now.wall);
        // The gate is told first of a new outlet: it must not be open for an instant to whoever was let in before.
        if state.kept.permits.get(&id) != Some(&permitted) {
            turn.keep(Effect::SetAdmission { service: id, permitted: permitted.clone() });
            state.kept.permits.insert(id, permitted);
        }
        if state.kept.outlets.get(&id) != Some(&target) {
            turn.keep(Effect::KeepOutlet { service: id, target: target.clone() });
            state.kept.outlets.insert(id, target);
        }
    }
}

fn keep_inlets(state: &mut State, turn: &mut Transaction) {
    let wanted = state.inlets.all().filter(|it| state.is_wanted(it, turn.now.wall));
    let wanted: BTreeMap<InletId, DesiredInlet> = wanted.map(|it| (it.id, DesiredInlet::of(it))).collect();
    let gone: Vec<InletId> = state.kept.inlets.keys().copied().filter(|id| !wanted.contains_key(id)).collect();
    for id in gone {
        state.kept.inlets.remove(&id);
        portal_status::begin_anew(state, id, false);
        turn.keep(Effect::DropInlet(id));
    }
    for (id, wish) in wanted {
        let before = state.kept.inlets.insert(id, wish.clone());
        if before.as_ref() == Some(&wish) {
            continue;
        }
        if let Some(before) = before
            && (before.port != wish.port || before.outlet != wish.outlet)
        {
            portal_status::begin_anew(state, id, true);
        }
        let DesiredInlet { owner, reach, outlet, port } = wish;
        turn.keep(Effect::KeepInlet { inlet: id, owner, reach, outlet, port });
    }
}

/// Tells friends whose grants are not as they were told last.
pub(crate) fn tell_standings(state: &mut State, turn: &mut Transaction) {
    let changed = state.grants.all().filter_map(|grant| {
        let standing = state.standing(grant, turn.now.wall);
        (state.kept.standings.get(&grant.id) != Some(&standing)).then_some((grant.id, grant.person, standing))
    });
    for (id, person, standing) in changed.collect::<Vec<_>>() {
        let before = state.kept.standings.insert(id, standing.clone());
        // How the service does concerns whoever is there now; mail would tell of it when it is long over.
        let is_down = |it: &GrantStatus| *it == GrantStatus::Inactive(Code::ServiceDown);
        let lets_in = |it: &GrantStatus| matches!(it, GrantStatus::Active(_)) || is_down(it);
        let of_the_service = is_down(&standing) || before.as_ref().is_none_or(is_down);
        if of_the_service && lets_in(&standing) && before.as_ref().is_none_or(lets_in) {
            state.mail.forget(mail::Subject::Grant(id));
            turn.effect(Effect::NotifyPeer(person, PeerNotification::Grant { grant: id, standing }));
        } else {
            mail::tell(state, turn, person, mail::Subject::Grant(id), PeerNotification::Grant { grant: id, standing });
        }
    }
    let grants = &state.grants;
    state.kept.standings.retain(|id, _| grants.contains(*id));
    state.uses.retain(|id, _| grants.contains(*id));
}
