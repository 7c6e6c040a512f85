//! Portals on this person's localhost: made of grants, changed here, ended by their owners, given back.
//!
//! ```text
//! Granted ──► a record ──► KeepInlet          PeerNotification, Sync ──► refused, until when, how the service is called
//!                                             RemoveInlet ──► GiveBack, until heard ──► gone
//! ```
//!
//! A portal that its owner has ended for good is no longer kept: its port is free, its row says why.

use crate::api::{Code, Fault, GrantId, InletId, UnixMillis};
use crate::core::commands::contacts;
use crate::core::derive::portal_status;
use crate::core::derive::portal_status::PortalRuntime;
use crate::core::limits::MAX_INLETS;
use crate::core::records::{Inlet, Received};
use crate::core::tasks::outbound_calls::OutboundCall;
use crate::core::transaction::Transaction;
use crate::core::{Effect, State, audit, validation};
use crate::peer::PeerAddress;
use crate::peer::{ContactInfo, GrantStatus, Offer};
use postern_node::identity::Identifier;

/// Ports below this one belong to the system; a service there is proposed at its port plus [`ABOVE_SYSTEM`].
const SYSTEM_PORTS: u16 = 1024;
const ABOVE_SYSTEM: u16 = 10_000;

/// Whether an owner's word about a grant is the last one, so that nothing needs to listen here.
pub(crate) fn is_final(code: Code) -> bool {
    matches!(code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Blocked)
}

impl State {
    /// Whether a portal should listen and keep its channel.
    pub(crate) fn is_wanted(&self, inlet: &Inlet, wall: UnixMillis) -> bool {
        inlet.on
            && !inlet.giving_back
            && !self.is_paused()
            && !self.is_blocked(inlet.owner)
            && !inlet.refused.is_some_and(is_final)
            && !is_over(inlet, wall)
    }

    fn uses_port(&self, port: u16, but: Option<InletId>) -> Option<&Inlet> {
        self.inlets.find(|it| it.port == port && Some(it.id) != but && !it.giving_back)
    }
}

/// Whether the time is over that the owner last spoke of.
pub(crate) fn is_over(inlet: &Inlet, wall: UnixMillis) -> bool {
    inlet.until.is_some_and(|until| until <= wall)
}

