//! Contacts: words, pins, blocks, petnames.

use super::world::{ADA, BEA, World};
use crate::api::*;
use crate::core::{Effect, Event};
use postern_node::identity::Identifier;

#[test]
fn a_verified_contact_whose_key_changes_is_told_of_once() {
    let (mut world, ..) = World::shared();
    let bea = world.people[BEA].identifier;
    world.event(ADA, Event::PeerIdentified(bea, 1));
    world.must(ADA, Request::Verify { person: bea, verified: true });
    world.event(ADA, Event::PeerIdentified(bea, 1));
    assert!(world.snapshot(ADA).contacts[0].verified && !world.snapshot(ADA).contacts[0].key_changed);
    for _ in 0..2 {
        world.event(ADA, Event::PeerIdentified(bea, 2));
        world.restart(ADA);
    }
    assert!(world.snapshot(ADA).contacts[0].key_changed);
    assert_eq!(world.snapshot(ADA).status, Status::Attention);
    assert_eq!(world.people[ADA].notices.iter().filter(|it| matches!(it, Notice::KeyChanged { .. })).count(), 1);
    world.must(ADA, Request::Verify { person: bea, verified: true });
    assert!(!world.snapshot(ADA).contacts[0].key_changed);
}

#[test]
fn what_was_met_before_it_was_a_contact_is_no_change() {
    let mut world = World::new();
    let bea = world.people[BEA].identifier;
    world.event(ADA, Event::PeerIdentified(bea, 3));
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    world.must(ADA, Request::Verify { person: bea, verified: true });
    world.event(ADA, Event::PeerIdentified(bea, 3));
    assert!(!world.snapshot(ADA).contacts[0].key_changed);
    world.event(ADA, Event::PeerIdentified(bea, 4));
    assert!(world.snapshot(ADA).contacts[0].key_changed);
}

#[test]
fn a_block_keeps_somebody_out_until_it_is_lifted() {
    let (mut world, service, inlet, grant) = World::shared();
    let notes = world.share(ADA, "Notes");
    let bea = world.people[BEA].identifier;
    let to = InviteTo::Contact { person: bea };
    let invite = Request::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    world.must(ADA, invite.clone());
    world.must(ADA, Request::Block { person: bea, on: true });
    assert!(
        world.people[ADA].deeds.iter().any(|it| matches!(it, AuditEvent::Contact { what, .. } if what == "blocked"))
    );
    assert!(world.people[ADA].gates[&service][0].refusal.is_some());
    assert_eq!(world.snapshot(ADA).services[1].invitations[0].state, SentState::Revoked);
    // They are told, without trying it.
    assert_eq!(world.why(BEA), Code::Blocked);
    assert!(world.connect(BEA, inlet).is_err());
    world.settle();
    assert_eq!(world.must_fail(ADA, invite), Code::Blocked);
    world.must(ADA, Request::Block { person: bea, on: false });
    assert!(world.is_up(BEA));
    assert_eq!(world.connect(BEA, inlet), Ok(grant));

    // A friend can block an owner, too.
    let ada = world.people[ADA].identifier;
    world.must(BEA, Request::Block { person: ada, on: true });
    assert_eq!(world.why(BEA), Code::Blocked);
    assert!(world.people[BEA].inlets.is_empty());
    world.must(BEA, Request::Block { person: ada, on: false });
    assert!(world.is_up(BEA));
}

#[test]
fn blocking_cuts() {
    let (mut world, ..) = World::shared();
    let bea = world.people[BEA].identifier;
    world.request(ADA, Request::Block { person: bea, on: true }).unwrap();
    let effects = &world.last.1;
    assert!(matches!(effects[0], Effect::Save(_)));
    let permit = effects.iter().position(|it| matches!(it, Effect::SetAdmission { .. })).unwrap();
    let cut = effects.iter().position(|it| *it == Effect::CloseChannels(bea)).unwrap();
    // Why is told first.
    let told = effects.iter().position(|it| matches!(it, Effect::NotifyPeer(to, _) if *to == bea)).unwrap();
    assert!(permit < told && told < cut);
}

