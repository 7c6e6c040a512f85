//! A portal's status: up, or the first reason why it is not; with the notices when that changes.

use super::access;
use crate::api::{Code, Fault, InletId, Notice, PathKind, UnixMillis};
use crate::core::fault_messages;
use crate::core::limits::NOTICE_EVERY;
use crate::core::records::Records;
use crate::core::schema::{Inlet, is_final};
use crate::core::transaction::Transaction;
use std::collections::BTreeMap;

/// A portal's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortalStatus {
    Off,
    Connecting,
    Up(PathKind),
    Down(Fault),
}

/// A status without its details: a change between two of these is a change for the user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Off,
    Connecting,
    Up,
    Down(Code),
}

impl Phase {
    /// Whether the access was there: not what the user switched off or paused here, nor what had ended before.
    fn is_ongoing(self) -> bool {
        match self {
            Self::Up => true,
            Self::Down(code) => !is_final(code) && code != Code::Paused,
            Self::Off | Self::Connecting => false,
        }
    }
}

impl PortalStatus {
    fn phase(&self) -> Phase {
        match self {
            Self::Off => Phase::Off,
            Self::Connecting => Phase::Connecting,
            Self::Up(_) => Phase::Up,
            Self::Down(fault) => Phase::Down(fault.code),
        }
    }
}

/// A portal's status now.
pub(crate) fn status(records: &Records, inlet: &Inlet, wall: UnixMillis) -> PortalStatus {
    let owner = || records.name(inlet.owner);
    let down = |code| PortalStatus::Down(fault_messages::portal(code, &owner()));
    if !inlet.on {
        return PortalStatus::Off;
    }
    if records.is_paused() {
        return PortalStatus::Down(Fault::new(Code::Paused, "Everything is paused here."));
    }
    if records.is_blocked(inlet.owner) {
        let sentence = format!("You have blocked {}: unblock them to use it.", owner());
        return PortalStatus::Down(Fault::new(Code::Blocked, sentence));
    }
    if let Some(code) = inlet.refused {
        return down(code);
    }
    if inlet.is_over(wall) {
        return down(Code::Expired);
    }
    if let Some(fault) = records.identity_fault() {
        return PortalStatus::Down(fault.clone());
    }
    let Some(portal) = records.portals.get(&inlet.id) else { return PortalStatus::Connecting };
    match (&portal.listening, &portal.channel, portal.refusal) {
        (Some(Err(fault)), _, _) | (_, Some(Err(fault)), _) => PortalStatus::Down(fault.clone()),
        (Some(Ok(())), Some(Ok(_)), Some(refusal)) => down(access::meaning(refusal)),
        (Some(Ok(())), Some(Ok(path)), None) => PortalStatus::Up(path.clone()),
        _ => PortalStatus::Connecting,
    }
}

/// What was shown of each portal.
#[derive(Default)]
pub(crate) struct PortalHistory(BTreeMap<InletId, Shown>);

/// What was shown of one portal.
#[derive(Default)]
struct Shown {
    phase: Option<Phase>,
    /// The last phase that was not `Connecting`, which is passing.
    lasting: Option<Phase>,
    since: UnixMillis,
    /// The user was notified that it is up for the first time.
    is_announced: bool,
    /// The user was notified that it is down, and not yet that it is up again.
    down_is_notified: bool,
    /// When the user was last notified that it is down, in ticks.
    notified_at: Option<u64>,
    /// When the user was last notified that the access has ended, in ticks.
    end_notified_at: Option<u64>,
}

impl PortalHistory {
    /// Since when a portal has its present phase.
    pub(crate) fn since(&self, id: InletId) -> Option<UnixMillis> {
        self.0.get(&id).map(|it| it.since)
    }

    /// Notes since when each portal has its phase, and notifies the user of those that came up or went down.
    pub(crate) fn update(&mut self, records: &Records, tx: &mut Transaction) {
        self.0.retain(|id, _| records.inlets.contains(*id));
        for inlet in records.inlets.all().filter(|it| !it.giving_back) {
            let status = status(records, inlet, tx.now.wall);
            let is_new = records.portals.get(&inlet.id).is_some_and(|it| it.is_new);
            self.0.entry(inlet.id).or_default().update(records, tx, inlet, status, is_new);
        }
    }
}

impl Shown {
    fn update(&mut self, records: &Records, tx: &mut Transaction, inlet: &Inlet, status: PortalStatus, is_new: bool) {
        let before = self.phase.replace(status.phase());
        if before == self.phase {
            return;
        }
        self.since = tx.now.wall;
        if status == PortalStatus::Connecting {
            return;
        }
        let before = self.lasting.replace(status.phase());
        match status {
            PortalStatus::Up(_) => self.came_up(records, tx, inlet, is_new),
            // The user's own doing: nothing to tell.
            PortalStatus::Down(_) if records.is_blocked(inlet.owner) => {}
            PortalStatus::Down(fault) if is_final(fault.code) && before.is_some_and(Phase::is_ongoing) => {
                self.ended(tx, inlet, fault);
            }
            PortalStatus::Down(fault) if before == Some(Phase::Up) => self.went_down(tx, inlet, fault),
            PortalStatus::Down(_) | PortalStatus::Off | PortalStatus::Connecting => {}
        }
    }

    fn came_up(&mut self, records: &Records, tx: &mut Transaction, inlet: &Inlet, is_new: bool) {
        let is_first = is_new && !std::mem::replace(&mut self.is_announced, true);
        if is_first | std::mem::take(&mut self.down_is_notified) {
            let (name, address) = (inlet.name.clone(), records.shown_address(inlet));
            tx.notify(Notice::PortalUp { inlet: inlet.id, name, address });
        }
    }

    /// Notifies at most once in [`NOTICE_EVERY`], and not of what the user did.
    fn went_down(&mut self, tx: &mut Transaction, inlet: &Inlet, fault: Fault) {
        if is_recent(self.notified_at, tx) || fault.code == Code::Paused {
            return;
        }
        (self.notified_at, self.down_is_notified) = (Some(tx.now.ticks), true);
        tx.notify(Notice::PortalDown { inlet: inlet.id, name: inlet.name.clone(), fault });
    }

    /// The access has ended: that is more than the pause or the outage that was notified a moment ago, so only the last notice of
    /// the same kind makes it wait.
    fn ended(&mut self, tx: &mut Transaction, inlet: &Inlet, fault: Fault) {
        if is_recent(self.end_notified_at, tx) {
            return;
        }
        (self.end_notified_at, self.down_is_notified) = (Some(tx.now.ticks), true);
        tx.notify(Notice::PortalDown { inlet: inlet.id, name: inlet.name.clone(), fault });
    }
}

/// Whether a notice at this time, in ticks, keeps the next one of its kind back.
fn is_recent(notified_at: Option<u64>, tx: &Transaction) -> bool {
    notified_at.is_some_and(|at| tx.now.ticks < at.saturating_add(NOTICE_EVERY))
}
