//! What must hold after every transition, whatever happened.

use super::simulation::Simulation;
use crate::api::*;
use crate::core::{Change, Effect, Record, RecordKey, State};
use postern_node::identity::Identifier;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at every transition, and remembers what must never be taken back.
#[derive(Default)]
pub(super) struct InvariantChecker {
    holders: BTreeMap<InvitationId, Identifier>,
    ended: BTreeSet<GrantId>,
    looks: u64,
}

impl InvariantChecker {
    pub(super) fn look(&mut self, sim: &Simulation, who: usize) {
        self.looks += 1;
        self.one_identity_per_ticket(sim);
        self.what_was_answered_survives_a_crash(sim, who);
        self.no_access_without_a_live_grant(sim, who);
        let Some(state) = &sim.people[who].state else { return };
        let snapshot = state.snapshot(sim.now(who));
        snapshot_explains_every_portal_that_is_not_up(sim, who, &snapshot);
        every_request_is_answered_once(sim, who);
        // Writing a snapshot out takes longer than all the rest.
        let snapshot = self.looks.is_multiple_of(8).then_some(&snapshot);
        no_secret_in_snapshot_or_debug(sim, state, snapshot);
    }

    /// A gate lets somebody in exactly if the grant on disk is active, its service is on, and its person not blocked;
    /// and never again once the grant was revoked or given back.
    fn no_access_without_a_live_grant(&mut self, sim: &Simulation, who: usize) {
        let person = &sim.people[who];
        let is_paused = match person.disk.get(&RecordKey::Profile) {
            Some(Record::Profile(profile)) => profile.paused,
            _ => true,
        };
        for effect in &sim.last.1 {
            let Effect::Save(changes) = effect else { continue };
            for change in changes {
                match change {
                    Change::Put(Record::Grant(it))
                        if matches!(it.state, GrantState::Revoked | GrantState::GivenBack) =>
                    {
                        self.ended.insert(it.id);
                    }
                    Change::Delete(RecordKey::Grant(id)) => drop(self.ended.insert(*id)),
                    _ => {}
                }
            }
        }
        for (service, gate) in &person.admission {
            let service_is_on = match person.disk.get(&RecordKey::Service(*service)) {
                Some(Record::Service(it)) => it.on,
                _ => false,
            };
            for rules in gate {
                let Some(Record::Grant(grant)) = person.disk.get(&RecordKey::Grant(rules.grant)) else {
                    panic!("no_access_without_a_live_grant: it is not on disk");
                };
                assert_eq!((grant.person, grant.service), (rules.person, *service), "no_access_without_a_live_grant");
                assert_eq!((grant.terms.until, grant.terms.connections), (rules.until, rules.connections));
                let is_blocked = match person.disk.get(&RecordKey::Contact(grant.person)) {
                    Some(Record::Contact(it)) => it.blocked,
                    _ => false,
                };
                let may = grant.state == GrantState::Active && service_is_on && !is_paused && !is_blocked;
                let may = may && !self.ended.contains(&grant.id);
                assert!(may || rules.refusal.is_some(), "no_access_without_a_live_grant: {grant:?}");
                let is_over = grant.terms.until.is_some_and(|it| it <= sim.now(who).wall);
                assert!(!may || is_over || rules.refusal.is_none() || sim.wall_ahead != 0, "a live grant is refused");
            }
        }
    }

    /// Whoever a ticket was accepted by is the only one it was ever accepted by, and the only one with a grant of it.
    fn one_identity_per_ticket(&mut self, sim: &Simulation) {
        for effect in &sim.last.1 {
            let Effect::Save(changes) = effect else { continue };
            for change in changes {
                let (ticket, person) = match change {
                    Change::Put(Record::Invitation(it)) if it.state == SentState::Accepted => (it.id, it.person),
                    Change::Put(Record::Grant(it)) => (it.invitation, Some(it.person)),
                    _ => continue,
                };
                let person = person.expect("one_identity_per_ticket: accepted by nobody");
                assert_eq!(*self.holders.entry(ticket).or_insert(person), person, "one_identity_per_ticket");
            }
        }
    }

    /// What is saved is all that is known: a restart from it knows the same.
    fn what_was_answered_survives_a_crash(&self, sim: &Simulation, who: usize) {
        // Looking at everything takes long; looking now and then finds out as surely.
        // Before the key is there, secrets are only on disk.
        let state = sim.people[who].state.as_ref().filter(|it| it.records.is_running());
        if let Some(state) = state.filter(|_| self.looks.is_multiple_of(16)) {
            assert!(state.records.saved() == sim.people[who].disk, "what_was_answered_survives_a_crash");
        }
        let effects = &sim.last.1;
        if effects.iter().any(|it| matches!(it, Effect::Save(_))) {
            assert!(
                matches!(effects[0], Effect::Save(_)),
                "what_was_answered_survives_a_crash: answered before it is saved"
            );
        }
    }
}

fn snapshot_explains_every_portal_that_is_not_up(sim: &Simulation, who: usize, snapshot: &Snapshot) {
    let person = &sim.people[who];
    for portal in &snapshot.inlets {
        match &portal.link {
            InletLink::Off => assert!(!portal.on, "snapshot_explains_every_portal_that_is_not_up"),
            InletLink::Up { .. } => {
                assert!(
                    person.inlets.contains_key(&portal.id),
                    "snapshot_explains_every_portal_that_is_not_up: not kept"
                );
            }
            InletLink::Down { fault, .. } => {
                assert!(fault.message.len() > 10, "snapshot_explains_every_portal_that_is_not_up: {fault:?}");
            }
            InletLink::Connecting => {
                let is_loading = person.hubs.is_empty();
                let is_kept = person.inlets.contains_key(&portal.id);
                assert!(is_kept || is_loading, "snapshot_explains_every_portal_that_is_not_up: nobody connects it");
            }
        }
    }
    for received in &snapshot.invitations {
        if let ReceivedState::Over { fault } = &received.state {
            assert!(fault.message.len() > 10, "snapshot_explains_every_portal_that_is_not_up: {fault:?}");
        }
    }
}

fn every_request_is_answered_once(sim: &Simulation, who: usize) {
    // That none is answered twice is checked where answers arrive.
    let person = &sim.people[who];
    assert_eq!(person.answers.len() as u64 + person.lost, person.requests, "every_request_is_answered_once");
}

fn no_secret_in_snapshot_or_debug(sim: &Simulation, state: &State, snapshot: Option<&Snapshot>) {
    let texts = [
        snapshot.map_or_else(String::new, |it| serde_json::to_string(it).expect("a snapshot can be written")),
        format!("{:?}", sim.last.1),
        format!("{state:?}"),
    ];
    for text in texts {
        assert!(!text.contains("postern://"), "no_secret_in_snapshot_or_debug: {text}");
        let bytes = text.as_bytes();
        let mut run = 0;
        for (at, byte) in bytes.iter().enumerate() {
            run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
            // 64 hexadecimal digits are a secret, unless they are an identifier.
            let is_identifier = at >= 64 && bytes[at - 64] == b'I';
            assert!(run < 64 || is_identifier, "no_secret_in_snapshot_or_debug: {text}");
        }
    }
}
