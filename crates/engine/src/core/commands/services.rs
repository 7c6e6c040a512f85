//! What this person shares, and whether it answers.
//!
//! ```text
//! Share ──► Save, KeepOutlet, Permit(nobody) ──► CheckTarget ──► Health ──► again in 30 s, or in 5 s while it is down
//! ```

use crate::api::{Answer, Code, Fault, GrantState, Health, SentState, ServiceId, ServiceKind, ServicePatch};
use crate::core::commands::{grants, invitations};
use crate::core::derive::reconcile;
use crate::core::limits::{ANSWER_WITHIN, CHECK_DOWN_EVERY, CHECK_EVERY, MAX_SERVICES};
use crate::core::records::Service;
use crate::core::transaction::Transaction;
use crate::core::{Effect, State, audit, validation};

/// What somebody wants to share.
pub(crate) struct ServiceSpec {
    pub(crate) name: String,
    pub(crate) kind: ServiceKind,
    pub(crate) target: String,
    pub(crate) path: Option<String>,
    pub(crate) description: Option<String>,
}

/// A look-out for a service's target.
#[derive(Default)]
pub(crate) struct HealthCheck {
    pub(crate) health: Health,
    /// When to look, in ticks.
    next: u64,
    /// Somebody is looking; until when that is believed.
    looking: Option<u64>,
    /// What they find is about an older target.
    stale: bool,
    /// Somebody could not use it, and may think that it is down.
    doubted: bool,
}

impl State {
    pub(crate) fn service_name(&self, service: ServiceId) -> String {
        self.services.get(service).map_or_else(|| "A closed service".to_owned(), |it| it.name.clone())
    }

    pub(crate) fn service(&self, service: ServiceId) -> Result<&Service, Fault> {
        self.services.get(service).ok_or_else(|| Fault::new(Code::NotFound, "There is no such service."))
    }

    /// Whether a service is there for anybody at all.
    fn is_open(&self, service: &Service) -> bool {
        service.on && !self.is_paused()
    }

    fn check_name_is_free(&self, name: &str, but: Option<ServiceId>) -> Result<(), Fault> {
        let lower = name.to_lowercase();
        match self.services.find(|it| Some(it.id) != but && it.name.to_lowercase() == lower) {
            Some(_) => Err(Fault::new(Code::NameTaken, format!("You share a service named {name} already."))),
            None => Ok(()),
        }
    }
}

pub(crate) fn share(state: &mut State, turn: &mut Transaction, wish: &ServiceSpec) -> Result<Answer, Fault> {
    if state.services.len() >= MAX_SERVICES {
        return Err(Fault::new(Code::TooMany, format!("{MAX_SERVICES} services are the most: close one first.")));
    }
    let service = Service {
        id: ServiceId(turn.random()),
        name: validation::name(&wish.name)?,
        kind: wish.kind,
        target: validation::target(&wish.target)?,
        path: validation::path(wish.path.as_deref().unwrap_or_default())?,
        description: validation::description(wish.description.as_deref().unwrap_or_default())?,
        on: true,
        created: turn.now.wall,
    };
    state.check_name_is_free(&service.name, None)?;
    audit::service(turn, &service.name, "shared");
    let id = service.id;
    state.services.put(turn, service);
    Ok(Answer::Service { service: id })
}

pub(crate) fn change(
    state: &mut State,
    turn: &mut Transaction,
    id: ServiceId,
    patch: ServicePatch,
) -> Result<(), Fault> {
    let mut service = state.service(id)?.clone();
    if let Some(name) = patch.name {
        service.name = validation::name(&name)?;
        state.check_name_is_free(&service.name, Some(id))?;
    }
    if let Some(target) = patch.target {
        service.target = validation::target(&target)?;
    }
    if let Some(path) = patch.path {
        service.path = validation::path(&path)?;
    }
    if let Some(description) = patch.description {
        service.description = validation::description(&description)?;
    }
    service.kind = patch.kind.unwrap_or(service.kind);
    let is_elsewhere = state.service(id)?.target != service.target;
    let name = service.name.clone();
    if state.services.change(turn, id, |it| *it = service) {
        audit::service(turn, &name, "changed");
    }
    if is_elsewhere && let Some(watch) = state.watches.get_mut(&id) {
        *watch = HealthCheck { stale: watch.looking.is_some(), looking: watch.looking, ..HealthCheck::default() };
    }
    Ok(())
}

