//! Changing, pausing and ending grants; and what their persons ask about them.

use crate::api::{Code, Fault, GrantId, GrantState, Terms};
use crate::core::derive::{access, contact_info};
use crate::core::limits::MAX_SYNC;
use crate::core::records::{Records, audit, contact, grant};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::{ContactInfo, GrantStatus, PeerResponse};
use postern_node::identity::Identifier;

/// Changes the terms. A grant that has expired can be given more time.
pub(super) fn change(records: &mut Records, tx: &mut Transaction, id: GrantId, terms: Terms) -> Result<(), Fault> {
    match records.live_grant(id) {
        Err(fault) if fault.code != Code::Expired => return Err(fault),
        _ => validation::terms(&terms, tx.now.wall)?,
    }
    grant::change_terms(records, tx, id, terms);
    Ok(())
}

pub(super) fn pause(records: &mut Records, tx: &mut Transaction, id: GrantId, on: bool) -> Result<(), Fault> {
    records.live_grant(id)?;
    grant::set_paused(records, tx, id, on);
    Ok(())
}

pub(super) fn revoke(records: &mut Records, tx: &mut Transaction, id: GrantId) -> Result<(), Fault> {
    let missing = || Fault::new(Code::NotFound, "There is no such access.");
    if records.grants.get(id).ok_or_else(missing)?.state != GrantState::GivenBack {
        grant::end(records, tx, id, GrantState::Revoked);
    }
    Ok(())
}

/// A friend asks for the status of their grants.
pub(super) fn sync(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    grants: Vec<GrantId>,
    info: ContactInfo,
) -> PeerResponse {
    contact::update(records, tx, person, validation::clean_contact_info(info));
    let asked = grants.into_iter().take(MAX_SYNC).filter_map(|id| records.grants.get(id));
    let own = asked.filter(|it| it.person == person);
    let statuses: Vec<_> = own.map(|it| (it.id, access::status(records, it, tx.now.wall))).collect();
    let info = contact_info::for_person(records, person);
    match common_refusal(&statuses) {
        Some(code) if !info.is_given() => PeerResponse::Refused(code),
        _ => PeerResponse::Grants(statuses, info),
    }
}

/// The reason why none of the grants can be used, if it is the same for all; of no grant, because there is none any more. As a
/// refusal it needs no contact information, whose absence earlier versions do not expect.
fn common_refusal(statuses: &[(GrantId, GrantStatus)]) -> Option<Code> {
    let mut codes = statuses.iter().map(|(_, status)| match status {
        GrantStatus::Active(_) => None,
        GrantStatus::Inactive(code) => Some(*code),
    });
    let first = codes.next().unwrap_or(Some(Code::Revoked))?;
    codes.all(|code| code == Some(first)).then_some(first)
}

/// A friend gives a grant back.
pub(super) fn give_back(records: &mut Records, tx: &mut Transaction, person: Identifier, id: GrantId) -> PeerResponse {
    let Some(grant) = records.grants.get(id).cloned() else { return PeerResponse::Done };
    if grant.person != person {
        audit::refused(records, tx, Some(grant.service), Some(person), Code::NotTrusted);
        return PeerResponse::Refused(Code::NotFound);
    }
    grant::give_back(records, tx, &grant);
    PeerResponse::Done
}