/// Whether a port can be asked for.
pub(crate) fn check_port(state: &State, port: u16, but: Option<InletId>) -> Result<(), Fault> {
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
pub(crate) fn next_port(state: &State, port: u16, but: Option<InletId>) -> Option<u16> {
    let is_own = |port| {
        state.services.all().any(|it| {
            let is_here = ["localhost:", "127.0.0.1:", "[::1]:"].iter().any(|here| it.target.starts_with(here));
            is_here && validation::port_of(&it.target) == port
        })
    };
    (port.max(SYSTEM_PORTS - 1).checked_add(1)?..=u16::MAX)
        .find(|it| state.uses_port(*it, but).is_none() && !is_own(*it))
}

/// The port for a new portal: the one asked for, else the service's own if no other portal has it, else the next.
pub(crate) fn proposed_port(state: &State, own: u16) -> u16 {
    let port = if own < SYSTEM_PORTS { own.saturating_add(ABOVE_SYSTEM) } else { own };
    match state.uses_port(port, None) {
        Some(_) => next_port(state, port, None).unwrap_or(port),
        None => port,
    }
}

/// Makes a portal of a grant, or gives the one that is there the new grant.
pub(crate) fn make(
    state: &mut State,
    turn: &mut Transaction,
    received: &Received,
    offer: Offer,
    reach: Vec<PeerAddress>,
) -> Result<(), Fault> {
    let owner = received.owner;
    if state.inlets.all().any(|it| it.grant == offer.grant && it.owner != owner) {
        audit::refused(state, turn, None, Some(owner), Code::NotTrusted);
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
        state.errands.begin(OutboundCall::Sync(owner), turn.now.ticks);
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
        up_bytes: 0,
        down_bytes: 0,
    };
    audit::portal(state, turn, &inlet, "added");
    state.lines.insert(inlet.id, PortalRuntime::fresh(turn.now.wall));
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
pub(crate) fn told(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    grant: GrantId,
    standing: GrantStatus,
) {
    let Some(inlet) = state.inlets.find(|it| it.grant == grant) else { return };
    if inlet.owner != person {
        return audit::refused(state, turn, None, Some(person), Code::NotTrusted);
    }
    stands(state, turn, inlet.id, standing);
}

/// An owner's node ends: what is open to it is dead, and is not to be found out by using it.
pub(crate) fn owner_leaves(state: &State, turn: &mut Transaction, owner: Identifier) {
    turn.effect(Effect::CloseChannels(owner));
    for id in state.inlets.keys_of(|it| it.owner == owner) {
        turn.effect(Effect::ReopenInlet(id));
    }
}

fn stands(state: &mut State, turn: &mut Transaction, id: InletId, standing: GrantStatus) {
    let refused = match standing {
        GrantStatus::Active(offer) => {
            let same = state.inlets.get(id).is_some_and(|it| it.grant == offer.grant);
            if let Some(offer) = validation::clean_offer(offer).filter(|_| same) {
                state.inlets.change(turn, id, |it| apply(it, offer));
                portal_status::forget_refusal(state, id);
            }
            return;
        }
        // The grant is good.
        GrantStatus::Inactive(Code::ServiceDown) => {
            state.inlets.change(turn, id, |it| it.refused = None);
            return portal_status::service_is_down(state, id);
        }
        GrantStatus::Inactive(code) if is_final(code) || code == Code::PausedByOwner => code,
        GrantStatus::Inactive(_) => Code::Denied,
    };
    let changed = state.inlets.change(turn, id, |it| it.refused = Some(refused));
    if let Some(inlet) = state.inlets.get(id).filter(|_| changed && refused == Code::Revoked) {
        audit::portal(state, turn, inlet, "revoked");
    }
}

/// The owner has answered how the grants are that were asked about.
pub(crate) fn synced(
    state: &mut State,
    turn: &mut Transaction,
    owner: Identifier,
    asked: &[GrantId],
    standings: Vec<(GrantId, GrantStatus)>,
    card: ContactInfo,
) {
    let card = validation::clean_card(card);
    for id in state.inlets.keys_of(|it| it.owner == owner && asked.contains(&it.grant)) {
        let Some(grant) = state.inlets.get(id).map(|it| it.grant) else { continue };
        let standing = standings.iter().find(|(it, _)| *it == grant).map(|(_, standing)| standing.clone());
        stands(state, turn, id, standing.unwrap_or(GrantStatus::Inactive(Code::Revoked)));
        if !card.reach.is_empty() {
            state.inlets.change(turn, id, |it| it.reach.clone_from(&card.reach));
        }
    }
    contacts::refresh(state, turn, owner, card);
}

/// The owner does not talk to this person any more.
pub(crate) fn sync_was_refused(state: &mut State, turn: &mut Transaction, asked: &[GrantId], code: Code) {
    for id in state.inlets.keys_of(|it| asked.contains(&it.grant)) {
        stands(state, turn, id, GrantStatus::Inactive(code));
    }
}

fn find(state: &State, id: InletId) -> Result<&Inlet, Fault> {
    let missing = || Fault::new(Code::NotFound, "There is no such portal.");
    state.inlets.get(id).filter(|it| !it.giving_back).ok_or_else(missing)
}

pub(crate) fn change(
    state: &mut State,
    turn: &mut Transaction,
    id: InletId,
    name: Option<String>,
    port: Option<u16>,
) -> Result<(), Fault> {
    find(state, id)?;
    let name = name.map(|it| validation::name(&it)).transpose()?;
    if let Some(port) = port {
        check_port(state, port, Some(id))?;
    }
    state.inlets.change(turn, id, |it| {
        it.name = name.unwrap_or_else(|| it.name.clone());
        it.port = port.unwrap_or(it.port);
    });
    Ok(())
}

pub(crate) fn set(state: &mut State, turn: &mut Transaction, id: InletId, on: bool) -> Result<(), Fault> {
    let inlet = find(state, id)?;
    let owner = inlet.owner;
    if state.inlets.change(turn, id, |it| it.on = on)
        && let Some(inlet) = state.inlets.get(id)
    {
        audit::portal(state, turn, inlet, if on { "on" } else { "off" });
    }
    if on {
        state.errands.begin(OutboundCall::Sync(owner), turn.now.ticks);
    }
    Ok(())
}

pub(crate) fn remove(state: &mut State, turn: &mut Transaction, id: InletId) -> Result<(), Fault> {
    let inlet = find(state, id)?.clone();
    audit::portal(state, turn, &inlet, "removed");
    state.inlets.change(turn, id, |it| it.giving_back = true);
    Ok(())
}
