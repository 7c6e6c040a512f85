//! What others are still to hear from this person, asked until it is heard.
//!
//! ```text
//! records ──► Redeem, Decline, GiveBack ─┐            ┌─► heard: the room it belongs to
//! moments ──► Seen, Sync ────────────────┴─► Call ────┴─► not: again in 1 s, 2 s, … 60 s, or at once when a hub is back
//! ```
//!
//! Which errands there are follows from the records, so a crash forgets none that matters.

use crate::api::{Code, Fault, GrantId, InletId, InvitationId};
use crate::core::commands::{incoming_invitations, inlets};
use crate::core::event::CallId;
use crate::core::limits::{ANSWER_WITHIN, ASK_AGAIN, FIRST_RETRY, LAST_RETRY, MAX_CALLS, MAX_SYNC, MAX_TRIES};
use crate::core::records::Inlet;
use crate::core::transaction::Transaction;
use crate::core::{Effect, State};
use crate::peer::PeerAddress;
use crate::peer::{PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// One thing for one owner to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutboundCall {
    Redeem(InvitationId),
    Decline(InvitationId),
    GiveBack(InletId),
    Sync(Identifier),
    Seen(InvitationId),
}

impl OutboundCall {
    /// Whether the records say that it is to be done, or only that it would be good.
    fn must_be_heard(self) -> bool {
        matches!(self, Self::Redeem(_) | Self::Decline(_) | Self::GiveBack(_))
    }
}

#[derive(Default)]
struct Wait {
    /// When to ask, in ticks.
    at: u64,
    attempts: u32,
    fault: Option<Fault>,
    call: Option<Call>,
    /// Something has changed since the question under way was asked.
    again: bool,
}

struct Call {
    id: CallId,
    /// Until when its answer is waited for, in ticks.
    until: u64,
    asked: Vec<GrantId>,
}

/// All errands, and the questions under way.
#[derive(Default)]
pub(crate) struct OutboundCalls {
    waits: BTreeMap<OutboundCall, Wait>,
    last_call: u64,
}

impl OutboundCalls {
    /// Asks now, even if it was asked before.
    pub(crate) fn begin(&mut self, errand: OutboundCall, ticks: u64) {
        let wait = self.waits.entry(errand).or_insert_with(|| Wait { at: ticks, ..Wait::default() });
        wait.at = wait.at.min(ticks);
        wait.again = wait.call.is_some();
    }

    /// Asks at once what waits to be asked again.
    pub(crate) fn hurry(&mut self, ticks: u64) {
        for wait in self.waits.values_mut() {
            hurry(wait, ticks);
        }
    }

    pub(crate) fn hurry_one(&mut self, errand: OutboundCall, ticks: u64) {
        if let Some(wait) = self.waits.get_mut(&errand) {
            hurry(wait, ticks);
        }
    }

    /// What an errand waits for.
    pub(crate) fn fault(&self, errand: OutboundCall) -> Option<&Fault> {
        self.waits.get(&errand)?.fault.as_ref()
    }

    /// When the next is to be asked, or an answer to be given up.
    pub(crate) fn next(&self) -> Option<u64> {
        let is_full = self.calls() >= MAX_CALLS;
        let next = |it: &Wait| match &it.call {
            Some(call) => Some(call.until),
            None => (!is_full).then_some(it.at),
        };
        self.waits.values().filter_map(next).min()
    }

    fn calls(&self) -> usize {
        self.waits.values().filter(|it| it.call.is_some()).count()
    }
}

fn hurry(wait: &mut Wait, ticks: u64) {
    wait.at = wait.at.min(ticks);
    wait.attempts = 0;
    wait.again = wait.call.is_some();
}

/// The wait after this many attempts.
pub(crate) fn backoff(turn: &mut Transaction, attempts: u32) -> u64 {
    turn.about((FIRST_RETRY << attempts.min(16)).min(LAST_RETRY))
}

/// Asks how the grants are whose owners would not be met otherwise: no channel is kept to them.
pub(crate) fn sync_the_refused(state: &mut State, turn: &Transaction) {
    let is_out = |it: &&Inlet| it.on && !it.giving_back && (it.refused.is_some() || inlets::is_over(it, turn.now.wall));
    let owners = state.inlets.all().filter(is_out).map(|it| it.owner).filter(|it| !state.is_blocked(*it));
    let owners: Vec<_> = owners.collect();
    for owner in owners {
        state.errands.begin(OutboundCall::Sync(owner), turn.now.ticks);
    }
}

