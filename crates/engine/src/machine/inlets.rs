//! Portals on this person's localhost: their ports, and why one is not up.
//!
//! ```text
//! Granted ──► KeepInlet ──► InletListening(port) ─┐
//!                           InletUp(way) ─────────┼─► InletLink: up, or the first reason that it is not
//!                           InletRefused, News ───┘
//! ```
//!
//! A portal that its owner has ended for good is no longer kept: its port is free, its row says why.

use super::errands::Errand;
use super::event::Refusal;
use super::limits::{MAX_INLETS, NOTICE_EVERY};
use super::record::{Inlet, Reach, Received};
use super::turn::Turn;
use super::{State, contacts, faults, gate, receipts, texts};
use crate::desk::{Card, Offer, Standing};
use crate::model::{Code, Fault, GrantId, InletId, Notice, UnixMillis, Way};
use postern_node::identity::Identifier;

/// Ports below this one belong to the system; a service there is proposed at its port plus [`ABOVE_SYSTEM`].
const SYSTEM_PORTS: u16 = 1024;
const ABOVE_SYSTEM: u16 = 10_000;

/// What is known of a portal in this run.
#[derive(Default)]
pub(super) struct Line {
    listening: Option<Result<(), Fault>>,
    channel: Option<Result<Way, Fault>>,
    refusal: Option<Refusal>,
    pub(super) round_trip: Option<u32>,
    pub(super) live: u32,
    shown: Option<Shown>,
    pub(super) since: UnixMillis,
    /// It was made in this run: the first time it is up is worth a notice.
    is_fresh: bool,
    down_is_told: bool,
    told_at: Option<u64>,
}

/// How a portal is, without since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    Off,
    Connecting,
    Up(Way),
    Down(Fault),
}

/// What of it makes a difference to a person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Off,
    Connecting,
    Up,
    Down(Code),
}

impl Link {
    fn shown(&self) -> Shown {
        match self {
            Self::Off => Shown::Off,
            Self::Connecting => Shown::Connecting,
            Self::Up(_) => Shown::Up,
            Self::Down(fault) => Shown::Down(fault.code),
        }
    }
}

/// Whether an owner's word about a grant is the last one, so that nothing needs to listen here.
fn is_final(code: Code) -> bool {
    matches!(code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Blocked)
}

impl State {
    /// Whether a portal should listen and keep its channel.
    pub(super) fn is_wanted(&self, inlet: &Inlet, wall: UnixMillis) -> bool {
        inlet.on
            && !inlet.giving_back
            && !self.is_paused()
            && !self.is_blocked(inlet.owner)
            && !inlet.refused.is_some_and(is_final)
            && !is_over(inlet, wall)
    }

    /// How a portal is: up, or the first reason that it is not.
    pub(super) fn link(&self, inlet: &Inlet, wall: UnixMillis) -> Link {
        let owner = || self.name(inlet.owner);
        let told = |code| Link::Down(faults::portal(code, &owner()));
        if !inlet.on {
            return Link::Off;
        }
        if self.is_paused() {
            return Link::Down(Fault::new(Code::Paused, "Everything is paused here."));
        }
        if self.is_blocked(inlet.owner) {
            let sentence = format!("You have blocked {}: unblock them to use it.", owner());
            return Link::Down(Fault::new(Code::Blocked, sentence));
        }
        if let Some(code) = inlet.refused {
            return told(code);
        }
        if is_over(inlet, wall) {
            return told(Code::Expired);
        }
        if let Some(fault) = self.key_fault() {
            return Link::Down(fault.clone());
        }
        let Some(line) = self.lines.get(&inlet.id) else { return Link::Connecting };
        match (&line.listening, &line.channel, line.refusal) {
            (Some(Err(fault)), _, _) => Link::Down(self.port_fault(inlet, fault)),
            (_, Some(Err(fault)), _) => Link::Down(fault.clone()),
            (Some(Ok(())), Some(Ok(_)), Some(refusal)) => told(gate::meaning(refusal)),
            (Some(Ok(())), Some(Ok(way)), None) => Link::Up(way.clone()),
            _ => Link::Connecting,
        }
    }

