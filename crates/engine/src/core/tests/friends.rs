//! What a friend does: previews, opens, accepts, declines, uses, gives back.

use super::world::{ADA, BEA, CID, HUB, World};
use crate::api::*;
use crate::core::{Effect, Event};
use crate::peer::{GrantStatus, PeerNotification};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

fn preview(world: &mut World, who: usize, link: &Secret) -> InvitationPreview {
    match world.must(who, Request::Preview { link: link.clone() }) {
        Answer::Preview { preview } => preview,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_link_is_previewed_without_anybody_hearing_of_it() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    let seen = preview(&mut world, BEA, &link);
    assert_eq!((seen.invitation, seen.owner_name.as_str(), seen.service_name.as_str()), (id, "Ada", "Orders"));
    assert_eq!((seen.port, seen.kind, seen.owner_known, seen.fault), (5432, ServiceKind::Http, false, None));
    assert!(world.snapshot(BEA).invitations.is_empty());
    assert_eq!(world.snapshot(ADA).services[0].invitations[0].state, SentState::Created);
    // It works before anybody has set up, too.
    let mut stranger = World::empty(5);
    assert_eq!(preview(&mut stranger, CID, &link).words, None);
}

#[test]
fn links_that_lead_nowhere_say_why() {
    let (mut world, service, ..) = World::shared();
    let (_, link) = world.invite(ADA, service);
    assert_eq!(preview(&mut world, ADA, &link).fault.unwrap().code, Code::OwnInvitation);
    assert_eq!(world.open(ADA, &link).fault.unwrap().code, Code::OwnInvitation);
    assert!(world.snapshot(ADA).invitations.is_empty());
    let bad = Request::Open { link: Secret::new("postern://join/nonsense") };
    assert_eq!(world.must_fail(BEA, bad), Code::BadTicket);
    let link = Secret::new(&link.reveal()[..50]);
    assert_eq!(world.must_fail(BEA, Request::Preview { link }), Code::BadTicket);
    assert_eq!(world.must_fail(BEA, Request::Accept { invitation: InvitationId([1; 16]), port: None }), Code::NotFound);
}

#[test]
fn a_link_that_was_accepted_says_that_one_is_in() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    world.open(BEA, &link);
    assert_eq!(world.snapshot(BEA).invitations.len(), 1);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert_eq!(preview(&mut world, BEA, &link).fault.unwrap().code, Code::AlreadyIn);
    assert_eq!(world.open(BEA, &link).fault.unwrap().code, Code::AlreadyIn);
    assert_eq!(world.must_fail(BEA, Request::Accept { invitation: id, port: None }), Code::AlreadyIn);
    assert!(world.snapshot(BEA).invitations.is_empty());
}

#[test]
fn accepting_waits_for_an_owner_who_is_away() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.crash(ADA);
    world.open(BEA, &link);
    assert_eq!(world.must(BEA, Request::Accept { invitation: id, port: Some(7000) }), Answer::Done);
    let ReceivedState::Accepting { fault: Some(fault) } = world.snapshot(BEA).invitations[0].state.clone() else {
        panic!()
    };
    assert_eq!(fault.code, Code::OwnerOffline);
    // It asks ever more seldom, and survives a restart.
    let before = world.transitions;
    world.pass(600_000);
    assert!((20..80).contains(&(world.transitions - before)), "{} events", world.transitions - before);
    world.restart(BEA);
    assert!(matches!(world.snapshot(BEA).invitations[0].state, ReceivedState::Accepting { .. }));
    world.launch(ADA);
    world.pass(70_000);
    assert!(world.is_up(BEA));
    assert_eq!(world.snapshot(BEA).inlets[0].port, 7000);
}

