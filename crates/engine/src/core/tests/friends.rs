//! What a friend does: previews, opens, accepts, declines, uses, gives back.

use super::simulation::{ADA, BEA, CID, HUB, Simulation, refused};
use crate::api::*;
use crate::core::limits::{DAY, MAX_VALID_FOR};
use crate::core::{Effect, Event, RecordKey};
use crate::peer::ticket::Ticket;
use crate::peer::{GrantStatus, PeerAddress, PeerNotification, PeerRequest};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

fn preview(sim: &Simulation, who: usize, link: &Secret) -> InvitationPreview {
    sim.preview(who, link).unwrap()
}

#[test]
fn a_link_is_previewed_without_anybody_hearing_of_it() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    let seen = preview(&sim, BEA, &link);
    assert_eq!((seen.invitation, seen.owner_name.as_str(), seen.service_name.as_str()), (id, "Ada", "Orders"));
    assert_eq!((seen.port, seen.kind, seen.owner_known, seen.fault), (5432, ServiceKind::Http, false, None));
    assert!(sim.snapshot(BEA).invitations.is_empty());
    assert_eq!(sim.snapshot(ADA).services[0].invitations[0].state, SentState::Created);
    // It works before anybody has set up, too.
    let stranger = Simulation::empty(5);
    assert_eq!(preview(&stranger, CID, &link).words, None);
}

#[test]
fn links_that_lead_nowhere_say_why() {
    let (mut sim, service, ..) = Simulation::shared();
    let (_, link) = sim.invite(ADA, service);
    assert_eq!(preview(&sim, ADA, &link).fault.unwrap().code, Code::OwnInvitation);
    assert_eq!(sim.open(ADA, &link).fault.unwrap().code, Code::OwnInvitation);
    assert!(sim.snapshot(ADA).invitations.is_empty());
    let bad = CoreRequest::Open { link: Secret::new("postern://join/nonsense") };
    assert_eq!(sim.must_fail(BEA, bad), Code::BadTicket);
    let link = Secret::new(&link.reveal()[..50]);
    assert_eq!(sim.preview(BEA, &link).unwrap_err().code, Code::BadTicket);
    assert_eq!(
        sim.must_fail(BEA, CoreRequest::Accept { invitation: InvitationId([1; 16]), port: None }),
        Code::NotFound
    );
}

#[test]
fn a_link_that_was_accepted_says_that_one_is_in() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.open(BEA, &link);
    assert_eq!(sim.snapshot(BEA).invitations.len(), 1);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert_eq!(preview(&sim, BEA, &link).fault.unwrap().code, Code::AlreadyIn);
    assert_eq!(sim.open(BEA, &link).fault.unwrap().code, Code::AlreadyIn);
    assert_eq!(sim.must_fail(BEA, CoreRequest::Accept { invitation: id, port: None }), Code::AlreadyIn);
    assert!(sim.snapshot(BEA).invitations.is_empty());
}

#[test]
fn accepting_waits_for_an_owner_who_is_away() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.crash(ADA);
    sim.open(BEA, &link);
    assert_eq!(sim.must(BEA, CoreRequest::Accept { invitation: id, port: Some(7000) }), Answer::Done);
    let ReceivedState::Accepting { fault: Some(fault) } = sim.snapshot(BEA).invitations[0].state.clone() else {
        panic!()
    };
    assert_eq!(fault.code, Code::OwnerOffline);
    // It asks ever more seldom, and survives a restart.
    let before = sim.transitions;
    sim.advance(600_000);
    assert!((20..80).contains(&(sim.transitions - before)), "{} events", sim.transitions - before);
    sim.restart(BEA);
    assert!(matches!(sim.snapshot(BEA).invitations[0].state, ReceivedState::Accepting { .. }));
    sim.launch(ADA);
    sim.advance(70_000);
    assert!(sim.is_up(BEA));
    assert_eq!(sim.snapshot(BEA).inlets[0].port, 7000);
}

