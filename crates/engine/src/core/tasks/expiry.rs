//! Expiry by the wall clock.
//!
//! What has expired stays expired when the clock jumps back. Retries do not come here: they are measured in ticks.

use crate::api::{GrantState, SentState, UnixMillis};
use crate::core::records::{Records, grant, invitation, received};
use crate::core::transaction::Transaction;

/// Ends what has expired.
pub(crate) fn run(records: &mut Records, tx: &mut Transaction) {
    let wall = tx.now.wall;
    for id in records.invitations.keys_of(|it| it.is_open() && it.expires <= wall) {
        invitation::end(records, tx, id, SentState::Expired);
    }
    for id in records.grants.keys_of(|it| it.is_live() && it.is_over(wall)) {
        grant::end(records, tx, id, GrantState::Expired);
    }
    for id in records.received.keys_of(|it| it.ends().is_some_and(|at| at <= wall)) {
        received::expire(records, tx, id);
    }
}

/// When the next record expires.
pub(crate) fn next(records: &Records, wall: UnixMillis) -> Option<UnixMillis> {
    let invitations = records.invitations.all().filter(|it| it.is_open()).map(|it| it.expires);
    let grants = records.grants.all().filter(|it| it.is_live()).filter_map(|it| it.terms.until);
    let received = records.received.all().filter_map(|it| it.ends());
    let inlets = records.inlets.all().filter_map(|it| it.until).filter(|it| *it > wall);
    invitations.chain(grants).chain(received).chain(inlets).min()
}
