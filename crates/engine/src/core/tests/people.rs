//! Contacts: blocks, petnames.

use super::simulation::{ADA, BEA, Simulation, refused};
use crate::api::*;
use crate::core::Effect;
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

#[test]
fn a_block_keeps_somebody_out_until_it_is_lifted() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    let notes = sim.share(ADA, "Notes");
    let bea = sim.people[BEA].identifier;
    let to = InviteTo::Contact { person: bea };
    let invite = CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    sim.must(ADA, invite.clone());
    sim.must(ADA, CoreRequest::Block { person: bea, on: true });
    assert!(sim.people[ADA].audit.iter().any(|it| matches!(it, AuditEvent::Contact { what, .. } if what == "blocked")));
    assert!(sim.people[ADA].admission[&service][0].refusal.is_some());
    assert_eq!(sim.snapshot(ADA).services[1].invitations[0].state, SentState::Revoked);
    // They are totals, without trying it.
    assert_eq!(sim.why(BEA), Code::Blocked);
    assert!(sim.connect(BEA, inlet).is_err());
    sim.run_until_idle();
    assert_eq!(sim.must_fail(ADA, invite), Code::Blocked);
    sim.must(ADA, CoreRequest::Block { person: bea, on: false });
    assert!(sim.is_up(BEA));
    assert_eq!(sim.connect(BEA, inlet), Ok(grant));

    // A friend can block an owner, too.
    let ada = sim.people[ADA].identifier;
    sim.must(BEA, CoreRequest::Block { person: ada, on: true });
    assert_eq!(sim.why(BEA), Code::Blocked);
    assert!(sim.people[BEA].inlets.is_empty());
    sim.must(BEA, CoreRequest::Block { person: ada, on: false });
    assert!(sim.is_up(BEA));
}

#[test]
fn blocking_cuts() {
    let (mut sim, ..) = Simulation::shared();
    let bea = sim.people[BEA].identifier;
    sim.request(ADA, CoreRequest::Block { person: bea, on: true }).unwrap();
    let effects = &sim.last.1;
    assert!(matches!(effects[0], Effect::Save(_)));
    let permit = effects.iter().position(|it| matches!(it, Effect::SetAdmission { .. })).unwrap();
    let cut = effects.iter().position(|it| *it == Effect::CutOff(bea)).unwrap();
    // Why is totals first.
    let totals = effects.iter().position(|it| matches!(it, Effect::NotifyPeer(to, _) if *to == bea)).unwrap();
    assert!(permit < totals && totals < cut);
}

#[test]
fn contacts_are_renamed_and_forgotten() {
    let (mut sim, _, inlet, grant) = Simulation::shared();
    let bea = sim.people[BEA].identifier;
    sim.must(ADA, CoreRequest::RenameContact { person: bea, name: "Beatrice".into() });
    assert_eq!(sim.snapshot(ADA).services[0].people[0].name, "Beatrice");
    assert_eq!(sim.snapshot(ADA).contacts[0].own_name, "Bea");
    assert_eq!(sim.must_fail(ADA, CoreRequest::Forget { person: bea }), Code::Invalid);
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    sim.must(ADA, CoreRequest::Forget { person: bea });
    assert!(sim.snapshot(ADA).contacts.is_empty());
    assert!(sim.snapshot(ADA).services[0].people.is_empty());
    let ada = sim.people[ADA].identifier;
    assert_eq!(sim.must_fail(BEA, CoreRequest::Forget { person: ada }), Code::Invalid);
    sim.must(BEA, CoreRequest::RemoveInlet { inlet });
    sim.must(BEA, CoreRequest::Forget { person: ada });
    let nobody = Identifier::from_bytes([9; 32]);
    for request in [
        CoreRequest::Forget { person: nobody },
        CoreRequest::Block { person: nobody, on: true },
        CoreRequest::Verify { person: nobody, verified: true, words: None },
        CoreRequest::RenameContact { person: nobody, name: "X".into() },
    ] {
        assert_eq!(sim.must_fail(ADA, request), Code::NotFound);
    }
}

#[test]
fn a_friends_new_name_is_learnt_when_they_are_met() {
    let (mut sim, ..) = Simulation::shared();
    sim.must(BEA, CoreRequest::Rename { name: "Beatrix".into() });
    sim.restart(BEA);
    assert_eq!(sim.snapshot(ADA).contacts[0].name, "Beatrix");
}

#[test]
fn an_invitation_is_not_sent_again_to_somebody_who_is_blocked() {
    let (mut sim, ..) = Simulation::shared();
    let notes = sim.share(ADA, "Notes");
    let bea = sim.people[BEA].identifier;
    let to = InviteTo::Contact { person: bea };
    let invite = CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation, .. } = sim.must(ADA, invite) else { panic!() };
    sim.must(BEA, CoreRequest::Decline { invitation });
    sim.must(ADA, CoreRequest::Block { person: bea, on: true });
    assert_eq!(sim.must_fail(ADA, CoreRequest::Resend { invitation }), Code::Blocked);
    sim.must(ADA, CoreRequest::Block { person: bea, on: false });
    sim.must(ADA, CoreRequest::Resend { invitation });
}

#[test]
fn an_unanswered_invitation_comes_back_with_its_owner() {
    let (mut sim, ..) = Simulation::shared();
    let notes = sim.share(ADA, "Notes");
    let (ada, bea) = (sim.people[ADA].identifier, sim.people[BEA].identifier);
    let to = InviteTo::Contact { person: bea };
    let invite = CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation, .. } = sim.must(ADA, invite) else { panic!() };
    assert_eq!(sim.snapshot(BEA).invitations.len(), 1);

    sim.must(BEA, CoreRequest::Block { person: ada, on: true });
    assert!(sim.snapshot(BEA).invitations.is_empty());
    assert_eq!(sim.must_fail(BEA, CoreRequest::Accept { invitation, port: None }), Code::Blocked);
    sim.restart(BEA);
    assert!(sim.snapshot(BEA).invitations.is_empty());

    sim.must(BEA, CoreRequest::Block { person: ada, on: false });
    assert_eq!(sim.snapshot(BEA).invitations[0].state, ReceivedState::New);
    sim.must(BEA, CoreRequest::Accept { invitation, port: None });
    assert_eq!(sim.snapshot(BEA).inlets.len(), 2);

    sim.must(ADA, CoreRequest::Block { person: bea, on: true });
    sim.must(BEA, CoreRequest::Block { person: ada, on: true });
    assert!(sim.snapshot(BEA).invitations.is_empty());
}

#[test]
fn the_channels_of_a_blocked_person_are_closed_whenever_they_try() {
    let (mut sim, service, ..) = Simulation::shared();
    let bea = sim.people[BEA].identifier;
    sim.must(ADA, CoreRequest::Block { person: bea, on: true });
    sim.event(ADA, refused(service, Some(bea), EndReason::NotAllowed));
    assert!(sim.last.1.contains(&Effect::CutOff(bea)));
    sim.must(ADA, CoreRequest::Block { person: bea, on: false });
    sim.event(ADA, refused(service, Some(bea), EndReason::NotAllowed));
    assert!(!sim.last.1.contains(&Effect::CutOff(bea)));
}