pub(crate) fn set(state: &mut State, turn: &mut Transaction, id: ServiceId, on: bool) -> Result<(), Fault> {
    let name = state.service(id)?.name.clone();
    if state.services.change(turn, id, |it| it.on = on) {
        audit::service(turn, &name, if on { "resumed" } else { "paused" });
    }
    Ok(())
}

pub(crate) fn close(state: &mut State, turn: &mut Transaction, id: ServiceId) -> Result<(), Fault> {
    let name = state.service(id)?.name.clone();
    for invitation in state.invitations.keys_of(|it| it.service == id && invitations::is_open(it.state)) {
        invitations::end(state, turn, invitation, SentState::Revoked);
    }
    for grant in state.grants.keys_of(|it| it.service == id && grants::is_live(it.state)) {
        grants::end(state, turn, grant, GrantState::Revoked);
    }
    audit::service(turn, &name, "closed");
    state.services.remove(turn, id);
    state.watches.remove(&id);
    Ok(())
}

pub(crate) fn health(state: &mut State, turn: &mut Transaction, id: ServiceId, result: Result<(), Fault>) {
    let Some(watch) = state.watches.get_mut(&id) else { return };
    watch.looking = None;
    if std::mem::take(&mut watch.stale) {
        watch.next = turn.now.ticks;
        return;
    }
    let was_doubted = std::mem::take(&mut watch.doubted) && result.is_ok();
    let every = if result.is_ok() { CHECK_EVERY } else { CHECK_DOWN_EVERY };
    watch.next = turn.now.ticks + turn.about(every);
    watch.health = match (result, &watch.health) {
        (Ok(()), _) => Health::Up,
        (Err(fault), Health::Down { since, .. }) => Health::Down { fault, since: *since },
        (Err(fault), _) => Health::Down { fault, since: turn.now.wall },
    };
    if was_doubted {
        reconcile::tell_anew(state, id);
    }
}

/// Whether a service's target was found not to answer.
pub(crate) fn is_down(state: &State, id: ServiceId) -> bool {
    state.watches.get(&id).is_some_and(|it| matches!(it.health, Health::Down { .. }))
}

/// Looks at a target soon: a stream through it could not be made.
pub(crate) fn doubt(state: &mut State, turn: &mut Transaction, id: ServiceId) {
    if let Some(watch) = state.watches.get_mut(&id) {
        watch.next = watch.next.min(turn.now.ticks);
        watch.doubted = true;
        turn.settle = true;
    }
}

pub(crate) fn hurry(state: &mut State, ticks: u64) {
    for watch in state.watches.values_mut() {
        watch.next = watch.next.min(ticks);
    }
}

/// When the next target is to be looked at, or a look to be given up.
pub(crate) fn next_check(state: &State) -> Option<u64> {
    state.watches.values().map(|it| it.looking.unwrap_or(it.next)).min()
}

/// Looks at every target whose time has come.
pub(crate) fn settle(state: &mut State, turn: &mut Transaction) {
    let open: Vec<(ServiceId, String)> =
        state.services.all().filter(|it| state.is_open(it)).map(|it| (it.id, it.target.clone())).collect();
    state.watches.retain(|id, _| open.iter().any(|(open, _)| open == id));
    for (id, target) in open {
        let watch = state.watches.entry(id).or_default();
        let lost = watch.looking.is_some_and(|until| turn.now.ticks >= until);
        if lost {
            (watch.looking, watch.stale) = (None, false);
        }
        if watch.looking.is_none() && (lost || turn.now.ticks >= watch.next) {
            watch.looking = Some(turn.now.ticks + ANSWER_WITHIN);
            turn.effect(Effect::CheckTarget(id, target));
        }
    }
}
