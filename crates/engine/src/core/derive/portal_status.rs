//! What is known of portals in this run: whether they listen, whether their owner is there, and why one is not up.
//!
//! ```text
//! InletListening ─┐
//! InletUp, Down ──┼─► the first of these that says no is the reason, behind what the records say; else it is up
//! InletRefused ───┘
//! ```

use crate::api::{Code, Fault, InletId, Notice, PathKind, UnixMillis};
use crate::core::commands::inlets;
use crate::core::derive::access;
use crate::core::event::Refusal;
use crate::core::limits::NOTICE_EVERY;
use crate::core::records::Inlet;
use crate::core::tasks::outbound_calls::OutboundCall;
use crate::core::transaction::Transaction;
use crate::core::{State, fault_messages};

/// What is known of a portal in this run.
#[derive(Default)]
pub(crate) struct PortalRuntime {
    listening: Option<Result<(), Fault>>,
    channel: Option<Result<PathKind, Fault>>,
    refusal: Option<Refusal>,
    pub(crate) round_trip: Option<u32>,
    pub(crate) live: u32,
    shown: Option<PortalPhase>,
    /// The same, but for moments of being connected.
    lasting: Option<PortalPhase>,
    pub(crate) since: UnixMillis,
    /// It was made in this run: the first time it is up is worth a notice.
    is_fresh: bool,
    down_is_told: bool,
    told_at: Option<u64>,
}

impl PortalRuntime {
    /// Of a portal that was made in this run.
    pub(crate) fn fresh(since: UnixMillis) -> Self {
        Self { is_fresh: true, since, ..Self::default() }
    }
}

/// How a portal is, without since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortalState {
    Off,
    Connecting,
    Up(PathKind),
    Down(Fault),
}

/// What of it makes a difference to a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PortalPhase {
    Off,
    Connecting,
    Up,
    Down(Code),
}

impl PortalState {
    fn shown(&self) -> PortalPhase {
        match self {
            Self::Off => PortalPhase::Off,
            Self::Connecting => PortalPhase::Connecting,
            Self::Up(_) => PortalPhase::Up,
            Self::Down(fault) => PortalPhase::Down(fault.code),
        }
    }
}

impl State {
    /// How a portal is: up, or the first reason that it is not.
    pub(crate) fn link(&self, inlet: &Inlet, wall: UnixMillis) -> PortalState {
        let owner = || self.name(inlet.owner);
        let told = |code| PortalState::Down(fault_messages::portal(code, &owner()));
        if !inlet.on {
            return PortalState::Off;
        }
        if self.is_paused() {
            return PortalState::Down(Fault::new(Code::Paused, "Everything is paused here."));
        }
        if self.is_blocked(inlet.owner) {
            let sentence = format!("You have blocked {}: unblock them to use it.", owner());
            return PortalState::Down(Fault::new(Code::Blocked, sentence));
        }
        if let Some(code) = inlet.refused {
            return told(code);
        }
        if inlets::is_over(inlet, wall) {
            return told(Code::Expired);
        }
        if let Some(fault) = self.key_fault() {
            return PortalState::Down(fault.clone());
        }
        let Some(line) = self.lines.get(&inlet.id) else { return PortalState::Connecting };
        match (&line.listening, &line.channel, line.refusal) {
            (Some(Err(fault)), _, _) | (_, Some(Err(fault)), _) => PortalState::Down(fault.clone()),
            (Some(Ok(())), Some(Ok(_)), Some(refusal)) => told(access::meaning(refusal)),
            (Some(Ok(())), Some(Ok(way)), None) => PortalState::Up(way.clone()),
            _ => PortalState::Connecting,
        }
    }
}

/// What the outlet refused before the owner said that all is well again.
pub(crate) fn forget_refusal(state: &mut State, id: InletId) {
    if let Some(line) = state.lines.get_mut(&id) {
        line.refusal = None;
    }
}

/// The owner says that a stream would be refused now, because the service does not answer.
pub(crate) fn service_is_down(state: &mut State, id: InletId) {
    if let Some(line) = line(state, id) {
        line.refusal = Some(Refusal::Unreachable);
    }
}

/// Whether news of an inlet are about one that is kept.
fn line(state: &mut State, id: InletId) -> Option<&mut PortalRuntime> {
    if state.kept.keeps_inlet(id) { Some(state.lines.entry(id).or_default()) } else { None }
}

