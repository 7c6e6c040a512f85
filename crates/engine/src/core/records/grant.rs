//! Grants: their making, their ends, their use.

use super::{Records, audit};
use crate::api::{Code, Fault, GrantId, GrantState, Notice, Terms};
use crate::core::limits::MAX_GRANTS;
use crate::core::schema::{Grant, Invitation};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

impl Records {
    /// A grant that is active or paused.
    pub(crate) fn live_grant(&self, id: GrantId) -> Result<&Grant, Fault> {
        let missing = || Fault::new(Code::NotFound, "There is no such access.");
        let grant = self.grants.get(id).ok_or_else(missing)?;
        let ended = |code, sentence: &str| Err(Fault::new(code, sentence));
        match grant.state {
            GrantState::Active | GrantState::Paused => Ok(grant),
            GrantState::Expired => ended(Code::Expired, "This access is over: change its time to give it again."),
            GrantState::Revoked => ended(Code::Revoked, "This access was revoked: invite the person again."),
            GrantState::GivenBack => ended(Code::Revoked, "This access was given back: invite the person again."),
        }
    }
}

/// Makes an invitation's grant. There must be room: see [`make_room`].
pub(crate) fn make(records: &mut Records, tx: &mut Transaction, invitation: &Invitation, person: Identifier) -> Grant {
    // An older, ended grant of this person for this service no longer means anything.
    let same = |it: &Grant| it.service == invitation.service && it.person == person;
    for old in records.grants.keys_of(same) {
        records.grants.remove(tx, old);
    }
    let grant = Grant {
        id: GrantId(tx.random()),
        service: invitation.service,
        person,
        invitation: invitation.id,
        terms: invitation.terms.clone(),
        state: GrantState::Active,
        created: tx.now.wall,
        last_used: None,
        up_bytes: 0,
        down_bytes: 0,
    };
    records.grants.put(tx, grant.clone());
    // The answer gives the status, but not the service's health: only if that is good need nothing more be sent.
    if !records.is_down(grant.service) {
        tx.informs(grant.id);
    }
    grant
}

/// Makes room for one more grant, if ended ones can be removed.
pub(crate) fn make_room(records: &mut Records, tx: &mut Transaction) -> bool {
    if records.grants.len() >= MAX_GRANTS {
        let ended = records.grants.all().filter(|it| !it.is_live()).min_by_key(|it| (it.created, it.id));
        let Some(oldest) = ended.map(|it| it.id) else { return false };
        records.grants.remove(tx, oldest);
    }
    true
}

/// Changes a grant's terms. One that has expired becomes active again.
pub(crate) fn change_terms(records: &mut Records, tx: &mut Transaction, id: GrantId, terms: Terms) {
    let changed = records.grants.change(tx, id, |it| {
        it.terms = terms;
        if it.state == GrantState::Expired {
            it.state = GrantState::Active;
        }
    });
    audit_if(records, tx, id, "changed", changed);
}

/// Pauses or resumes a live grant.
pub(crate) fn set_paused(records: &mut Records, tx: &mut Transaction, id: GrantId, paused: bool) {
    let next = if paused { GrantState::Paused } else { GrantState::Active };
    let changed = records.grants.change(tx, id, |it| it.state = next);
    audit_if(records, tx, id, if paused { "paused" } else { "resumed" }, changed);
}

/// Ends a grant for good.
pub(crate) fn end(records: &mut Records, tx: &mut Transaction, id: GrantId, how: GrantState) {
    let changed = records.grants.change(tx, id, |it| it.state = how);
    let what = match how {
        GrantState::Expired => "expired",
        GrantState::GivenBack => "given-back",
        _ => "revoked",
    };
    audit_if(records, tx, id, what, changed);
}

/// Ends the grants that were to last until the owner's Postern quits: a new run has begun.
pub(crate) fn end_until_quit(records: &mut Records, tx: &mut Transaction) {
    for id in records.grants.keys_of(|it| it.terms.until_quit && it.is_live()) {
        end(records, tx, id, GrantState::Expired);
    }
}

/// The grant's person gives it back. Ignored when it has ended.
pub(crate) fn give_back(records: &mut Records, tx: &mut Transaction, grant: &Grant) {
    if grant.is_live() {
        let name = records.service_name(grant.service);
        end(records, tx, grant.id, GrantState::GivenBack);
        tx.notify(Notice::GaveBack { from: records.name(grant.person), name });
    }
}

fn audit_if(records: &Records, tx: &mut Transaction, id: GrantId, what: &str, changed: bool) {
    if let Some(grant) = records.grants.get(id).filter(|_| changed) {
        audit::grant(records, tx, grant, what);
    }
}