    /// A taken port's sentence names who holds it, if the system told, and the next port that could be used.
    fn port_fault(&self, inlet: &Inlet, fault: &Fault) -> Fault {
        match next_port(self, inlet.port, Some(inlet.id)).filter(|_| fault.code == Code::PortTaken) {
            Some(next) => {
                let sentence = fault.message.trim_end_matches('.');
                Fault::new(Code::PortTaken, format!("{sentence}. You could use {next} instead."))
            }
            None => fault.clone(),
        }
    }

    fn uses_port(&self, port: u16, but: Option<InletId>) -> Option<&Inlet> {
        self.inlets.find(|it| it.port == port && Some(it.id) != but && !it.giving_back)
    }
}

/// Whether the time is over that the owner last spoke of.
pub(super) fn is_over(inlet: &Inlet, wall: UnixMillis) -> bool {
    inlet.until.is_some_and(|until| until <= wall)
}

/// Whether a port can be asked for.
pub(super) fn check_port(state: &State, port: u16, but: Option<InletId>) -> Result<(), Fault> {
    if port == 0 {
        return Err(Fault::new(Code::Invalid, "Port 0 cannot be used."));
    }
    match state.uses_port(port, but) {
        Some(other) => {
            let sentence = format!("Port {port} is used by your portal {}: choose another.", other.name);
            Err(Fault::new(Code::PortTaken, sentence))
        }
        None => Ok(()),
    }
}

/// The next port above this one that no other portal has, and none of this person's own services.
fn next_port(state: &State, port: u16, but: Option<InletId>) -> Option<u16> {
    let is_own = |port| {
        state.services.all().any(|it| {
            let is_here = ["localhost:", "127.0.0.1:", "[::1]:"].iter().any(|here| it.target.starts_with(here));
            is_here && texts::port_of(&it.target) == port
        })
    };
    (port.max(SYSTEM_PORTS - 1).checked_add(1)?..=u16::MAX)
        .find(|it| state.uses_port(*it, but).is_none() && !is_own(*it))
}

/// The port for a new portal: the one asked for, else the service's own if no other portal has it, else the next.
pub(super) fn proposed_port(state: &State, own: u16) -> u16 {
    let port = if own < SYSTEM_PORTS { own.saturating_add(ABOVE_SYSTEM) } else { own };
    match state.uses_port(port, None) {
        Some(_) => next_port(state, port, None).unwrap_or(port),
        None => port,
    }
}

/// Makes a portal of a grant, or gives the one that is there the new grant.
pub(super) fn make(
    state: &mut State,
    turn: &mut Turn,
    received: &Received,
    offer: Offer,
    reach: Vec<Reach>,
) -> Result<(), Fault> {
    let owner = received.owner;
    if state.inlets.all().any(|it| it.grant == offer.grant && it.owner != owner) {
        receipts::refused(state, turn, None, Some(owner), Code::NotTrusted);
        return Err(Fault::new(Code::NotTrusted, "The owner's answer is about somebody else's service."));
    }
    let reach = if reach.is_empty() { received.reach.clone() } else { reach };
    let is_same =
        |it: &Inlet| it.owner == owner && !it.giving_back && (it.grant == offer.grant || it.outlet == offer.outlet);
    if let Some(id) = state.inlets.find(is_same).map(|it| it.id) {
        state.inlets.change(turn, id, |it| {
            (it.grant, it.reach, it.on) = (offer.grant, reach, true);
            it.port = received.chosen_port.unwrap_or(it.port);
            apply(it, offer);
        });
        // The grant may be one that is paused: that is not an offer's to say.
        state.errands.begin(Errand::Sync(owner), turn.now.ticks);
        return Ok(());
    }
    if state.inlets.len() >= MAX_INLETS {
        return Err(Fault::new(Code::TooMany, "You have as many portals as there can be."));
    }
    let asked = received.chosen_port.filter(|port| state.uses_port(*port, None).is_none());
    let inlet = Inlet {
        id: InletId(turn.random()),
        grant: offer.grant,
        owner,
        reach,
        outlet: offer.outlet.clone(),
        name: offer.service_name.clone(),
        service_name: offer.service_name.clone(),
        service_kind: offer.service_kind,
        path: offer.path.clone(),
        description: offer.description.clone(),
        port: asked.unwrap_or_else(|| proposed_port(state, offer.port)),
        on: true,
        until: offer.until,
        refused: None,
        giving_back: false,
    };
    receipts::portal(state, turn, &inlet, "added");
    state.lines.insert(inlet.id, Line { is_fresh: true, since: turn.now.wall, ..Line::default() });
    state.inlets.put(turn, inlet);
    Ok(())
}

