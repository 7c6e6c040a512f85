//! Admission control: who may open streams to one service, how many at once, and until when.
//!
//! ```text
//! Effect::SetAdmission ─► set_rules ─► rules ◄─ admit ◄─ outlet ◄─ a stream of a peer
//!                             │          ▲
//!                             │          └─ expire: by the wall clock, without waiting for a stream
//!                             └─ cuts streams of grants that are not active any more, at once
//! ```
//!
//! Without rules nobody gets in. Decisions and ends of streams are reported to the driver. Reporting never blocks a stream;
//! instead, no new stream gets in while too many reports wait (backpressure).

use super::clock;
use crate::api::{GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, Refusal};
use postern_env::task;
use postern_env::time::{self, Duration};
use postern_node::identity::{Identifier, VerifiedPeer};
use postern_node::portal::{AdmissionPolicy, EndReason, Meter, Permit, Revocation};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, mpsc};

/// Reports that may wait; above, streams are refused. Chosen: some hundred kilobytes.
const MAX_REPORTS: usize = 4_096;
/// The wall clock is polled this often, because nothing reports when somebody sets it. Chosen.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// Sends reports to the driver: never blocks, and counts those that wait.
#[derive(Clone)]
pub(super) struct ReportSender {
    events: mpsc::UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
}

/// The driver's end.
pub(super) struct ReportReceiver {
    events: mpsc::UnboundedReceiver<Event>,
    waiting: Arc<AtomicUsize>,
}

impl ReportSender {
    pub(super) fn new() -> (Self, ReportReceiver) {
        let (sender, events) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self { events: sender, waiting: waiting.clone() }, ReportReceiver { events, waiting })
    }

    fn are_too_many(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MAX_REPORTS
    }

    /// Sends a report however many wait: it may end something whose begin was reported.
    fn send(&self, event: Event) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.events.send(event);
    }
}

impl ReportReceiver {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The next report, if one waits.
    pub(super) fn try_next(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }

    pub(super) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }
}

/// The admission control of one service.
pub(super) struct ServiceAdmission {
    service: ServiceId,
    rules: Mutex<Vec<Entry>>,
    changed: Arc<Notify>,
    reports: ReportSender,
}

struct Entry {
    rule: AdmissionRule,
    /// Cuts the grant's streams.
    revocation: Revocation,
    meter: Arc<Meter>,
}

impl Entry {
    /// Why the grant is not valid now.
    fn refusal(&self, now: UnixMillis) -> Option<Refusal> {
        let expired = self.rule.until.is_some_and(|until| until <= now);
        self.rule.refusal.or(expired.then_some(EndReason::Expired))
    }
}

impl ServiceAdmission {
    /// Admission control without rules: nobody gets in.
    pub(super) fn new(service: ServiceId, reports: ReportSender) -> Arc<Self> {
        let admission = Arc::new(Self { service, rules: Mutex::default(), changed: Arc::default(), reports });
        task::spawn(watch_expiry(Arc::downgrade(&admission)));
        admission
    }

    /// Who gets in from now on. Streams of grants that are not valid any more are cut.
    pub(super) fn set_rules(&self, new: Vec<AdmissionRule>, now: UnixMillis) {
        let mut rules = self.rules();
        let mut before = std::mem::take(&mut *rules);
        for rule in new {
            let known = before.iter().position(|it| it.rule.grant == rule.grant);
            let mut entry = match known.map(|at| before.swap_remove(at)) {
                Some(known) => Entry { rule, ..known },
                None => Entry { rule, revocation: Revocation::new(), meter: Arc::default() },
            };
            match entry.refusal(now) {
                Some(reason) => entry.revocation.revoke(reason),
                None if entry.revocation.is_revoked() => entry.revocation = Revocation::new(),
                None => {}
            }
            rules.push(entry);
        }
        for gone in before {
            gone.revocation.revoke(EndReason::Revoked);
        }
        drop(rules);
        self.changed.notify_one();
    }

    /// The meter of each grant.
    pub(super) fn meters(&self) -> Vec<(GrantId, Arc<Meter>)> {
        self.rules().iter().map(|it| (it.rule.grant, it.meter.clone())).collect()
    }

    /// Cuts the streams of grants that have expired; when the next one will.
    fn expire(&self, now: UnixMillis) -> Option<UnixMillis> {
        let rules = self.rules();
        for entry in rules.iter().filter(|it| it.rule.until.is_some_and(|until| until <= now)) {
            entry.revocation.revoke(EndReason::Expired);
        }
        rules.iter().filter_map(|it| it.rule.until).filter(|until| *until > now).min()
    }