pub(crate) fn listening(state: &mut State, id: InletId, result: Result<u16, Fault>) {
    let port = state.inlets.get(id).map(|it| it.port);
    let Some(line) = line(state, id) else { return };
    match result {
        // From before the port was changed.
        Ok(listens) if Some(listens) != port => {}
        result => line.listening = Some(result.map(drop)),
    }
}

pub(crate) fn up(state: &mut State, turn: &mut Transaction, id: InletId, way: PathKind) {
    let Some(line) = line(state, id) else { return };
    line.channel = Some(Ok(way));
    if let Some(inlet) = state.inlets.get(id) {
        state.errands.begin(OutboundCall::Sync(inlet.owner), turn.now.ticks);
        // Whatever else waits for this owner need not wait any longer.
        let owner = inlet.owner;
        let waits = state.received.all().filter(|it| it.owner == owner).map(|it| it.id).collect::<Vec<_>>();
        for id in waits {
            state.errands.hurry_one(OutboundCall::Redeem(id), turn.now.ticks);
        }
    }
}

/// The channel is gone, and another one on its way.
pub(crate) fn connecting(state: &mut State, id: InletId) {
    let Some(line) = line(state, id) else { return };
    line.channel = None;
}

pub(crate) fn down(state: &mut State, id: InletId, fault: Fault) {
    let Some(line) = line(state, id) else { return };
    line.channel = Some(Err(fault));
    line.round_trip = None;
    line.live = 0;
}

pub(crate) fn refused(state: &mut State, turn: &mut Transaction, id: InletId, refusal: Option<Refusal>) {
    let Some(line) = line(state, id) else { return };
    line.refusal = refusal;
    // The outlet says no: its owner says why. It says yes although we think it does not: ask as well.
    let Some(inlet) = state.inlets.get(id) else { return };
    if refusal.is_some_and(|it| !it.is_services_fault()) || (refusal.is_none() && inlet.refused.is_some()) {
        state.errands.begin(OutboundCall::Sync(inlet.owner), turn.now.ticks);
    }
}

pub(crate) fn live(state: &mut State, turn: &mut Transaction, id: InletId, live: u32) {
    turn.settle = false;
    if let Some(line) = line(state, id) {
        line.live = live;
    }
}

pub(crate) fn round_trip(state: &mut State, turn: &mut Transaction, id: InletId, milliseconds: u32) {
    turn.settle = false;
    if let Some(line) = line(state, id) {
        line.round_trip = Some(milliseconds);
    }
}

/// What was known of an inlet that is kept anew, or no longer, does not count any more.
pub(crate) fn begin_anew(state: &mut State, id: InletId, keeps_channel: bool) {
    let Some(line) = state.lines.get_mut(&id) else { return };
    line.listening = None;
    line.refusal = None;
    if !keeps_channel {
        line.channel = None;
        line.round_trip = None;
        line.live = 0;
    }
}

/// Notes since when each portal is as it is, and tells of those that came up or went down.
pub(crate) fn settle(state: &mut State, turn: &mut Transaction) {
    let gone: Vec<InletId> = state.lines.keys().copied().filter(|id| !state.inlets.contains(*id)).collect();
    for id in gone {
        state.lines.remove(&id);
    }
    for id in state.inlets.keys_of(|it| !it.giving_back) {
        let Some(inlet) = state.inlets.get(id) else { continue };
        let link = state.link(inlet, turn.now.wall);
        let (name, port) = (inlet.name.clone(), inlet.port);
        let line = state.lines.entry(id).or_default();
        let before = line.shown.replace(link.shown());
        if before == line.shown {
            continue;
        }
        line.since = turn.now.wall;
        if matches!(link, PortalState::Connecting) {
            continue;
        }
        let before = line.lasting.replace(link.shown());
        match link {
            PortalState::Up(_) if std::mem::take(&mut line.is_fresh) | std::mem::take(&mut line.down_is_told) => {
                turn.notify(Notice::PortalUp { inlet: id, name, address: format!("127.0.0.1:{port}") });
            }
            PortalState::Down(fault)
                if before == Some(PortalPhase::Up) && fault.code != Code::Paused && fault.code != Code::Blocked =>
            {
                let quiet = line.told_at.is_some_and(|at| turn.now.ticks < at.saturating_add(NOTICE_EVERY));
                if !quiet {
                    (line.told_at, line.down_is_told) = (Some(turn.now.ticks), true);
                    turn.notify(Notice::PortalDown { inlet: id, name, fault });
                }
            }
            _ => {}
        }
    }
}