/// Takes what the owner says a good grant offers now.
fn apply(inlet: &mut Inlet, offer: Offer) {
    if inlet.name == inlet.service_name {
        inlet.name.clone_from(&offer.service_name);
    }
    inlet.service_name = offer.service_name;
    inlet.service_kind = offer.service_kind;
    inlet.outlet = offer.outlet;
    inlet.path = offer.path;
    inlet.description = offer.description;
    inlet.until = offer.until;
    inlet.refused = None;
}

/// An owner says how a grant is.
pub(super) fn told(state: &mut State, turn: &mut Turn, person: Identifier, grant: GrantId, standing: Standing) {
    let Some(inlet) = state.inlets.find(|it| it.grant == grant) else { return };
    if inlet.owner != person {
        return receipts::refused(state, turn, None, Some(person), Code::NotTrusted);
    }
    stands(state, turn, inlet.id, standing);
}

fn stands(state: &mut State, turn: &mut Turn, id: InletId, standing: Standing) {
    let refused = match standing {
        Standing::Good(offer) => {
            let same = state.inlets.get(id).is_some_and(|it| it.grant == offer.grant);
            if let Some(offer) = texts::clean_offer(offer).filter(|_| same) {
                state.inlets.change(turn, id, |it| apply(it, offer));
                forget_refusal(state, id);
            }
            return;
        }
        Standing::Not(code) if is_final(code) || code == Code::PausedByOwner => code,
        Standing::Not(_) => Code::Denied,
    };
    let changed = state.inlets.change(turn, id, |it| it.refused = Some(refused));
    if let Some(inlet) = state.inlets.get(id).filter(|_| changed && refused == Code::Revoked) {
        receipts::portal(state, turn, inlet, "revoked");
    }
}

/// What the outlet refused before the owner said that all is well again.
fn forget_refusal(state: &mut State, id: InletId) {
    if let Some(line) = state.lines.get_mut(&id)
        && line.refusal.is_some_and(|it| !gate::is_services_fault(it))
    {
        line.refusal = None;
    }
}

/// The owner has answered how the grants are that were asked about.
pub(super) fn synced(
    state: &mut State,
    turn: &mut Turn,
    owner: Identifier,
    asked: &[GrantId],
    standings: Vec<(GrantId, Standing)>,
    card: Card,
) {
    let card = texts::clean_card(card);
    for id in state.inlets.keys_of(|it| it.owner == owner && asked.contains(&it.grant)) {
        let Some(grant) = state.inlets.get(id).map(|it| it.grant) else { continue };
        let standing = standings.iter().find(|(it, _)| *it == grant).map(|(_, standing)| standing.clone());
        stands(state, turn, id, standing.unwrap_or(Standing::Not(Code::Revoked)));
        if !card.reach.is_empty() {
            state.inlets.change(turn, id, |it| it.reach.clone_from(&card.reach));
        }
    }
    contacts::refresh(state, turn, owner, card);
}

/// The owner does not talk to this person any more.
pub(super) fn sync_was_refused(state: &mut State, turn: &mut Turn, asked: &[GrantId], code: Code) {
    for id in state.inlets.keys_of(|it| asked.contains(&it.grant)) {
        stands(state, turn, id, Standing::Not(code));
    }
}

fn find(state: &State, id: InletId) -> Result<&Inlet, Fault> {
    let missing = || Fault::new(Code::NotFound, "There is no such portal.");
    state.inlets.get(id).filter(|it| !it.giving_back).ok_or_else(missing)
}

pub(super) fn change(
    state: &mut State,
    turn: &mut Turn,
    id: InletId,
    name: Option<String>,
    port: Option<u16>,
) -> Result<(), Fault> {
    find(state, id)?;
    let name = name.map(|it| texts::name(&it)).transpose()?;
    if let Some(port) = port {
        check_port(state, port, Some(id))?;
    }
    state.inlets.change(turn, id, |it| {
        it.name = name.unwrap_or_else(|| it.name.clone());
        it.port = port.unwrap_or(it.port);
    });
    Ok(())
}

