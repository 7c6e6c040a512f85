//! The gate in front of one service: who gets in, how often at once, until when.
//!
//! ```text
//! Permit effect ─► permit ─► table ◄─ admit ◄─ outlet ◄─ a friend's stream
//!                    │         ▲
//!                    │         └─ expire: by the wall clock, whether anybody asks or not
//!                    └─ cuts at once what is not active any more
//! ```
//!
//! Without a table nobody gets in. What it decides and what becomes of the streams, it reports; reporting never
//! blocks, and when reports are not taken nobody new gets in.

use crate::api::{GrantId, ServiceId, UnixMillis};
use crate::core::{AdmissionRule, Event, Refusal};
use crate::driver::clock;
use postern_node::identity::{Identifier, VerifiedPeer};
use postern_node::portal::{AdmissionPolicy, EndReason, Meter, Permit, Revocation};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Reports that may wait; above, streams are refused.
const MAX_REPORTS: usize = 4_096;
/// The wall clock is looked at this often, in case it was set.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Where gates report to: never blocks, and counts what waits.
#[derive(Clone)]
pub(crate) struct Reports {
    events: mpsc::UnboundedSender<Event>,
    waiting: Arc<AtomicUsize>,
}

/// Where reports come out.
pub(crate) struct ReportsOut {
    events: mpsc::UnboundedReceiver<Event>,
    waiting: Arc<AtomicUsize>,
}

impl Reports {
    pub(crate) fn new() -> (Self, ReportsOut) {
        let (sender, events) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self { events: sender, waiting: waiting.clone() }, ReportsOut { events, waiting })
    }

    fn are_too_many(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MAX_REPORTS
    }

    /// What must be told however many wait: it ends something that was told to begin.
    fn tell(&self, event: Event) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.events.send(event);
    }
}

impl ReportsOut {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The next report, if there is one already.
    pub(crate) fn now(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }

    pub(crate) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }
}

/// One service's gate.
pub(crate) struct ServiceGate {
    service: ServiceId,
    table: Mutex<Vec<Entry>>,
    changed: Arc<Notify>,
    reports: Reports,
}

struct Entry {
    permitted: AdmissionRule,
    revocation: Revocation,
    meter: Arc<Meter>,
}

impl Entry {
    /// Why the grant does not let its person in now.
    fn refusal(&self, now: UnixMillis) -> Option<Refusal> {
        let expired = self.permitted.until.is_some_and(|until| until <= now);
        self.permitted.refusal.or(expired.then_some(EndReason::Expired))
    }
}

impl ServiceGate {
    /// A gate that lets nobody in, until [`permit`](Self::permit) says whom.
    pub(crate) fn new(service: ServiceId, reports: Reports) -> Arc<Self> {
        let gate = Arc::new(Self { service, table: Mutex::default(), changed: Arc::default(), reports });
        tokio::spawn(watch_expiry(Arc::downgrade(&gate)));
        gate
    }

    /// Who gets in from now on. Streams of everybody else are cut.
    pub(crate) fn permit(&self, permitted: Vec<AdmissionRule>, now: UnixMillis) {
        let mut table = self.table();
        let mut before = std::mem::take(&mut *table);
        for permitted in permitted {
            let known = before.iter().position(|it| it.permitted.grant == permitted.grant);
            let mut entry = match known.map(|at| before.swap_remove(at)) {
                Some(known) => Entry { permitted, ..known },
                None => Entry { permitted, revocation: Revocation::new(), meter: Arc::default() },
            };
            match entry.refusal(now) {
                Some(reason) => entry.revocation.revoke(reason),
                None if entry.revocation.is_revoked() => entry.revocation = Revocation::new(),
                None => {}
            }
            table.push(entry);
        }
        for gone in before {
            gone.revocation.revoke(EndReason::Revoked);
        }
        drop(table);
        self.changed.notify_one();
    }

    /// What each grant's streams have carried since the gate is there.
    pub(crate) fn meters(&self) -> Vec<(GrantId, Arc<Meter>)> {
        self.table().iter().map(|it| (it.permitted.grant, it.meter.clone())).collect()
    }

    /// Cuts whoever's time is over; when the next one's will be.
    fn expire(&self, now: UnixMillis) -> Option<UnixMillis> {
        let table = self.table();
        for entry in table.iter().filter(|it| it.permitted.until.is_some_and(|until| until <= now)) {
            entry.revocation.revoke(EndReason::Expired);
        }
        table.iter().filter_map(|it| it.permitted.until).filter(|until| *until > now).min()
    }

    fn decide(&self, peer: Option<Identifier>, now: UnixMillis) -> Result<(GrantId, Permit), Refusal> {
        let peer = peer.ok_or(EndReason::NotAllowed)?;
        if self.reports.are_too_many() {
            return Err(EndReason::TooMany);
        }
        let table = self.table();
        let mut refusal = EndReason::NotAllowed;
        for entry in table.iter().filter(|it| it.permitted.person == peer) {
            match entry.refusal(now) {
                Some(reason) => refusal = reason,
                None => {
                    let max = entry.permitted.connections.map_or(u64::MAX, u64::from);
                    match Permit::limited(&entry.meter, max) {
                        Ok(permit) => return Ok((entry.permitted.grant, permit.revocable_by(&entry.revocation))),
                        Err(reason) => refusal = reason,
                    }
                }
            }
        }
        Err(refusal)
    }

