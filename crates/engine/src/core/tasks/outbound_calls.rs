//! Calls to other engines, retried until they are answered.
//!
//! ```text
//! records ──► Redeem, GiveBack ──────────┐            ┌─► answered: the records change
//! events  ──► Decline, Sync ─────────────┴─► Call ────┴─► failed: exponential backoff from 1 s to 60 s, or at once
//! ```                                                             when a hub or the owner is back
//!
//! The first two follow from the records, so a crash forgets none. A sync is given up after some attempts. Declining is said
//! once, and only through a hub of the user: whoever wrote a link must not learn from it, nor choose where it is sent.

use super::retry_delay;
use crate::api::{Code, Fault, GrantId, InvitationId};
use crate::core::derive::contact_info;
use crate::core::effect::Effect;
use crate::core::event::CallId;
use crate::core::limits::{ANSWER_WITHIN, ASK_AGAIN, MAX_CALLS, MAX_SYNC, MAX_TRIES};
use crate::core::records::{Records, inlet, received};
use crate::core::task_request::OutboundCall;
use crate::core::transaction::Transaction;
use crate::peer::{PeerAddress, PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use std::collections::{BTreeMap, BTreeSet};

impl OutboundCall {
    /// Whether it is made until it is answered, because the records say so.
    fn is_required(self) -> bool {
        match self {
            Self::Redeem(_) | Self::GiveBack(_) => true,
            Self::Sync(_) | Self::Decline(_) => false,
        }
    }

    /// Attempts after the first, of a call that is not required.
    fn retries(self) -> u32 {
        match self {
            Self::Decline(_) => 0,
            Self::Redeem(_) | Self::GiveBack(_) | Self::Sync(_) => MAX_TRIES,
        }
    }
}

#[derive(Default)]
struct Pending {
    /// When to make the call, in ticks.
    at: u64,
    attempts: u32,
    /// Why the last attempt failed.
    fault: Option<Fault>,
    under_way: Option<UnderWay>,
    /// Something has changed since the call under way was made: make it once more.
    again: bool,
}

impl Pending {
    fn at(ticks: u64) -> Self {
        Self { at: ticks, ..Self::default() }
    }

    fn retry(&mut self, ticks: u64) {
        self.at = self.at.min(ticks);
        self.attempts = 0;
        self.again = self.under_way.is_some();
    }
}

struct UnderWay {
    id: CallId,
    /// When it is given up, in ticks.
    until: u64,
    /// The grants that a sync asked about.
    asked: Vec<GrantId>,
}

/// All calls that are waiting or under way.
#[derive(Default)]
pub(crate) struct OutboundCalls {
    pending: BTreeMap<OutboundCall, Pending>,
    last_id: u64,
}

impl OutboundCalls {
    /// Makes a call now, and once more if it is under way.
    pub(super) fn begin(&mut self, call: OutboundCall, ticks: u64) {
        let pending = self.pending.entry(call).or_insert_with(|| Pending::at(ticks));
        pending.at = pending.at.min(ticks);
        pending.again = pending.under_way.is_some();
    }

    /// Retries a call at once, if it is waiting.
    pub(super) fn retry(&mut self, call: OutboundCall, ticks: u64) {
        if let Some(pending) = self.pending.get_mut(&call) {
            pending.retry(ticks);
        }
    }

    /// Retries all calls at once.
    pub(super) fn retry_all(&mut self, ticks: u64) {
        for pending in self.pending.values_mut() {
            pending.retry(ticks);
        }
    }

    /// Why an accepted invitation has not been redeemed yet.
    pub(crate) fn redeem_fault(&self, id: InvitationId) -> Option<Fault> {
        self.pending.get(&OutboundCall::Redeem(id))?.fault.clone()
    }

    /// When the next call is due or given up, in ticks.
    pub(super) fn next(&self) -> Option<u64> {
        let is_full = self.under_way() >= MAX_CALLS;
        let next = |it: &Pending| match &it.under_way {
            Some(call) => Some(call.until),
            None => (!is_full).then_some(it.at),
        };
        self.pending.values().filter_map(next).min()
    }

    fn under_way(&self) -> usize {
        self.pending.values().filter(|it| it.under_way.is_some()).count()
    }

    /// Makes the pending calls those that the records require, and makes every call that is due.
    pub(super) fn run(&mut self, records: &Records, tx: &mut Transaction) {
        let ticks = tx.now.ticks;
        let required = required(records);
        self.pending.retain(|call, _| !call.is_required() || required.contains(call));
        for call in required {
            self.pending.entry(call).or_insert_with(|| Pending::at(ticks));
        }
        self.give_up_lost(tx);
        let due = self.pending.iter().filter(|(_, it)| it.under_way.is_none() && it.at <= ticks).map(|(call, _)| *call);
        let room = MAX_CALLS.saturating_sub(self.under_way());
        let due: Vec<OutboundCall> = due.take(room).collect();
        for call in due {
            self.make(records, tx, call);
        }
    }

    /// A call whose answer never came has failed.
    fn give_up_lost(&mut self, tx: &mut Transaction) {
        let ticks = tx.now.ticks;
        let is_lost = |it: &Pending| it.under_way.as_ref().is_some_and(|call| call.until <= ticks);
        let lost: Vec<OutboundCall> =
            self.pending.iter().filter(|(_, it)| is_lost(it)).map(|(call, _)| *call).collect();
        for call in lost {
            self.failed(tx, call, Fault::new(Code::TimedOut, "The owner did not answer in time."));
        }
    }

    fn make(&mut self, records: &Records, tx: &mut Transaction, call: OutboundCall) {
        let Some((to, reach, message)) = message(records, call) else {
            self.pending.remove(&call);
            return;
        };
        self.last_id += 1;
        let id = CallId(self.last_id);
        let asked = if let PeerRequest::Sync { grants, .. } = &message { grants.clone() } else { Vec::new() };
        if let Some(pending) = self.pending.get_mut(&call) {
            pending.under_way = Some(UnderWay { id, until: tx.now.ticks + ANSWER_WITHIN, asked });
            pending.again = false;
        }
        tx.effect(Effect::Call { call: id, to, reach, message });
    }

    /// A call was answered, or has failed.
    pub(crate) fn answered(
        &mut self,
        records: &mut Records,
        tx: &mut Transaction,
        id: CallId,
        result: Result<PeerResponse, Fault>,
    ) {
        let is_it = |it: &Pending| it.under_way.as_ref().is_some_and(|it| it.id == id);
        let Some((call, pending)) = self.pending.iter_mut().find(|(_, it)| is_it(it)) else { return };
        let call = *call;
        let asked = pending.under_way.take().map(|it| it.asked).unwrap_or_default();
        match result {
            Ok(response) => self.apply(records, tx, call, &asked, response),
            Err(fault) => self.failed(tx, call, fault),
        }
    }

    fn apply(
        &mut self,
        records: &mut Records,
        tx: &mut Transaction,
        call: OutboundCall,
        asked: &[GrantId],
        response: PeerResponse,
    ) {
        match (call, response) {
            (OutboundCall::Redeem(id), PeerResponse::Granted(offer, info)) => {
                if let Err(fault) = received::granted(records, tx, id, offer, info) {
                    self.failed(tx, call, fault);
                }
            }
            (OutboundCall::Redeem(_), PeerResponse::Pending) => self.wait_for_owner(tx, call),
            (OutboundCall::Redeem(id), PeerResponse::Refused(code)) if is_final(code) => {
                received::refused(records, tx, id, code);
            }
            (OutboundCall::GiveBack(id), PeerResponse::Done | PeerResponse::Refused(_)) => {
                inlet::give_back_confirmed(records, tx, id);
            }
            (OutboundCall::Decline(_), _) => {
                self.pending.remove(&call);
            }
            (OutboundCall::Sync(owner), PeerResponse::Grants(statuses, info)) => {
                inlet::synced(records, tx, owner, asked, &statuses, info);
                self.finish(tx, call);
            }
            (OutboundCall::Sync(_), PeerResponse::Refused(code)) => {
                inlet::sync_refused(records, tx, asked, code);
                self.finish(tx, call);
            }
            (_, PeerResponse::Refused(code)) => {
                self.failed(tx, call, Fault::new(code, "The owner cannot take one more at the moment."));
            }
            _ => self.failed(tx, call, Fault::new(Code::Failed, "The owner's answer makes no sense.")),
        }
    }

    fn finish(&mut self, tx: &Transaction, call: OutboundCall) {
        match self.pending.get_mut(&call) {
            Some(pending) if pending.again => *pending = Pending::at(tx.now.ticks),
            _ => drop(self.pending.remove(&call)),
        }
    }

    /// The owner is being asked about a knock: polled now and then, in case the notification gets lost.
    fn wait_for_owner(&mut self, tx: &mut Transaction, call: OutboundCall) {
        let at = tx.now.ticks + tx.with_jitter(ASK_AGAIN);
        if let Some(pending) = self.pending.get_mut(&call) {
            let at = if pending.again { tx.now.ticks } else { at };
            let fault = Some(Fault::new(Code::Asked, "Waiting for the owner to let you in."));
            *pending = Pending { fault, ..Pending::at(at) };
        }
    }

    fn failed(&mut self, tx: &mut Transaction, call: OutboundCall, fault: Fault) {
        let Some(pending) = self.pending.get_mut(&call) else { return };
        let attempts = if pending.again { 0 } else { pending.attempts };
        if !call.is_required() && attempts >= call.retries() {
            self.pending.remove(&call);
            return;
        }
        let delay = if pending.again { 0 } else { retry_delay(tx, attempts) };
        *pending =
            Pending { attempts: attempts.saturating_add(1), fault: Some(fault), ..Pending::at(tx.now.ticks + delay) };
    }
}

/// The calls that the records require.
fn required(records: &Records) -> BTreeSet<OutboundCall> {
    let redeem = records.received.all().filter(|it| it.is_being_redeemed()).map(|it| OutboundCall::Redeem(it.id));
    let give_back = records.inlets.all().filter(|it| it.giving_back).map(|it| OutboundCall::GiveBack(it.id));
    redeem.chain(give_back).collect()
}

/// Whom a call goes to, and what it says; nothing if there is no reason for it any more.
fn message(records: &Records, call: OutboundCall) -> Option<(Identifier, Vec<PeerAddress>, PeerRequest)> {
    let ticket = |id: InvitationId| {
        let received = records.received.get(id)?;
        Some((received.owner, received.reach.clone(), *received.secret.as_ref()?.reveal()))
    };
    Some(match call {
        OutboundCall::Redeem(id) => {
            let (owner, reach, secret) = ticket(id)?;
            (
                owner,
                reach,
                PeerRequest::Redeem { ticket: id, secret, contact: contact_info::for_person(records, owner) },
            )
        }
        OutboundCall::Decline(id) => {
            let (owner, mut reach, secret) = ticket(id)?;
            reach.retain(|it| is_own_hub(records, it));
            (!reach.is_empty()).then_some(())?;
            (owner, reach, PeerRequest::Decline { ticket: id, secret })
        }
        OutboundCall::GiveBack(id) => {
            let inlet = records.inlets.get(id)?;
            (inlet.owner, inlet.reach.clone(), PeerRequest::GiveBack { grant: inlet.grant })
        }
        OutboundCall::Sync(owner) => {
            let inlets = || records.inlets.all().filter(|it| it.owner == owner && !it.giving_back);
            let grants = inlets().map(|it| it.grant).take(MAX_SYNC).collect();
            let contact = contact_info::for_person(records, owner);
            (owner, inlets().next()?.reach.clone(), PeerRequest::Sync { grants, contact })
        }
    })
}

/// Whether an address is a relay on one of the user's own hubs.
fn is_own_hub(records: &Records, address: &PeerAddress) -> bool {
    match address {
        PeerAddress::Direct { .. } => false,
        PeerAddress::Hub { address, .. } => records.hub_addresses().iter().any(|hub| hub.eq_ignore_ascii_case(address)),
    }
}

/// Whether a refusal is the owner's final answer to redeeming an invitation.
fn is_final(code: Code) -> bool {
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