pub(super) fn set(state: &mut State, turn: &mut Turn, id: InletId, on: bool) -> Result<(), Fault> {
    let inlet = find(state, id)?;
    let owner = inlet.owner;
    if state.inlets.change(turn, id, |it| it.on = on)
        && let Some(inlet) = state.inlets.get(id)
    {
        receipts::portal(state, turn, inlet, if on { "on" } else { "off" });
    }
    if on {
        state.errands.begin(Errand::Sync(owner), turn.now.ticks);
    }
    Ok(())
}

pub(super) fn remove(state: &mut State, turn: &mut Turn, id: InletId) -> Result<(), Fault> {
    let inlet = find(state, id)?.clone();
    receipts::portal(state, turn, &inlet, "removed");
    state.inlets.change(turn, id, |it| it.giving_back = true);
    Ok(())
}

/// Whether news of an inlet are about one that is kept.
fn line(state: &mut State, id: InletId) -> Option<&mut Line> {
    if state.kept.keeps_inlet(id) { Some(state.lines.entry(id).or_default()) } else { None }
}

pub(super) fn listening(state: &mut State, id: InletId, result: Result<u16, Fault>) {
    let port = state.inlets.get(id).map(|it| it.port);
    let Some(line) = line(state, id) else { return };
    match result {
        // From before the port was changed.
        Ok(listens) if Some(listens) != port => {}
        result => line.listening = Some(result.map(drop)),
    }
}

pub(super) fn up(state: &mut State, turn: &mut Turn, id: InletId, way: Way) {
    let Some(line) = line(state, id) else { return };
    line.channel = Some(Ok(way));
    if let Some(inlet) = state.inlets.get(id) {
        state.errands.begin(Errand::Sync(inlet.owner), turn.now.ticks);
        // Whatever else waits for this owner need not wait any longer.
        let owner = inlet.owner;
        let waits = state.received.all().filter(|it| it.owner == owner).map(|it| it.id).collect::<Vec<_>>();
        for id in waits {
            state.errands.hurry_one(Errand::Redeem(id), turn.now.ticks);
        }
    }
}

pub(super) fn down(state: &mut State, id: InletId, fault: Fault) {
    let Some(line) = line(state, id) else { return };
    line.channel = Some(Err(fault));
    line.round_trip = None;
    line.live = 0;
}

pub(super) fn refused(state: &mut State, turn: &mut Turn, id: InletId, refusal: Option<Refusal>) {
    let Some(line) = line(state, id) else { return };
    line.refusal = refusal;
    // The outlet says no: its owner says why. It says yes although we think it does not: ask as well.
    let Some(inlet) = state.inlets.get(id) else { return };
    if refusal.is_some_and(|it| !gate::is_services_fault(it)) || (refusal.is_none() && inlet.refused.is_some()) {
        state.errands.begin(Errand::Sync(inlet.owner), turn.now.ticks);
    }
}

pub(super) fn live(state: &mut State, turn: &mut Turn, id: InletId, live: u32) {
    turn.settle = false;
    if let Some(line) = line(state, id) {
        line.live = live;
    }
}

pub(super) fn round_trip(state: &mut State, turn: &mut Turn, id: InletId, milliseconds: u32) {
    turn.settle = false;
    if let Some(line) = line(state, id) {
        line.round_trip = Some(milliseconds);
    }
}

/// What was known of an inlet that is kept anew, or no longer, does not count any more.
pub(super) fn begin_anew(state: &mut State, id: InletId, keeps_channel: bool) {
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
pub(super) fn settle(state: &mut State, turn: &mut Turn) {
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
        match link {
            Link::Up(_) if std::mem::take(&mut line.is_fresh) | std::mem::take(&mut line.down_is_told) => {
                turn.notify(Notice::PortalUp { inlet: id, name, address: format!("127.0.0.1:{port}") });
            }
            Link::Down(fault)
                if before == Some(Shown::Up) && fault.code != Code::Paused && fault.code != Code::Blocked =>
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