/// Makes the errands those of the records, and asks what is due.
pub(crate) fn settle(state: &mut State, turn: &mut Transaction) {
    let redeem =
        state.received.all().filter(|it| incoming_invitations::is_under_way(it)).map(|it| OutboundCall::Redeem(it.id));
    let decline =
        state.received.all().filter(|it| it.declined && it.over.is_none()).map(|it| OutboundCall::Decline(it.id));
    let give_back = state.inlets.all().filter(|it| it.giving_back).map(|it| OutboundCall::GiveBack(it.id));
    let wanted: std::collections::BTreeSet<OutboundCall> = redeem.chain(decline).chain(give_back).collect();
    state.errands.waits.retain(|errand, _| !errand.must_be_heard() || wanted.contains(errand));
    let ticks = turn.now.ticks;
    for errand in wanted {
        state.errands.waits.entry(errand).or_insert_with(|| Wait { at: ticks, ..Wait::default() });
    }
    give_up_lost(state, turn);
    let due =
        state.errands.waits.iter().filter(|(_, it)| it.call.is_none() && it.at <= ticks).map(|(errand, _)| *errand);
    let room = MAX_CALLS.saturating_sub(state.errands.calls());
    let due: Vec<OutboundCall> = due.take(room).collect();
    for errand in due {
        ask(state, turn, errand);
    }
}

/// A question whose answer never came is asked again.
fn give_up_lost(state: &mut State, turn: &mut Transaction) {
    let ticks = turn.now.ticks;
    let is_lost = |it: &Wait| it.call.as_ref().is_some_and(|call| call.until <= ticks);
    let lost: Vec<OutboundCall> =
        state.errands.waits.iter().filter(|(_, it)| is_lost(it)).map(|(errand, _)| *errand).collect();
    for errand in lost {
        failed(state, turn, errand, Fault::new(Code::TimedOut, "The owner did not answer in time."));
    }
}

fn ask(state: &mut State, turn: &mut Transaction, errand: OutboundCall) {
    let Some((to, reach, message)) = question(state, errand) else {
        state.errands.waits.remove(&errand);
        return;
    };
    state.errands.last_call += 1;
    let id = CallId(state.errands.last_call);
    let asked = if let PeerRequest::Sync { grants, .. } = &message { grants.clone() } else { Vec::new() };
    if let Some(wait) = state.errands.waits.get_mut(&errand) {
        wait.call = Some(Call { id, until: turn.now.ticks + ANSWER_WITHIN, asked });
        wait.again = false;
    }
    turn.effect(Effect::Call { call: id, to, reach, message });
}

fn question(state: &State, errand: OutboundCall) -> Option<(Identifier, Vec<PeerAddress>, PeerRequest)> {
    let ticket = |id: InvitationId| {
        let received = state.received.get(id)?;
        Some((received.owner, received.reach.clone(), *received.secret.as_ref()?.reveal()))
    };
    Some(match errand {
        OutboundCall::Redeem(id) => {
            let (owner, reach, secret) = ticket(id)?;
            (owner, reach, PeerRequest::Redeem { ticket: id, secret, card: state.card() })
        }
        OutboundCall::Decline(id) => {
            let (owner, reach, secret) = ticket(id)?;
            (owner, reach, PeerRequest::Decline { ticket: id, secret })
        }
        OutboundCall::Seen(id) => {
            let (owner, reach, secret) = ticket(id).filter(|(owner, ..)| !state.is_blocked(*owner))?;
            (owner, reach, PeerRequest::Seen { ticket: id, secret })
        }
        OutboundCall::GiveBack(id) => {
            let inlet = state.inlets.get(id)?;
            (inlet.owner, inlet.reach.clone(), PeerRequest::GiveBack { grant: inlet.grant })
        }
        OutboundCall::Sync(owner) => {
            let inlets = || state.inlets.all().filter(|it| it.owner == owner && !it.giving_back);
            let grants = inlets().map(|it| it.grant).take(MAX_SYNC).collect();
            (owner, inlets().next()?.reach.clone(), PeerRequest::Sync { grants, card: state.card() })
        }
    })
}