    fn decide(&self, peer: Option<Identifier>, now: UnixMillis) -> Result<(GrantId, Permit), Refusal> {
        let peer = peer.ok_or(EndReason::NotAllowed)?;
        if self.reports.are_too_many() {
            return Err(EndReason::TooMany);
        }
        let rules = self.rules();
        let mut refusal = EndReason::NotAllowed;
        for entry in rules.iter().filter(|it| it.rule.person == peer) {
            match entry.refusal(now) {
                Some(reason) => refusal = reason,
                None => {
                    let max = entry.rule.connections.map_or(u64::MAX, u64::from);
                    match Permit::limited(&entry.meter, max) {
                        Ok(permit) => return Ok((entry.rule.grant, permit.revocable_by(&entry.revocation))),
                        Err(reason) => refusal = reason,
                    }
                }
            }
        }
        Err(refusal)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmissionPolicy for ServiceAdmission {
    fn admit(&self, peer: Option<&VerifiedPeer>) -> Result<Permit, EndReason> {
        let peer = peer.map(|peer| peer.identifier);
        match self.decide(peer, clock::wall()) {
            Ok((grant, permit)) => {
                self.reports.send(Event::StreamOpened(grant));
                let reports = self.reports.clone();
                Ok(permit.when_ended(move |end| {
                    reports.send(Event::StreamEnded {
                        grant,
                        up_bytes: end.received,
                        down_bytes: end.sent,
                        lasted_ms: u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX),
                        reason: end.result.err(),
                    });
                }))
            }
            Err(reason) => {
                if !self.reports.are_too_many() {
                    self.reports.send(Event::StreamRefused(self.service, peer, reason));
                }
                Err(reason)
            }
        }
    }
}

/// Cuts streams whose grant expires, until the admission control is dropped.
async fn watch_expiry(admission: Weak<ServiceAdmission>) {
    while let Some(strong) = admission.upgrade() {
        let now = clock::wall();
        let wait = strong.expire(now).map(|next| Duration::from_millis(next.0.saturating_sub(now.0)));
        let changed = strong.changed.clone();
        drop(strong);
        tokio::select! {
            () = changed.notified() => {}
            () = time::sleep(wait.unwrap_or(POLL_EVERY).min(POLL_EVERY)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const ANN: Identifier = Identifier::from_bytes([1; 32]);
    const BEN: Identifier = Identifier::from_bytes([2; 32]);

    fn rule(grant: u8, person: Identifier) -> AdmissionRule {
        AdmissionRule { grant: GrantId([grant; 16]), person, refusal: None, until: None, connections: None }
    }

    fn admission() -> (Arc<ServiceAdmission>, ReportReceiver) {
        let (reports, out) = ReportSender::new();
        (ServiceAdmission::new(ServiceId([9; 16]), reports), out)
    }

    fn decided(admission: &ServiceAdmission, peer: Option<Identifier>, now: UnixMillis) -> Result<GrantId, Refusal> {
        admission.decide(peer, now).map(|(grant, _)| grant)
    }

    #[tokio::test]
    async fn only_grants_in_the_rules_get_in() {
        let (admission, _out) = admission();
        assert_eq!(decided(&admission, Some(ANN), NOW), Err(EndReason::NotAllowed));
        let paused = AdmissionRule { refusal: Some(EndReason::Paused), ..rule(2, BEN) };
        admission.set_rules(vec![rule(1, ANN), paused], NOW);
        assert_eq!(decided(&admission, Some(ANN), NOW), Ok(GrantId([1; 16])));
        assert_eq!(decided(&admission, Some(BEN), NOW), Err(EndReason::Paused));
        assert_eq!(decided(&admission, Some(Identifier::from_bytes([3; 32])), NOW), Err(EndReason::NotAllowed));
        assert_eq!(decided(&admission, None, NOW), Err(EndReason::NotAllowed));
        // Invited again: the newer grant counts.
        let revoked = AdmissionRule { refusal: Some(EndReason::Revoked), ..rule(1, ANN) };
        admission.set_rules(vec![revoked, rule(3, ANN)], NOW);
        assert_eq!(decided(&admission, Some(ANN), NOW), Ok(GrantId([3; 16])));
    }

    #[tokio::test]
    async fn streams_of_inactive_grants_are_cut_and_the_grant_can_become_active_again() {
        let (admission, _out) = admission();
        admission.set_rules(vec![rule(1, ANN), rule(2, BEN)], NOW);
        let revocation = |grant: u8| {
            let rules = admission.rules();
            rules.iter().find(|it| it.rule.grant.0[0] == grant).unwrap().revocation.clone()
        };
        let (ann, ben) = (revocation(1), revocation(2));
        let paused = AdmissionRule { refusal: Some(EndReason::Paused), ..rule(1, ANN) };
        admission.set_rules(vec![paused], NOW);
        assert!(ann.is_revoked() && ben.is_revoked());
        admission.set_rules(vec![rule(1, ANN)], NOW);
        assert!(!revocation(1).is_revoked());
        admission.set_rules(vec![AdmissionRule { connections: Some(5), ..rule(1, ANN) }], NOW);
        assert!(!revocation(1).is_revoked());
    }

    #[tokio::test]
    async fn expiry_is_judged_at_admission() {
        let (admission, _out) = admission();
        admission.set_rules(vec![AdmissionRule { until: Some(NOW.plus(10)), ..rule(1, ANN) }], NOW);
        assert!(decided(&admission, Some(ANN), NOW.plus(9)).is_ok());
        assert_eq!(admission.expire(NOW.plus(9)), Some(NOW.plus(10)));
        assert_eq!(decided(&admission, Some(ANN), NOW.plus(10)), Err(EndReason::Expired));
        assert_eq!(admission.expire(NOW.plus(10)), None);
        assert!(admission.rules()[0].revocation.is_revoked());
    }

    #[tokio::test]
    async fn connections_at_once_are_counted() {
        let (admission, _out) = admission();
        admission.set_rules(vec![AdmissionRule { connections: Some(1), ..rule(1, ANN) }], NOW);
        let first = admission.decide(Some(ANN), NOW);
        assert!(first.is_ok());
        assert_eq!(decided(&admission, Some(ANN), NOW), Err(EndReason::TooMany));
        drop(first);
        assert!(decided(&admission, Some(ANN), NOW).is_ok());
    }

    #[tokio::test]
    async fn while_reports_are_not_taken_nobody_new_gets_in() {
        let (admission, mut out) = admission();
        admission.set_rules(vec![rule(1, ANN)], NOW);
        for _ in 0..MAX_REPORTS {
            admission.reports.send(Event::Tick);
        }
        assert_eq!(decided(&admission, Some(ANN), NOW), Err(EndReason::TooMany));
        out.next().await.unwrap();
        assert!(decided(&admission, Some(ANN), NOW).is_ok());
    }
}
