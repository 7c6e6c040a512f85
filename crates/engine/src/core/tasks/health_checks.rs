//! Health checks of the services' targets.
//!
//! ```text
//! CheckTarget ──► Health ──► again in 30 s, or in 5 s while it is down, or at once after a stream has failed
//! ```
//!
//! A target that had to be connected to is not connected to again while streams work: many services count a connection that says nothing
//! as a failed client, and block its machine after some (`max_connect_errors` of MySQL and MariaDB).

use crate::api::{Fault, ServiceId};
use crate::core::derive::reconcile::AppliedState;
use crate::core::effect::Effect;
use crate::core::event::HealthSource;
use crate::core::limits::{ANSWER_WITHIN, CHECK_DOWN_EVERY, CHECK_EVERY};
use crate::core::records::{Records, service};
use crate::core::schema::Service;
use crate::core::transaction::Transaction;
use std::collections::BTreeMap;

/// No check is due.
const NEVER: u64 = u64::MAX;

/// The checks of all services that are shared and to be checked.
#[derive(Default)]
pub(crate) struct HealthChecks(BTreeMap<ServiceId, Check>);

#[derive(Default)]
struct Check {
    /// When to check, in ticks; [`NEVER`] before a stream fails.
    next: u64,
    /// A check is under way, and given up at this tick.
    under_way: Option<u64>,
    /// The check under way is of an older target.
    is_stale: bool,
    /// A stream has failed, so its person may think that the service is down.
    is_doubted: bool,
}

impl HealthChecks {
    /// Checks a service's target soon: a stream to it failed.
    pub(super) fn doubt(&mut self, service: ServiceId, ticks: u64) {
        if let Some(check) = self.0.get_mut(&service) {
            check.next = check.next.min(ticks);
            check.is_doubted = true;
        }
    }

    /// Begins again with another target.
    pub(super) fn restart(&mut self, service: ServiceId) {
        if let Some(check) = self.0.get_mut(&service) {
            *check = Check { is_stale: check.under_way.is_some(), under_way: check.under_way, ..Check::default() };
        }
    }

    /// Checks all targets at once that are checked regularly.
    pub(super) fn check_all(&mut self, ticks: u64) {
        for check in self.0.values_mut().filter(|it| it.next != NEVER) {
            check.next = check.next.min(ticks);
        }
    }

    /// When the next check is due or given up, in ticks.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.values().map(|it| it.under_way.unwrap_or(it.next)).filter(|it| *it != NEVER).min()
    }

    /// The result of a check. When streams had failed and the target is up after all, friends are told the status again.
    pub(crate) fn checked(
        &mut self,
        records: &mut Records,
        applied: &mut AppliedState,
        tx: &mut Transaction,
        id: ServiceId,
        result: Result<HealthSource, Fault>,
    ) {
        let Some(check) = self.0.get_mut(&id) else { return };
        check.under_way = None;
        if std::mem::take(&mut check.is_stale) {
            check.next = tx.now.ticks;
            return;
        }
        let was_doubted = std::mem::take(&mut check.is_doubted) && result.is_ok();
        check.next = match result {
            Ok(HealthSource::Connection) => NEVER,
            Ok(HealthSource::ListeningTable) => tx.now.ticks + tx.with_jitter(CHECK_EVERY),
            Err(_) => tx.now.ticks + tx.with_jitter(CHECK_DOWN_EVERY),
        };
        service::set_health(records, tx, id, result.map(drop));
        if was_doubted {
            applied.invalidate_statuses(records, id);
        }
    }

    /// Begins every check that is due.
    pub(super) fn run(&mut self, records: &mut Records, tx: &mut Transaction) {
        let is_checked = |it: &&Service| it.health_check && records.is_shared(it);
        let shared: BTreeMap<ServiceId, String> =
            records.services.all().filter(is_checked).map(|it| (it.id, it.target.clone())).collect();
        self.0.retain(|id, _| shared.contains_key(id));
        service::retain_health(records, |id| shared.contains_key(&id));
        for (id, target) in shared {
            let check = self.0.entry(id).or_default();
            let is_lost = check.under_way.is_some_and(|until| tx.now.ticks >= until);
            if is_lost {
                (check.under_way, check.is_stale) = (None, false);
            }
            if check.under_way.is_none() && (is_lost || tx.now.ticks >= check.next) {
                check.under_way = Some(tx.now.ticks + ANSWER_WITHIN);
                tx.effect(Effect::CheckTarget(id, target));
            }
        }
    }
}
