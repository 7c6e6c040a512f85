//! What admission control reports to the driver: streams that opened and ended, and who was refused.
//!
//! ```text
//! opened, ended ─► one queue, with a count of what waits for each grant ─┐
//! refused ───────► one entry for each person and service, with a count ──┴─► the driver
//! ```
//!
//! Nothing here blocks. A grant that causes more reports than the driver takes gets no new streams meanwhile, and nobody else
//! is affected.

use crate::api::ServiceId;
use crate::core::{Event, Refusal};
use postern_node::identity::Identifier;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Reports of one grant that may wait; above, its streams are refused. Chosen: more streams than a browser or a database pool
/// opens at once, and a hundred kilobytes.
pub(super) const MAX_GRANT_REPORTS: usize = 1_024;
/// Refused people and services that are counted apart; above, by service alone. As many as contacts (`MAX_CONTACTS`).
const MAX_REFUSED: usize = 1_024;

type Refused = (ServiceId, Option<Identifier>);

/// Sends reports to the driver; clones share the queue.
#[derive(Clone)]
pub(super) struct ReportSender {
    reports: mpsc::UnboundedSender<Report>,
    refusals: Arc<Mutex<HashMap<Refused, (Refusal, u32)>>>,
}

/// The driver's end.
pub(super) struct ReportReceiver {
    reports: mpsc::UnboundedReceiver<Report>,
    refusals: Arc<Mutex<HashMap<Refused, (Refusal, u32)>>>,
}

/// The reports of one grant that wait; clones share the count.
#[derive(Clone, Default)]
pub(super) struct GrantReports(Arc<AtomicUsize>);

enum Report {
    Stream(Event, GrantReports),
    /// The count is taken when the report is.
    Refused(Refused),
}

impl GrantReports {
    pub(super) fn are_too_many(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MAX_GRANT_REPORTS
    }
}

impl ReportSender {
    pub(super) fn new() -> (Self, ReportReceiver) {
        let (sender, reports) = mpsc::unbounded_channel();
        let refusals = Arc::<Mutex<HashMap<_, _>>>::default();
        (Self { reports: sender, refusals: refusals.clone() }, ReportReceiver { reports, refusals })
    }

    /// Sends a report however many wait: it may end something whose begin was reported.
    pub(super) fn send(&self, event: Event, of_grant: &GrantReports) {
        of_grant.0.fetch_add(1, Ordering::Relaxed);
        let _ = self.reports.send(Report::Stream(event, of_grant.clone()));
    }

    /// Counts a refusal; the driver gets one report for all until it takes it.
    pub(super) fn refuse(&self, service: ServiceId, person: Option<Identifier>, reason: Refusal) {
        let mut refusals = lock(&self.refusals);
        let is_known = refusals.contains_key(&(service, person));
        let person = person.filter(|_| is_known || refusals.len() < MAX_REFUSED);
        match refusals.entry((service, person)) {
            Entry::Occupied(mut entry) => {
                let (last, count) = entry.get_mut();
                *last = reason;
                *count = count.saturating_add(1);
            }
            Entry::Vacant(entry) => {
                entry.insert((reason, 1));
                let _ = self.reports.send(Report::Refused((service, person)));
            }
        }
    }
}

impl ReportReceiver {
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// The next report, if one waits.
    pub(super) fn try_next(&mut self) -> Option<Event> {
        let report = self.reports.try_recv().ok()?;
        Some(self.take(report))
    }

    pub(super) async fn next(&mut self) -> Option<Event> {
        let report = self.reports.recv().await?;
        Some(self.take(report))
    }

    fn take(&self, report: Report) -> Event {
        match report {
            Report::Stream(event, of_grant) => {
                of_grant.0.fetch_sub(1, Ordering::Relaxed);
                event
            }
            Report::Refused((service, person)) => {
                let counted = lock(&self.refusals).remove(&(service, person));
                let (refusal, count) = counted.unwrap_or((Refusal::NotAllowed, 1));
                Event::StreamRefused { service, person, refusal, count }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
