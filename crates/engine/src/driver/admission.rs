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
//! instead, no new stream of a grant gets in while too many of its reports wait (backpressure). Refusals are counted for each
//! person and service, so that somebody who is refused all the time delays nobody else.

use super::admission_reports::{GrantReports, ReportSender};
use super::clock;
use crate::api::{GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, Refusal};
use postern_env::task;
use postern_env::time::{self, Duration, Instant};
use postern_node::identity::{Identifier, VerifiedPeer};
use postern_node::portal::{AdmissionPolicy, EndReason, Meter, Permit, Revocation, STREAM_RATE};
use postern_node::rate_limit::{Rate, TokenBucket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// Streams of one grant whose owner has set no limit. Chosen: a sixteenth of what the service's outlet has for all
/// (`Limits::streams`), and more than a browser or a pool of database connections opens.
const CONNECTIONS_MAX: u32 = 1024;
/// The wall clock is polled this often, because nothing reports when somebody sets it. Chosen.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// Streams of one grant: half of what its service's outlet opens ([`STREAM_RATE`]), so that one friend, or a loop of portals through
/// one friend, leaves the others their part.
const GRANT_RATE: Rate =
    Rate { burst: STREAM_RATE.burst / 2, refill: STREAM_RATE.refill / 2, interval: STREAM_RATE.interval };

/// The admission control of one service.
pub(super) struct ServiceAdmission {
    service: ServiceId,
    started: Instant,
    rules: Mutex<Vec<Entry>>,
    changed: Arc<Notify>,
    reports: ReportSender,
}

struct Entry {
    rule: AdmissionRule,
    /// Cuts the grant's streams.
    revocation: Revocation,
    meter: Arc<Meter>,
    rate: TokenBucket,
    reports: GrantReports,
}

/// A stream that may be opened.
struct Admitted {
    grant: GrantId,
    permit: Permit,
    reports: GrantReports,
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
        let admission =
            Arc::new(Self { service, started: time::now(), rules: Mutex::default(), changed: Arc::default(), reports });
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
                None => Entry {
                    rule,
                    revocation: Revocation::new(),
                    meter: Arc::default(),
                    rate: TokenBucket::full(GRANT_RATE, time::since(self.started)),
                    reports: GrantReports::default(),
                },
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

    fn decide(&self, peer: Option<Identifier>, now: UnixMillis) -> Result<Admitted, Refusal> {
        let peer = peer.ok_or(EndReason::NotAllowed)?;
        let since_start = time::since(self.started);
        let mut rules = self.rules();
        let mut refusal = EndReason::NotAllowed;
        for entry in rules.iter_mut().filter(|it| it.rule.person == peer) {
            match entry.refusal(now) {
                Some(reason) => refusal = reason,
                None if entry.reports.are_too_many() => refusal = EndReason::TooMany,
                None if !entry.rate.take(GRANT_RATE, since_start) => refusal = EndReason::TooMany,
                None => {
                    let max = u64::from(entry.rule.connections.unwrap_or(CONNECTIONS_MAX));
                    match Permit::limited(&entry.meter, max) {
                        Ok(permit) => {
                            let permit = permit.revocable_by(&entry.revocation);
                            return Ok(Admitted { grant: entry.rule.grant, permit, reports: entry.reports.clone() });
                        }
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
        self.admit_identifier(peer.map(|peer| peer.identifier))
    }
}

impl ServiceAdmission {
    fn admit_identifier(&self, peer: Option<Identifier>) -> Result<Permit, EndReason> {
        match self.decide(peer, clock::wall()) {
            Ok(Admitted { grant, permit, reports: of_grant }) => {
                self.reports.send(Event::StreamOpened(grant), &of_grant);
                let reports = self.reports.clone();
                Ok(permit.when_ended(move |end| {
                    let ended = Event::StreamEnded {
                        grant,
                        up_bytes: end.received,
                        down_bytes: end.sent,
                        lasted_ms: u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX),
                        reason: end.result.err(),
                    };
                    reports.send(ended, &of_grant);
                }))
            }
            Err(reason) => {
                self.reports.refuse(self.service, peer, reason);
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
    use super::super::admission_reports::{MAX_GRANT_REPORTS, ReportReceiver};
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
        admission.decide(peer, now).map(|it| it.grant)
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
    async fn streams_that_follow_each_other_without_end_are_refused_for_their_grant_alone() {
        let (admission, mut out) = admission();
        admission.set_rules(vec![rule(1, ANN), rule(2, BEN)], NOW);
        // Some more are allowed while these are counted.
        let refused = (0..10 * GRANT_RATE.burst).find_map(|_| decided(&admission, Some(ANN), NOW).err());
        assert_eq!(refused, Some(EndReason::TooMany));
        assert_eq!(decided(&admission, Some(BEN), NOW), Ok(GrantId([2; 16])));
        // Changed rules are no way around it.
        admission.set_rules(vec![AdmissionRule { connections: Some(5), ..rule(1, ANN) }, rule(2, BEN)], NOW);
        let refused = (0..GRANT_RATE.burst).find_map(|_| decided(&admission, Some(ANN), NOW).err());
        assert_eq!(refused, Some(EndReason::TooMany));
        assert!(out.try_next().is_none());
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
    async fn nobody_takes_all_connections_of_a_service_without_a_limit() {
        let (admission, _out) = admission();
        admission.set_rules(vec![rule(1, ANN), rule(2, BEN)], NOW);
        let held: Vec<_> = (0..CONNECTIONS_MAX).map(|_| admission.decide(Some(ANN), NOW)).collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(decided(&admission, Some(ANN), NOW), Err(EndReason::TooMany));
        assert!(decided(&admission, Some(BEN), NOW).is_ok());
    }

    #[tokio::test]
    async fn who_is_refused_all_the_time_keeps_nobody_out() {
        let (admission, mut out) = admission();
        admission.set_rules(vec![rule(1, ANN)], NOW);
        for _ in 0..5_000 {
            assert!(admission.admit_identifier(Some(BEN)).is_err());
        }
        assert!(decided(&admission, Some(ANN), NOW).is_ok());
        // One report, however many there were.
        let report = out.next().await.unwrap();
        assert!(matches!(report, Event::StreamRefused { person: Some(BEN), count: 5_000, .. }), "{report:?}");
        assert!(out.is_empty());
        // The next one is reported anew.
        assert!(admission.admit_identifier(Some(BEN)).is_err());
        assert!(matches!(out.next().await, Some(Event::StreamRefused { count: 1, .. })));
    }

    #[tokio::test]
    async fn a_friend_whose_reports_wait_waits_alone() {
        let (admission, mut out) = admission();
        admission.set_rules(vec![rule(1, ANN), rule(2, BEN)], NOW);
        let opened = (0..2 * MAX_GRANT_REPORTS).filter(|_| admission.admit_identifier(Some(BEN)).is_ok()).count();
        assert_eq!(opened, MAX_GRANT_REPORTS);
        assert_eq!(decided(&admission, Some(BEN), NOW), Err(EndReason::TooMany));
        assert!(decided(&admission, Some(ANN), NOW).is_ok());
        while out.try_next().is_some() {}
        assert!(decided(&admission, Some(BEN), NOW).is_ok());
    }
}