#[test]
fn what_waits_is_tried_at_once_after_a_wake_or_when_the_hub_is_back() {
    for wake in [true, false] {
        let mut sim = Simulation::new();
        let service = sim.share(ADA, "Orders");
        let (id, link) = sim.invite(ADA, service);
        sim.open(BEA, &link);
        sim.set_hub(false);
        sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
        sim.advance(300_000);
        let ReceivedState::Accepting { fault: Some(fault) } = sim.snapshot(BEA).invitations[0].state.clone() else {
            panic!()
        };
        assert_eq!(fault.code, Code::HubUnreachable);
        if wake {
            sim.hub_is_up = true;
            sim.event(BEA, Event::Resumed);
            assert!(sim.last.1.contains(&Effect::RetryNow));
        } else {
            sim.set_hub(true);
        }
        sim.run_until_idle();
        assert_eq!(sim.snapshot(BEA).inlets.len(), 1);
    }
}

#[test]
fn declining_tells_the_owner_once_through_ones_own_hub() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Decline { invitation: id });
    assert!(sim.snapshot(BEA).invitations.is_empty());
    assert_eq!(sim.snapshot(ADA).services[0].invitations[0].state, SentState::Declined);
    assert!(sim.people[ADA].notices.iter().any(|it| matches!(it, Notice::Declined { .. })));
    assert_eq!(sim.open(BEA, &link).fault.unwrap().code, Code::Denied);
    // Sent again, it is good again.
    sim.advance(1_000);
    sim.must(ADA, CoreRequest::Resend { invitation: id });
    let Answer::Invitation { link: Some(link), .. } = sim.must(ADA, CoreRequest::InvitationLink { invitation: id })
    else {
        panic!()
    };
    assert_eq!(sim.open(BEA, &link).fault, None);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert!(sim.is_up(BEA));
}

#[test]
fn an_owner_who_is_away_is_not_told_again_that_one_declined() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.crash(ADA);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Decline { invitation: id });
    let before = sim.transitions;
    sim.advance(600_000);
    sim.restart(BEA);
    sim.launch(ADA);
    sim.advance(70_000);
    assert!(sim.transitions - before < 30, "{} events", sim.transitions - before);
    assert_eq!(sim.snapshot(ADA).services[0].invitations[0].state, SentState::Created);
    assert_eq!(sim.open(BEA, &link).fault.unwrap().code, Code::Denied);
}

/// A link of somebody whose computer and hubs are these.
fn hostile_link(number: u64, reach: Vec<PeerAddress>) -> Secret {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let ticket = Ticket {
        id: InvitationId(id),
        secret: [7; 32],
        owner: Identifier::from_bytes([0x66; 32]),
        owner_name: "Eve".into(),
        reach,
        service_name: "wiki".into(),
        service_kind: ServiceKind::Http,
        port: 80,
        expires: UnixMillis(u64::MAX / 4),
    };
    ticket.encode()
}

/// Whether an effect sends something, or connects to something.
fn sends(effect: &Effect) -> bool {
    !matches!(effect, Effect::Save(_) | Effect::Audit(_) | Effect::Answer(..) | Effect::Notify(_))
}

/// Opens and previews links with addresses of every kind, and answers them with `answer`; the effects that send something.
fn effects_of_hostile_links(links: u64, answer: impl Fn(InvitationId) -> CoreRequest) -> (Vec<Effect>, Vec<Effect>) {
    let hostile = ["127.0.0.1:22", "[::1]:631", "169.254.169.254:80", "0.0.0.0:1", "10.0.0.1:80", "evil.example:443"];
    let mut sim = Simulation::new();
    let (mut opening, mut answering) = (Vec::new(), Vec::new());
    for number in 0..links {
        let address = hostile[number as usize % hostile.len()].to_owned();
        let relay = "relay".to_owned();
        let reach = vec![PeerAddress::Direct { address: address.clone() }, PeerAddress::Hub { address, relay }];
        let link = hostile_link(number, reach);
        sim.preview(BEA, &link).unwrap();
        let Ok(Answer::Preview { preview }) = sim.request(BEA, CoreRequest::Open { link }) else { panic!("{number}") };
        opening.extend(sim.last.1.clone());
        // Time passes, and everything that could be retried is.
        sim.event(BEA, Event::Resumed);
        opening.extend(sim.last.1.iter().filter(|it| **it != Effect::RetryNow).cloned());
        sim.request(BEA, answer(preview.invitation)).unwrap();
        answering.extend(sim.last.1.clone());
    }
    let sent = |effects: Vec<Effect>| effects.into_iter().filter(sends).collect();
    (sent(opening), sent(answering))
}