/// A question was answered, or could not be asked.
pub(crate) fn answered(state: &mut State, turn: &mut Transaction, call: CallId, result: Result<PeerResponse, Fault>) {
    let is_it = |it: &Wait| it.call.as_ref().is_some_and(|it| it.id == call);
    let Some((errand, wait)) = state.errands.waits.iter_mut().find(|(_, it)| is_it(it)) else { return };
    let errand = *errand;
    let asked = wait.call.take().map(|it| it.asked).unwrap_or_default();
    let answer = match result {
        Ok(answer) => answer,
        Err(fault) => return failed(state, turn, errand, fault),
    };
    match (errand, answer) {
        (OutboundCall::Redeem(id), PeerResponse::Granted(offer, card)) => {
            if let Err(fault) = incoming_invitations::granted(state, turn, id, offer, card) {
                failed(state, turn, errand, fault);
            }
        }
        (OutboundCall::Redeem(_), PeerResponse::Pending) => wait_for_the_owner(state, turn, errand),
        (OutboundCall::Redeem(id), PeerResponse::Refused(code)) if is_decided(code) => {
            incoming_invitations::refused(state, turn, id, code)
        }
        (OutboundCall::Decline(id), PeerResponse::Done | PeerResponse::Refused(_)) => {
            incoming_invitations::decline_was_heard(state, turn, id)
        }
        (OutboundCall::GiveBack(id), PeerResponse::Done | PeerResponse::Refused(_)) => {
            state.inlets.remove(turn, id);
        }
        (OutboundCall::Seen(_), PeerResponse::Done | PeerResponse::Refused(_)) => {
            state.errands.waits.remove(&errand);
        }
        (OutboundCall::Sync(owner), PeerResponse::Grants(standings, card)) => {
            inlets::synced(state, turn, owner, &asked, standings, card);
            finish(state, turn, errand);
        }
        (OutboundCall::Sync(_), PeerResponse::Refused(code)) => {
            inlets::sync_was_refused(state, turn, &asked, code);
            finish(state, turn, errand);
        }
        (_, PeerResponse::Refused(code)) => {
            failed(state, turn, errand, Fault::new(code, "The owner cannot take one more at the moment."));
        }
        _ => failed(state, turn, errand, Fault::new(Code::Failed, "The owner's answer makes no sense.")),
    }
}

/// Whether a refusal is the owner's last word on an invitation.
fn is_decided(code: Code) -> bool {
    matches!(
        code,
        Code::BadTicket
            | Code::TicketUsed
            | Code::Expired
            | Code::Revoked
            | Code::Denied
            | Code::ServiceClosed
            | Code::Blocked
            | Code::OwnInvitation
            | Code::AlreadyIn
    )
}

fn finish(state: &mut State, turn: &Transaction, errand: OutboundCall) {
    match state.errands.waits.get_mut(&errand) {
        Some(wait) if wait.again => *wait = Wait { at: turn.now.ticks, ..Wait::default() },
        _ => drop(state.errands.waits.remove(&errand)),
    }
}

fn wait_for_the_owner(state: &mut State, turn: &mut Transaction, errand: OutboundCall) {
    let at = turn.now.ticks + turn.about(ASK_AGAIN);
    if let Some(wait) = state.errands.waits.get_mut(&errand) {
        let at = if wait.again { turn.now.ticks } else { at };
        let fault = Some(Fault::new(Code::Asked, "The owner is being asked."));
        *wait = Wait { at, fault, ..Wait::default() };
    }
}

fn failed(state: &mut State, turn: &mut Transaction, errand: OutboundCall, fault: Fault) {
    let Some(wait) = state.errands.waits.get_mut(&errand) else { return };
    let attempts = if wait.again { 0 } else { wait.attempts };
    if !errand.must_be_heard() && attempts >= MAX_TRIES {
        state.errands.waits.remove(&errand);
        return;
    }
    let delay = if wait.again { 0 } else { backoff(turn, attempts) };
    *wait = Wait {
        at: turn.now.ticks + delay,
        attempts: attempts.saturating_add(1),
        fault: Some(fault),
        ..Wait::default()
    };
}