#[test]
fn contacts_are_renamed_and_forgotten() {
    let (mut world, _, inlet, grant) = World::shared();
    let bea = world.people[BEA].identifier;
    world.must(ADA, Request::RenameContact { person: bea, name: "Beatrice".into() });
    assert_eq!(world.snapshot(ADA).services[0].people[0].name, "Beatrice");
    assert_eq!(world.snapshot(ADA).contacts[0].own_name, "Bea");
    assert_eq!(world.must_fail(ADA, Request::Forget { person: bea }), Code::Invalid);
    world.must(ADA, Request::RevokeGrant { grant });
    world.must(ADA, Request::Forget { person: bea });
    assert!(world.snapshot(ADA).contacts.is_empty());
    assert!(world.snapshot(ADA).services[0].people.is_empty());
    let ada = world.people[ADA].identifier;
    assert_eq!(world.must_fail(BEA, Request::Forget { person: ada }), Code::Invalid);
    world.must(BEA, Request::RemoveInlet { inlet });
    world.must(BEA, Request::Forget { person: ada });
    let nobody = Identifier::from_bytes([9; 32]);
    for request in [
        Request::Forget { person: nobody },
        Request::Block { person: nobody, on: true },
        Request::Verify { person: nobody, verified: true },
        Request::RenameContact { person: nobody, name: "X".into() },
    ] {
        assert_eq!(world.must_fail(ADA, request), Code::NotFound);
    }
}

#[test]
fn a_friends_new_name_is_learnt_when_they_are_met() {
    let (mut world, ..) = World::shared();
    world.must(BEA, Request::Rename { name: "Beatrix".into() });
    world.restart(BEA);
    assert_eq!(world.snapshot(ADA).contacts[0].name, "Beatrix");
}

#[test]
fn an_invitation_is_not_sent_again_to_somebody_who_is_blocked() {
    let (mut world, ..) = World::shared();
    let notes = world.share(ADA, "Notes");
    let bea = world.people[BEA].identifier;
    let to = InviteTo::Contact { person: bea };
    let invite = Request::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation, .. } = world.must(ADA, invite) else { panic!() };
    world.must(BEA, Request::Decline { invitation });
    world.must(ADA, Request::Block { person: bea, on: true });
    assert_eq!(world.must_fail(ADA, Request::Resend { invitation }), Code::Blocked);
    world.must(ADA, Request::Block { person: bea, on: false });
    world.must(ADA, Request::Resend { invitation });
}

#[test]
fn an_unanswered_invitation_comes_back_with_its_owner() {
    let (mut world, ..) = World::shared();
    let notes = world.share(ADA, "Notes");
    let (ada, bea) = (world.people[ADA].identifier, world.people[BEA].identifier);
    let to = InviteTo::Contact { person: bea };
    let invite = Request::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation, .. } = world.must(ADA, invite) else { panic!() };
    assert_eq!(world.snapshot(BEA).invitations.len(), 1);

    world.must(BEA, Request::Block { person: ada, on: true });
    assert!(world.snapshot(BEA).invitations.is_empty());
    assert_eq!(world.must_fail(BEA, Request::Accept { invitation, port: None }), Code::Blocked);
    world.restart(BEA);
    assert!(world.snapshot(BEA).invitations.is_empty());

    world.must(BEA, Request::Block { person: ada, on: false });
    assert_eq!(world.snapshot(BEA).invitations[0].state, ReceivedState::New);
    world.must(BEA, Request::Accept { invitation, port: None });
    assert_eq!(world.snapshot(BEA).inlets.len(), 2);

    world.must(ADA, Request::Block { person: bea, on: true });
    world.must(BEA, Request::Block { person: ada, on: true });
    assert!(world.snapshot(BEA).invitations.is_empty());
}