#[test]
fn what_waits_is_tried_at_once_after_a_wake_or_when_the_hub_is_back() {
    for wake in [true, false] {
        let mut world = World::new();
        let service = world.share(ADA, "Orders");
        let (id, link) = world.invite(ADA, service);
        world.open(BEA, &link);
        world.set_hub(false);
        world.must(BEA, Request::Accept { invitation: id, port: None });
        world.pass(300_000);
        let ReceivedState::Accepting { fault: Some(fault) } = world.snapshot(BEA).invitations[0].state.clone() else {
            panic!()
        };
        assert_eq!(fault.code, Code::HubUnreachable);
        if wake {
            world.hub_is_up = true;
            world.event(BEA, Event::Resumed);
            assert!(world.last.1.contains(&Effect::RetryNow));
        } else {
            world.set_hub(true);
        }
        world.settle();
        assert_eq!(world.snapshot(BEA).inlets.len(), 1);
    }
}

#[test]
fn declining_tells_the_owner_until_it_is_heard() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.crash(ADA);
    world.open(BEA, &link);
    world.must(BEA, Request::Decline { invitation: id });
    assert!(world.snapshot(BEA).invitations.is_empty());
    world.restart(BEA);
    world.launch(ADA);
    world.pass(70_000);
    assert_eq!(world.snapshot(ADA).services[0].invitations[0].state, SentState::Declined);
    assert!(world.people[ADA].notices.iter().any(|it| matches!(it, Notice::Declined { .. })));
    assert_eq!(world.open(BEA, &link).fault.unwrap().code, Code::Denied);
    // Sent again, it is good again.
    world.pass(1_000);
    world.must(ADA, Request::Resend { invitation: id });
    let Answer::Invitation { link: Some(link), .. } = world.must(ADA, Request::InvitationLink { invitation: id })
    else {
        panic!()
    };
    assert_eq!(world.open(BEA, &link).fault, None);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert!(world.is_up(BEA));
}

#[test]
fn a_portal_keeps_its_port_and_says_who_took_it() {
    let (mut world, _, inlet, _) = World::shared();
    world.people[BEA].taken_ports.insert(5432);
    world.restart(BEA);
    let InletLink::Down { fault, .. } = world.link(BEA) else { panic!() };
    assert_eq!(fault.code, Code::PortTaken);
    assert_eq!(fault.message, "Port 5432 is used by postgres.");
    world.must(BEA, Request::ChangeInlet { inlet, name: Some("Their orders".into()), port: Some(5433) });
    assert!(world.is_up(BEA));
    world.restart(BEA);
    let portal = world.snapshot(BEA).inlets[0].clone();
    assert_eq!((portal.port, portal.name.as_str(), portal.service_name.as_str()), (5433, "Their orders", "Orders"));
    assert_eq!(world.must_fail(BEA, Request::ChangeInlet { inlet, name: None, port: Some(0) }), Code::Invalid);
}