#[test]
fn opening_previewing_and_declining_a_link_send_nothing_to_it() {
    let (opening, declining) = effects_of_hostile_links(1_000, |invitation| CoreRequest::Decline { invitation });
    assert_eq!(opening, []);
    assert_eq!(declining, []);
    // The same detector sees what accepting does.
    let (_, accepting) = effects_of_hostile_links(10, |invitation| CoreRequest::Accept { invitation, port: None });
    assert!(accepting.iter().any(|it| matches!(it, Effect::Call { .. })));
}

#[test]
fn declining_uses_no_address_of_a_link_but_ones_own_hub() {
    let mut sim = Simulation::new();
    let hub = |address: &str| PeerAddress::Hub { address: address.into(), relay: "relay".into() };
    let direct = PeerAddress::Direct { address: "203.0.113.9:1".into() };
    let link = hostile_link(1, vec![direct, hub("evil.example:4000"), hub(HUB)]);
    let preview = sim.open(BEA, &link);
    sim.request(BEA, CoreRequest::Decline { invitation: preview.invitation }).unwrap();
    let calls: Vec<_> = sim.last.1.iter().filter(|it| sends(it)).collect();
    let [Effect::Call { reach, message: PeerRequest::Decline { .. }, .. }] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(*reach, [hub(HUB)]);
}

#[test]
fn an_invitation_lasts_no_longer_here_than_it_may() {
    let mut sim = Simulation::new();
    let link = hostile_link(1, vec![PeerAddress::Hub { address: HUB.into(), relay: "relay".into() }]);
    let latest = sim.now(BEA).wall.plus(MAX_VALID_FOR);
    assert_eq!(sim.preview(BEA, &link).unwrap().expires, latest);
    let preview = sim.open(BEA, &link);
    assert_eq!(preview.expires, latest);
    sim.must(BEA, CoreRequest::Decline { invitation: preview.invitation });
    // The note of it ends, too, and opened again later it counts as the same.
    sim.advance(1_000);
    assert_eq!(sim.open(BEA, &link).fault.unwrap().code, Code::Denied);
    sim.wall_ahead += i64::try_from(MAX_VALID_FOR + 2 * DAY).unwrap();
    sim.advance(1_000);
    assert!(sim.people[BEA].disk.keys().all(|it| !matches!(it, RecordKey::Received(_))));
}

#[test]
fn a_portal_keeps_its_port_and_says_who_took_it() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    sim.people[BEA].taken_ports.insert(5432);
    sim.restart(BEA);
    let InletLink::Down { fault, .. } = sim.link(BEA) else { panic!() };
    assert_eq!(fault.code, Code::PortTaken);
    assert_eq!(fault.message, "Port 5432 is used by postgres.");
    sim.must(BEA, CoreRequest::ChangeInlet { inlet, name: Some("Their orders".into()), port: Some(5433) });
    assert!(sim.is_up(BEA));
    sim.restart(BEA);
    let portal = sim.snapshot(BEA).inlets[0].clone();
    assert_eq!((portal.port, portal.name.as_str(), portal.service_name.as_str()), (5433, "Their orders", "Orders"));
    assert_eq!(sim.must_fail(BEA, CoreRequest::ChangeInlet { inlet, name: None, port: Some(0) }), Code::Invalid);
}