    fn table(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdmissionPolicy for ServiceGate {
    fn admit(&self, peer: Option<&VerifiedPeer>) -> Result<Permit, EndReason> {
        let peer = peer.map(|peer| peer.identifier);
        match self.decide(peer, clock::wall()) {
            Ok((grant, permit)) => {
                self.reports.tell(Event::StreamOpened(grant));
                let reports = self.reports.clone();
                Ok(permit.when_ended(move |end| {
                    reports.tell(Event::StreamEnded {
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
                    self.reports.tell(Event::StreamRefused(self.service, peer, reason));
                }
                Err(reason)
            }
        }
    }
}

/// Cuts streams whose time is over, until the gate is dropped.
async fn watch_expiry(gate: Weak<ServiceGate>) {
    while let Some(strong) = gate.upgrade() {
        let now = clock::wall();
        let wait = strong.expire(now).map(|next| Duration::from_millis(next.0.saturating_sub(now.0)));
        let changed = strong.changed.clone();
        drop(strong);
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep(wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const ANN: Identifier = Identifier::from_bytes([1; 32]);
    const BEN: Identifier = Identifier::from_bytes([2; 32]);

    fn permitted(grant: u8, person: Identifier) -> AdmissionRule {
        AdmissionRule { grant: GrantId([grant; 16]), person, refusal: None, until: None, connections: None }
    }

    fn gate() -> (Arc<ServiceGate>, ReportsOut) {
        let (reports, out) = Reports::new();
        (ServiceGate::new(ServiceId([9; 16]), reports), out)
    }

    fn decided(gate: &ServiceGate, peer: Option<Identifier>, now: UnixMillis) -> Result<GrantId, Refusal> {
        gate.decide(peer, now).map(|(grant, _)| grant)
    }

    #[tokio::test]
    async fn only_whoever_is_permitted_gets_in() {
        let (gate, _out) = gate();
        assert_eq!(decided(&gate, Some(ANN), NOW), Err(EndReason::NotAllowed));
        let paused = AdmissionRule { refusal: Some(EndReason::Paused), ..permitted(2, BEN) };
        gate.permit(vec![permitted(1, ANN), paused], NOW);
        assert_eq!(decided(&gate, Some(ANN), NOW), Ok(GrantId([1; 16])));
        assert_eq!(decided(&gate, Some(BEN), NOW), Err(EndReason::Paused));
        assert_eq!(decided(&gate, Some(Identifier::from_bytes([3; 32])), NOW), Err(EndReason::NotAllowed));
        assert_eq!(decided(&gate, None, NOW), Err(EndReason::NotAllowed));
        // Invited again: the newer grant counts.
        let revoked = AdmissionRule { refusal: Some(EndReason::Revoked), ..permitted(1, ANN) };
        gate.permit(vec![revoked, permitted(3, ANN)], NOW);
        assert_eq!(decided(&gate, Some(ANN), NOW), Ok(GrantId([3; 16])));
    }

    #[tokio::test]
    async fn what_is_no_longer_active_is_cut_and_can_come_back() {
        let (gate, _out) = gate();
        gate.permit(vec![permitted(1, ANN), permitted(2, BEN)], NOW);
        let revocation = |grant: u8| {
            let table = gate.table();
            table.iter().find(|it| it.permitted.grant.0[0] == grant).unwrap().revocation.clone()
        };
        let (ann, ben) = (revocation(1), revocation(2));
        let paused = AdmissionRule { refusal: Some(EndReason::Paused), ..permitted(1, ANN) };
        gate.permit(vec![paused], NOW);
        assert!(ann.is_revoked() && ben.is_revoked());
        gate.permit(vec![permitted(1, ANN)], NOW);
        assert!(!revocation(1).is_revoked());
        gate.permit(vec![AdmissionRule { connections: Some(5), ..permitted(1, ANN) }], NOW);
        assert!(!revocation(1).is_revoked());
    }

    #[tokio::test]
    async fn time_is_judged_by_the_gate_itself() {
        let (gate, _out) = gate();
        gate.permit(vec![AdmissionRule { until: Some(NOW.plus(10)), ..permitted(1, ANN) }], NOW);
        assert!(decided(&gate, Some(ANN), NOW.plus(9)).is_ok());
        assert_eq!(gate.expire(NOW.plus(9)), Some(NOW.plus(10)));
        assert_eq!(decided(&gate, Some(ANN), NOW.plus(10)), Err(EndReason::Expired));
        assert_eq!(gate.expire(NOW.plus(10)), None);
        assert!(gate.table()[0].revocation.is_revoked());
    }

    #[tokio::test]
    async fn connections_at_once_are_counted() {
        let (gate, _out) = gate();
        gate.permit(vec![AdmissionRule { connections: Some(1), ..permitted(1, ANN) }], NOW);
        let first = gate.decide(Some(ANN), NOW);
        assert!(first.is_ok());
        assert_eq!(decided(&gate, Some(ANN), NOW), Err(EndReason::TooMany));
        drop(first);
        assert!(decided(&gate, Some(ANN), NOW).is_ok());
    }

    #[tokio::test]
    async fn when_nobody_listens_nobody_new_gets_in() {
        let (gate, mut out) = gate();
        gate.permit(vec![permitted(1, ANN)], NOW);
        for _ in 0..MAX_REPORTS {
            gate.reports.tell(Event::Tick);
        }
        assert_eq!(decided(&gate, Some(ANN), NOW), Err(EndReason::TooMany));
        out.next().await.unwrap();
        assert!(decided(&gate, Some(ANN), NOW).is_ok());
    }
}