#[test]
fn a_service_of_the_systems_ports_is_proposed_above_them() {
    let mut world = World::new();
    let request = Request::Share {
        name: "SSH".into(),
        kind: ServiceKind::Tcp,
        target: "22".into(),
        path: None,
        description: None,
    };
    let Answer::Service { service } = world.must(ADA, request) else { panic!() };
    let (_, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    assert_eq!(world.snapshot(BEA).invitations[0].port, 10_022);
}

#[test]
fn a_portal_says_why_it_is_not_up() {
    let (mut world, _, inlet, _) = World::shared();
    world.set_hub(false);
    world.settle();
    assert_eq!(world.why(BEA), Code::HubUnreachable);
    world.set_hub(true);
    world.settle();
    assert!(world.is_up(BEA));
    world.crash(ADA);
    world.settle();
    assert_eq!(world.why(BEA), Code::OwnerOffline);
    assert!(world.people[BEA].notices.iter().any(|it| matches!(it, Notice::PortalDown { .. })));
    world.launch(ADA);
    world.settle();
    assert!(world.is_up(BEA));

    world.event(BEA, Event::InletRefused(inlet, Some(postern_node::portal::EndReason::Refused)));
    assert_eq!(world.why(BEA), Code::ServiceDown);
    // Over a new channel its owner says that it is well; so does a stream that opens again.
    world.event(BEA, Event::InletUp(inlet, PathKind::Hub { address: "hub.example:4000".into() }));
    world.settle();
    assert!(world.is_up(BEA));
    world.event(BEA, Event::InletRefused(inlet, Some(postern_node::portal::EndReason::Refused)));
    assert_eq!(world.why(BEA), Code::ServiceDown);
    world.event(BEA, Event::InletRefused(inlet, None));
    assert!(world.is_up(BEA));

    world.must(BEA, Request::SetInlet { inlet, on: false });
    assert_eq!(world.link(BEA), InletLink::Off);
    assert!(world.people[BEA].inlets.is_empty());
    world.must(BEA, Request::SetInlet { inlet, on: true });
    assert!(world.is_up(BEA));

    world.must(BEA, Request::PauseAll { on: true });
    assert_eq!(world.why(BEA), Code::Paused);
    assert_eq!(world.snapshot(BEA).status, Status::Paused);
    assert!(world.people[BEA].inlets.is_empty());
    assert!(world.people[BEA].hubs.len() == 1, "hubs stay");
    world.must(BEA, Request::PauseAll { on: false });
    assert!(world.is_up(BEA));

    world.event(BEA, Event::InletRoundTrip(inlet, 12));
    world.event(BEA, Event::InletLive(inlet, 3));
    let portal = world.snapshot(BEA).inlets[0].clone();
    assert_eq!(portal.live, 3);
    assert!(matches!(portal.link, InletLink::Up { round_trip_ms: Some(12), .. }));
}

#[test]
fn a_portal_that_flaps_is_told_of_once_a_minute() {
    let (mut world, ..) = World::shared();
    let told = |world: &World| {
        let is_told = |it: &&Notice| matches!(it, Notice::PortalDown { .. } | Notice::PortalUp { .. });
        world.people[BEA].notices.iter().filter(is_told).count()
    };
    let before = told(&world);
    for _ in 0..10 {
        world.set_hub(false);
        world.pass(1_000);
        world.set_hub(true);
        world.pass(1_000);
    }
    assert_eq!(told(&world) - before, 2, "down, and up again");
    assert_eq!(world.people[BEA].notices.iter().filter(|it| matches!(it, Notice::HubLost { .. })).count(), 1);
    assert_eq!(world.people[BEA].notices.iter().filter(|it| matches!(it, Notice::HubBack { .. })).count(), 1);
    world.pass(60_000);
    world.set_hub(false);
    world.pass(1_000);
    assert_eq!(told(&world) - before, 3);
}

#[test]
fn losing_one_hub_of_two_is_no_notice() {
    let mut world = World::new();
    world.must(ADA, Request::AddHub { address: "other.example:1".into() });
    world.event(ADA, Event::HubUp("other.example:1".into(), None));
    world.set_hub(false);
    world.settle();
    assert!(!world.people[ADA].notices.iter().any(|it| matches!(it, Notice::HubLost { .. })));
    assert!(matches!(world.snapshot(ADA).hubs[0].link, LinkState::Down { .. }));
}

#[test]
fn a_portal_that_is_removed_is_given_back_even_if_its_owner_is_away() {
    let (mut world, _, inlet, _) = World::shared();
    world.crash(ADA);
    world.must(BEA, Request::RemoveInlet { inlet });
    assert!(world.snapshot(BEA).inlets.is_empty());
    assert!(world.people[BEA].inlets.is_empty());
    assert_eq!(world.must_fail(BEA, Request::RemoveInlet { inlet }), Code::NotFound);
    world.restart(BEA);
    world.launch(ADA);
    world.pass(70_000);
    assert_eq!(world.snapshot(ADA).services[0].people[0].state, GrantState::GivenBack);
    assert!(world.people[ADA].notices.iter().any(|it| matches!(it, Notice::GaveBack { .. })));
    let state = world.people[BEA].disk.values().filter(|it| matches!(it, crate::core::Record::Inlet(_)));
    assert_eq!(state.count(), 0);
}

#[test]
fn changes_of_a_service_reach_its_friends() {
    let (mut world, service, ..) = World::shared();
    let patch = ServicePatch {
        name: Some("Sales".into()),
        kind: Some(ServiceKind::Https),
        path: Some("/x".into()),
        ..ServicePatch::default()
    };
    world.must(ADA, Request::ChangeService { service, patch });
    let portal = world.snapshot(BEA).inlets[0].clone();
    assert_eq!((portal.name.as_str(), portal.service_name.as_str()), ("Sales", "Sales"));
    assert_eq!(portal.url.as_deref(), Some("https://localhost:5432/x"));
}

#[test]
fn only_the_owner_is_heard_about_a_grant() {
    let (mut world, _, _, grant) = World::shared();
    let cid = world.people[CID].identifier;
    world.event(
        BEA,
        Event::PeerNotification(cid, PeerNotification::Grant { grant, standing: GrantStatus::Inactive(Code::Revoked) }),
    );
    assert!(world.is_up(BEA));
    let refused = |it: &AuditEvent| matches!(it, AuditEvent::Refused { code: Code::NotTrusted, .. });
    assert!(world.people[BEA].deeds.iter().any(refused));
    // Nor is an invitation of somebody who is no contact.
    let (_, _, news) = {
        let notes = world.share(ADA, "Notes");
        let to = InviteTo::Contact { person: world.people[BEA].identifier };
        let valid_for = None;
        world.must(ADA, Request::Invite { service: notes, to, ask_first: false, valid_for, terms: Terms::default() });
        world.old_mail.last().unwrap().clone()
    };
    assert_eq!(world.snapshot(BEA).invitations.len(), 1);
    let PeerNotification::Invitation { ticket, .. } = news.clone() else { panic!() };
    world.event(BEA, Event::PeerNotification(cid, news));
    world.event(BEA, Event::PeerNotification(cid, PeerNotification::Withdrawn { ticket }));
    assert_eq!(world.snapshot(BEA).invitations[0].state, ReceivedState::New);
    assert_eq!(world.snapshot(BEA).invitations[0].owner, world.people[ADA].identifier);
}

#[test]
fn an_owner_cannot_take_over_a_portal_to_somebody_else() {
    let (mut world, _, _, grant) = World::shared();
    let service = world.share(CID, "Trap");
    let (id, link) = world.invite(CID, service);
    world.open(BEA, &link);
    world.request(BEA, Request::Accept { invitation: id, port: None }).unwrap();
    let call = world.last.1.iter().find_map(|it| if let Effect::Call { call, .. } = it { Some(*call) } else { None });
    world.parcels.clear();
    let offer = crate::peer::Offer {
        grant,
        outlet: "outlet".into(),
        service_name: "Trap".into(),
        service_kind: ServiceKind::Tcp,
        path: None,
        description: None,
        port: 1,
        until: None,
    };
    let card = crate::peer::ContactInfo { name: "Cid".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
    world.event(BEA, Event::CallAnswered(call.unwrap(), Ok(crate::peer::PeerResponse::Granted(offer, card))));
    assert_eq!(world.snapshot(BEA).inlets.len(), 1);
    assert_eq!(world.snapshot(BEA).inlets[0].owner, world.people[ADA].identifier);
    assert!(
        matches!(&world.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::NotTrusted)
    );
}

#[test]
fn a_friend_is_told_how_the_service_does_without_trying_it() {
    let (mut world, _, inlet, _) = World::shared();
    world.people[ADA].target_answers = false;
    world.pass(40_000);
    assert_eq!(world.why(BEA), Code::ServiceDown);
    // Whoever was away hears it when they are back, and no mail is sent about it.
    world.restart(BEA);
    assert_eq!(world.why(BEA), Code::ServiceDown);
    let is_health = |(.., news): &(Identifier, Identifier, PeerNotification)| {
        matches!(news, PeerNotification::Grant { standing: GrantStatus::Inactive(Code::ServiceDown), .. })
    };
    assert!(!world.old_mail.iter().any(is_health));
    world.people[ADA].target_answers = true;
    world.pass(10_000);
    assert!(world.is_up(BEA));

    // One who could not use it while its owner saw nothing wrong hears that it is well.
    world.event(BEA, Event::InletRefused(inlet, Some(EndReason::Refused)));
    assert_eq!(world.why(BEA), Code::ServiceDown);
    let ada = world.snapshot(ADA).services[0].id;
    let bea = world.people[BEA].identifier;
    world.event(ADA, Event::StreamRefused(ada, Some(bea), EndReason::Refused));
    world.settle();
    assert!(world.is_up(BEA));
}

#[test]
fn a_moment_of_connecting_is_shown_and_is_no_notice() {
    let (mut world, _, inlet, _) = World::shared();
    let before = world.people[BEA].notices.len();
    world.event(BEA, Event::InletConnecting(inlet));
    assert_eq!(world.link(BEA), InletLink::Connecting);
    world.event(BEA, Event::InletUp(inlet, PathKind::Hub { address: HUB.into() }));
    world.settle();
    assert!(world.is_up(BEA));
    assert_eq!(world.people[BEA].notices.len(), before);
    // It was one that lasted.
    world.event(BEA, Event::InletConnecting(inlet));
    world.event(BEA, Event::InletDown(inlet, Fault::new(Code::OwnerOffline, "Nobody is there.")));
    assert!(matches!(world.people[BEA].notices.last(), Some(Notice::PortalDown { .. })));
}

#[test]
fn what_was_carried_is_counted_on_over_restarts() {
    let (mut world, _, inlet, grant) = World::shared();
    let ever = |world: &World, now| world.people[ADA].state.as_ref().unwrap().carried_by_grant(grant, now);
    let carried = |bytes| Event::TrafficCarried { grants: vec![(grant, bytes)], inlets: Vec::new() };
    world.event(ADA, carried((10, 100)));
    world.event(ADA, carried((15, 150)));
    assert_eq!(ever(&world, (15, 150)), (0, 0), "before the meter began");
    world.restart(ADA);
    assert_eq!(ever(&world, (0, 0)), (15, 150));
    world.event(ADA, carried((1, 1)));
    // The meter begins anew within a run.
    assert_eq!(ever(&world, (0, 0)), (16, 151));
    world.event(ADA, carried((0, 2)));
    world.restart(ADA);
    assert_eq!(ever(&world, (0, 0)), (16, 153));

    world.event(BEA, Event::TrafficCarried { grants: Vec::new(), inlets: vec![(inlet, (3, 4))] });
    world.restart(BEA);
    assert_eq!(world.people[BEA].state.as_ref().unwrap().carried_by_inlet(inlet, (0, 0)), (3, 4));
}

#[test]
fn a_hub_that_becomes_somebody_else_is_pointed_out() {
    let mut world = World::new();
    let [one, two] = [1, 2].map(|byte| Identifier::from_bytes([byte; 32]));
    let codes = |world: &World| world.snapshot(ADA).troubles.iter().map(|it| it.code).collect::<Vec<_>>();
    world.event(ADA, Event::HubUp(HUB.into(), Some(one)));
    world.restart(ADA);
    assert_eq!(codes(&world), []);
    world.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    assert_eq!(codes(&world), [Code::HubChanged]);
    assert_eq!(world.snapshot(ADA).status, Status::Attention);
    world.event(ADA, Event::HubUp(HUB.into(), Some(one)));
    assert_eq!(codes(&world), []);
    world.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    world.must(ADA, Request::AddHub { address: HUB.into() });
    assert_eq!(codes(&world), []);
    world.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    assert_eq!(codes(&world), []);
}

#[test]
fn an_owner_who_leaves_is_not_taken_for_there() {
    let (mut world, _, inlet, _) = World::shared();
    let ada = world.people[ADA].identifier;
    world.event(BEA, Event::PeerNotification(ada, PeerNotification::GoingOffline));
    assert_eq!(world.last.1, [Effect::CloseChannels(ada), Effect::ReopenInlet(inlet)]);
    let cid = world.people[CID].identifier;
    world.event(BEA, Event::PeerNotification(cid, PeerNotification::GoingOffline));
    assert_eq!(world.last.1, [Effect::CloseChannels(cid)], "it is about nobody else's portals");
}