#[test]
fn a_service_of_the_systems_ports_is_proposed_above_them() {
    let mut sim = Simulation::new();
    let request = CoreRequest::Share {
        name: "SSH".into(),
        kind: ServiceKind::Tcp,
        target: "22".into(),
        path: None,
        description: None,
    };
    let Answer::Service { service } = sim.must(ADA, request) else { panic!() };
    let (_, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    assert_eq!(sim.snapshot(BEA).invitations[0].port, 10_022);
}

#[test]
fn a_portal_says_why_it_is_not_up() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    sim.set_hub(false);
    sim.run_until_idle();
    assert_eq!(sim.why(BEA), Code::HubUnreachable);
    sim.set_hub(true);
    sim.run_until_idle();
    assert!(sim.is_up(BEA));
    sim.crash(ADA);
    sim.run_until_idle();
    assert_eq!(sim.why(BEA), Code::OwnerOffline);
    assert!(sim.people[BEA].notices.iter().any(|it| matches!(it, Notice::PortalDown { .. })));
    sim.launch(ADA);
    sim.run_until_idle();
    assert!(sim.is_up(BEA));

    sim.event(BEA, Event::InletRefused(inlet, Some(postern_node::portal::EndReason::Refused)));
    assert_eq!(sim.why(BEA), Code::ServiceDown);
    // Over a new channel its owner says that it is well; so does a stream that opens again.
    sim.event(BEA, Event::InletUp(inlet, PathKind::Hub { address: "hub.example:4000".into() }));
    sim.run_until_idle();
    assert!(sim.is_up(BEA));
    sim.event(BEA, Event::InletRefused(inlet, Some(postern_node::portal::EndReason::Refused)));
    assert_eq!(sim.why(BEA), Code::ServiceDown);
    sim.event(BEA, Event::InletRefused(inlet, None));
    assert!(sim.is_up(BEA));

    sim.must(BEA, CoreRequest::SetInlet { inlet, on: false });
    assert_eq!(sim.link(BEA), InletLink::Off);
    assert!(sim.people[BEA].inlets.is_empty());
    sim.must(BEA, CoreRequest::SetInlet { inlet, on: true });
    assert!(sim.is_up(BEA));

    sim.must(BEA, CoreRequest::PauseAll { on: true });
    assert_eq!(sim.why(BEA), Code::Paused);
    assert_eq!(sim.snapshot(BEA).status, Status::Paused);
    assert!(sim.people[BEA].inlets.is_empty());
    assert!(sim.people[BEA].hubs.len() == 1, "hubs stay");
    sim.must(BEA, CoreRequest::PauseAll { on: false });
    assert!(sim.is_up(BEA));

    sim.event(BEA, Event::InletRoundTrip(inlet, 12));
    sim.event(BEA, Event::InletLive(inlet, 3));
    let portal = sim.snapshot(BEA).inlets[0].clone();
    assert_eq!(portal.live, 3);
    assert!(matches!(portal.link, InletLink::Up { round_trip_ms: Some(12), .. }));
}

#[test]
fn a_portal_that_flaps_is_told_of_once_a_minute() {
    let (mut sim, ..) = Simulation::shared();
    let totals = |sim: &Simulation| {
        let is_told = |it: &&Notice| matches!(it, Notice::PortalDown { .. } | Notice::PortalUp { .. });
        sim.people[BEA].notices.iter().filter(is_told).count()
    };
    let before = totals(&sim);
    for _ in 0..10 {
        sim.set_hub(false);
        sim.advance(1_000);
        sim.set_hub(true);
        sim.advance(1_000);
    }
    assert_eq!(totals(&sim) - before, 2, "down, and up again");
    assert_eq!(sim.people[BEA].notices.iter().filter(|it| matches!(it, Notice::HubLost { .. })).count(), 1);
    assert_eq!(sim.people[BEA].notices.iter().filter(|it| matches!(it, Notice::HubBack { .. })).count(), 1);
    sim.advance(60_000);
    sim.set_hub(false);
    sim.advance(1_000);
    assert_eq!(totals(&sim) - before, 3);
}

#[test]
fn losing_one_hub_of_two_is_no_notice() {
    let mut sim = Simulation::new();
    sim.must(ADA, CoreRequest::AddHub { address: "other.example:1".into() });
    sim.event(ADA, Event::HubUp("other.example:1".into(), None));
    sim.set_hub(false);
    sim.run_until_idle();
    assert!(!sim.people[ADA].notices.iter().any(|it| matches!(it, Notice::HubLost { .. })));
    assert!(matches!(sim.snapshot(ADA).hubs[0].link, LinkState::Down { .. }));
}

#[test]
fn a_portal_that_is_removed_is_given_back_even_if_its_owner_is_away() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    sim.crash(ADA);
    sim.must(BEA, CoreRequest::RemoveInlet { inlet });
    assert!(sim.snapshot(BEA).inlets.is_empty());
    assert!(sim.people[BEA].inlets.is_empty());
    assert_eq!(sim.must_fail(BEA, CoreRequest::RemoveInlet { inlet }), Code::NotFound);
    sim.restart(BEA);
    sim.launch(ADA);
    sim.advance(70_000);
    assert_eq!(sim.snapshot(ADA).services[0].people[0].state, GrantState::GivenBack);
    assert!(sim.people[ADA].notices.iter().any(|it| matches!(it, Notice::GaveBack { .. })));
    let state = sim.people[BEA].disk.values().filter(|it| matches!(it, crate::core::Record::Inlet(_)));
    assert_eq!(state.count(), 0);
}

#[test]
fn changes_of_a_service_reach_its_friends() {
    let (mut sim, service, ..) = Simulation::shared();
    let patch = ServicePatch {
        name: Some("Sales".into()),
        kind: Some(ServiceKind::Https),
        path: Some("/x".into()),
        ..ServicePatch::default()
    };
    sim.must(ADA, CoreRequest::ChangeService { service, patch });
    let portal = sim.snapshot(BEA).inlets[0].clone();
    assert_eq!((portal.name.as_str(), portal.service_name.as_str()), ("Sales", "Sales"));
    assert_eq!(portal.url.as_deref(), Some("https://orders.ada.localhost:5432/x"));
}

#[test]
fn only_the_owner_is_heard_about_a_grant() {
    let (mut sim, _, _, grant) = Simulation::shared();
    let cid = sim.people[CID].identifier;
    sim.event(
        BEA,
        Event::PeerNotification(cid, PeerNotification::Grant { grant, status: GrantStatus::Inactive(Code::Revoked) }),
    );
    assert!(sim.is_up(BEA));
    let refused = |it: &AuditEvent| matches!(it, AuditEvent::Refused { code: Code::NotTrusted, .. });
    assert!(sim.people[BEA].audit.iter().any(refused));
    // Nor is an invitation of somebody who is no contact.
    let (_, _, news) = {
        let notes = sim.share(ADA, "Notes");
        let to = InviteTo::Contact { person: sim.people[BEA].identifier };
        let valid_for = None;
        sim.must(ADA, CoreRequest::Invite { service: notes, to, ask_first: false, valid_for, terms: Terms::default() });
        sim.old_mail.last().unwrap().clone()
    };
    assert_eq!(sim.snapshot(BEA).invitations.len(), 1);
    let PeerNotification::Invitation { ticket, .. } = news.clone() else { panic!() };
    sim.event(BEA, Event::PeerNotification(cid, news));
    sim.event(BEA, Event::PeerNotification(cid, PeerNotification::Withdrawn { ticket }));
    assert_eq!(sim.snapshot(BEA).invitations[0].state, ReceivedState::New);
    assert_eq!(sim.snapshot(BEA).invitations[0].owner, sim.people[ADA].identifier);
}

#[test]
fn an_owner_cannot_take_over_a_portal_to_somebody_else() {
    let (mut sim, _, _, grant) = Simulation::shared();
    let service = sim.share(CID, "Trap");
    let (id, link) = sim.invite(CID, service);
    sim.open(BEA, &link);
    sim.request(BEA, CoreRequest::Accept { invitation: id, port: None }).unwrap();
    let call = sim.last.1.iter().find_map(|it| if let Effect::Call { call, .. } = it { Some(*call) } else { None });
    sim.in_flight.clear();
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
    let contact =
        crate::peer::ContactInfo { name: "Cid".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
    sim.event(BEA, Event::CallAnswered(call.unwrap(), Ok(crate::peer::PeerResponse::Granted(offer, contact))));
    assert_eq!(sim.snapshot(BEA).inlets.len(), 1);
    assert_eq!(sim.snapshot(BEA).inlets[0].owner, sim.people[ADA].identifier);
    assert!(
        matches!(&sim.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::NotTrusted)
    );
}

#[test]
fn a_friend_is_told_how_the_service_does_without_trying_it() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    sim.people[ADA].target_answers = false;
    sim.advance(40_000);
    assert_eq!(sim.why(BEA), Code::ServiceDown);
    // Whoever was away hears it when they are back, and no mail is sent about it.
    sim.restart(BEA);
    assert_eq!(sim.why(BEA), Code::ServiceDown);
    let is_health = |(.., news): &(Identifier, Identifier, PeerNotification)| {
        matches!(news, PeerNotification::Grant { status: GrantStatus::Inactive(Code::ServiceDown), .. })
    };
    assert!(!sim.old_mail.iter().any(is_health));
    sim.people[ADA].target_answers = true;
    sim.advance(10_000);
    assert!(sim.is_up(BEA));

    // One who could not use it while its owner saw nothing wrong hears that it is well.
    sim.event(BEA, Event::InletRefused(inlet, Some(EndReason::Refused)));
    assert_eq!(sim.why(BEA), Code::ServiceDown);
    let ada = sim.snapshot(ADA).services[0].id;
    let bea = sim.people[BEA].identifier;
    sim.event(ADA, refused(ada, Some(bea), EndReason::Refused));
    sim.run_until_idle();
    assert!(sim.is_up(BEA));
}

#[test]
fn a_moment_of_connecting_is_shown_and_is_no_notice() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    let before = sim.people[BEA].notices.len();
    sim.event(BEA, Event::InletConnecting(inlet));
    assert_eq!(sim.link(BEA), InletLink::Connecting);
    sim.event(BEA, Event::InletUp(inlet, PathKind::Hub { address: HUB.into() }));
    sim.run_until_idle();
    assert!(sim.is_up(BEA));
    assert_eq!(sim.people[BEA].notices.len(), before);
    // It was one that lasted.
    sim.event(BEA, Event::InletConnecting(inlet));
    sim.event(BEA, Event::InletDown(inlet, Fault::new(Code::OwnerOffline, "Nobody is there.")));
    assert!(matches!(sim.people[BEA].notices.last(), Some(Notice::PortalDown { .. })));
}

#[test]
fn what_was_carried_is_counted_on_over_restarts() {
    let (mut sim, _, inlet, grant) = Simulation::shared();
    let ever = |sim: &Simulation, now| sim.people[ADA].state.as_ref().unwrap().carried_by_grant(grant, now);
    let carried = |bytes| Event::TrafficCarried { grants: vec![(grant, bytes)], inlets: Vec::new() };
    sim.event(ADA, carried((10, 100)));
    sim.event(ADA, carried((15, 150)));
    assert_eq!(ever(&sim, (15, 150)), (0, 0), "before the meter began");
    sim.restart(ADA);
    assert_eq!(ever(&sim, (0, 0)), (15, 150));
    sim.event(ADA, carried((1, 1)));
    // The meter begins anew within a run.
    assert_eq!(ever(&sim, (0, 0)), (16, 151));
    sim.event(ADA, carried((0, 2)));
    sim.restart(ADA);
    assert_eq!(ever(&sim, (0, 0)), (16, 153));

    sim.event(BEA, Event::TrafficCarried { grants: Vec::new(), inlets: vec![(inlet, (3, 4))] });
    sim.restart(BEA);
    assert_eq!(sim.people[BEA].state.as_ref().unwrap().carried_by_inlet(inlet, (0, 0)), (3, 4));
}

#[test]
fn a_hub_that_becomes_somebody_else_is_pointed_out() {
    let mut sim = Simulation::new();
    let [one, two] = [1, 2].map(|byte| Identifier::from_bytes([byte; 32]));
    let codes = |sim: &Simulation| sim.snapshot(ADA).troubles.iter().map(|it| it.code).collect::<Vec<_>>();
    sim.event(ADA, Event::HubUp(HUB.into(), Some(one)));
    sim.restart(ADA);
    assert_eq!(codes(&sim), []);
    sim.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    assert_eq!(codes(&sim), [Code::HubChanged]);
    assert_eq!(sim.snapshot(ADA).status, Status::Attention);
    sim.event(ADA, Event::HubUp(HUB.into(), Some(one)));
    assert_eq!(codes(&sim), []);
    sim.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    sim.must(ADA, CoreRequest::AddHub { address: HUB.into() });
    assert_eq!(codes(&sim), []);
    sim.event(ADA, Event::HubUp(HUB.into(), Some(two)));
    assert_eq!(codes(&sim), []);
}

#[test]
fn an_owner_who_leaves_is_not_taken_for_there() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    let ada = sim.people[ADA].identifier;
    sim.event(BEA, Event::PeerNotification(ada, PeerNotification::GoingOffline));
    assert_eq!(sim.last.1, [Effect::CloseChannels(ada), Effect::ReopenInlet(inlet)]);
    let cid = sim.people[CID].identifier;
    sim.event(BEA, Event::PeerNotification(cid, PeerNotification::GoingOffline));
    assert_eq!(sim.last.1, [Effect::CloseChannels(cid)], "it is about nobody else's portals");
}
