//! What an owner does: shares, invites, pauses, revokes, closes.

use super::simulation::{ADA, BEA, CID, HUB, START, Simulation, invitation, refused};
use crate::api::*;
use crate::core::{CallId, Effect, Event, HealthSource, OwnIdentity};
use crate::peer::{PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

fn share(name: &str, target: &str) -> CoreRequest {
    CoreRequest::Share {
        name: name.into(),
        kind: ServiceKind::Tcp,
        target: target.into(),
        path: None,
        description: None,
    }
}

fn patch(service: ServiceId, patch: ServicePatch) -> CoreRequest {
    CoreRequest::ChangeService { service, patch }
}

#[test]
fn nothing_is_done_before_somebody_is_set_up() {
    let mut sim = Simulation::empty(1);
    assert_eq!(sim.must_fail(ADA, share("Orders", "5432")), Code::NotSetUp);
    assert_eq!(sim.snapshot(ADA).me, None);
    sim.set_up(ADA);
    let snapshot = sim.snapshot(ADA);
    assert_eq!(snapshot.me.unwrap().name, "Ada");
    assert_eq!(snapshot.hubs[0].link, LinkState::Up);
    assert_eq!(snapshot.status, Status::Idle);
    let again = CoreRequest::SetUp { name: "Eve".into(), hubs: Vec::new(), this_computer: false };
    assert_eq!(sim.must_fail(ADA, again), Code::AlreadySetUp);
}

#[test]
fn setting_up_is_answered_when_the_key_is_there_or_is_not() {
    let mut sim = Simulation::empty(1);
    let set_up = CoreRequest::SetUp { name: "Ada".into(), hubs: Vec::new(), this_computer: true };
    let first = sim.ask(ADA, set_up.clone());
    let second = sim.ask(ADA, set_up.clone());
    assert_eq!(sim.people[ADA].answers[&second].as_ref().unwrap_err().code, Code::AlreadySetUp);
    sim.event(ADA, Event::Identity(Err(Fault::new(Code::KeychainLocked, "The keychain is locked."))));
    assert_eq!(sim.people[ADA].answers[&first].as_ref().unwrap_err().code, Code::KeychainLocked);
    assert!(sim.people[ADA].disk.is_empty());
    let third = sim.ask(ADA, set_up);
    sim.run_until_idle();
    assert_eq!(sim.people[ADA].answers[&third], Ok(Answer::Done));
    assert_eq!(sim.snapshot(ADA).this_computer.addresses, ["10.0.0.1:4000"]);
}

#[test]
fn a_lost_or_foreign_key_makes_no_new_person() {
    let (mut sim, ..) = Simulation::shared();
    sim.crash(ADA);
    sim.launch(ADA);
    sim.in_flight.clear();
    assert!(sim.last.1.contains(&Effect::LoadIdentity), "{:?}", sim.last.1);
    let identifier = Identifier::from_bytes([77; 32]);
    let other = OwnIdentity { identifier, latest_change: [77; 32], postal: Vec::new(), secrets: Vec::new() };
    sim.event(ADA, Event::Identity(Ok(other)));
    let snapshot = sim.snapshot(ADA);
    assert_eq!(snapshot.troubles[0].code, Code::NotTrusted);
    assert_eq!(snapshot.status, Status::Attention);
    assert_eq!(snapshot.services.len(), 1);
    assert!(sim.people[ADA].outlets.is_empty());

    sim.must(ADA, CoreRequest::Retry);
    assert_eq!(sim.snapshot(ADA).troubles, []);
    assert_eq!(sim.people[ADA].outlets.len(), 1);
}

#[test]
fn services_have_names_of_their_own_and_targets_that_can_be() {
    let mut sim = Simulation::new();
    sim.share(ADA, "Orders");
    assert_eq!(sim.must_fail(ADA, share("ORDERS", "1")), Code::NameTaken);
    assert_eq!(sim.must_fail(ADA, share(" ", "1")), Code::Invalid);
    assert_eq!(sim.must_fail(ADA, share("Or\u{202e}ders", "1")), Code::Invalid);
    assert_eq!(sim.must_fail(ADA, share("Other", "nowhere")), Code::Invalid);
    let Answer::Service { service } = sim.must(ADA, share("Other", "nas:80")) else { panic!() };
    let name = |name: &str| ServicePatch { name: Some(name.into()), ..ServicePatch::default() };
    assert_eq!(sim.must_fail(ADA, patch(service, name("orders"))), Code::NameTaken);
    sim.must(ADA, patch(service, name("other")));
    let target = ServicePatch { target: Some("81".into()), path: Some("lab".into()), ..ServicePatch::default() };
    sim.must(ADA, patch(service, target));
    let snapshot = sim.snapshot(ADA);
    assert_eq!(snapshot.services[1].target, "localhost:81");
    assert_eq!(snapshot.services[1].path.as_deref(), Some("/lab"));
    assert_eq!(sim.must_fail(ADA, patch(ServiceId([9; 16]), name("x"))), Code::NotFound);
}

#[test]
fn a_service_that_trusts_its_machine_carries_a_warning() {
    let mut sim = Simulation::new();
    sim.must(ADA, share("Cache", "6379"));
    sim.must(ADA, share("Site", "nas:80"));
    let snapshot = sim.snapshot(ADA);
    assert!(snapshot.services[0].warning.as_ref().is_some_and(|text| text.contains("Redis")));
    assert_eq!(snapshot.services[1].warning, None);
}

#[test]
fn a_target_is_looked_at_again_and_again() {
    let mut sim = Simulation::new();
    sim.people[ADA].target_answers = false;
    let service = sim.share(ADA, "Orders");
    let Health::Down { fault, since } = sim.snapshot(ADA).services[0].health.clone() else { panic!() };
    assert_eq!((fault.code, since), (Code::ServiceDown, UnixMillis(START)));
    sim.people[ADA].target_answers = true;
    sim.advance(7_000);
    assert_eq!(sim.snapshot(ADA).services[0].health, Health::Up);

    // Down again is found out within half a minute, or at once when a stream could not be made.
    sim.people[ADA].target_answers = false;
    sim.event(ADA, refused(service, None, EndReason::Refused));
    sim.run_until_idle();
    assert!(matches!(sim.snapshot(ADA).services[0].health, Health::Down { .. }));
    sim.people[ADA].target_answers = true;
    sim.advance(7_000);
    sim.people[ADA].target_answers = false;
    sim.advance(40_000);
    assert!(matches!(sim.snapshot(ADA).services[0].health, Health::Down { .. }));

    // What was found about an older target does not count.
    sim.people[ADA].target_answers = true;
    sim.event(ADA, Event::Health(service, Ok(HealthSource::ListeningTable)));
    sim.event(ADA, Event::Resumed);
    sim.ask(ADA, patch(service, ServicePatch { target: Some("99".into()), ..ServicePatch::default() }));
    sim.event(ADA, Event::Health(service, Err(Fault::new(Code::ServiceDown, "The old one."))));
    assert_eq!(sim.snapshot(ADA).services[0].health, Health::Unknown);
    sim.run_until_idle();
    assert_eq!(sim.snapshot(ADA).services[0].health, Health::Up);
}

#[test]
fn a_target_that_was_connected_to_is_not_connected_to_again_without_a_reason() {
    let mut sim = Simulation::new();
    sim.people[ADA].health_source = HealthSource::Connection;
    let service = sim.share(ADA, "Orders");
    assert_eq!((sim.snapshot(ADA).services[0].health.clone(), sim.people[ADA].checks), (Health::Up, 1));
    sim.advance(600_000);
    sim.event(ADA, Event::Resumed);
    sim.run_until_idle();
    assert_eq!(sim.people[ADA].checks, 1, "many services count a connection that says nothing as a failed client");

    // A stream that could not be made is a reason, and so is a target that is down.
    sim.people[ADA].target_answers = false;
    sim.event(ADA, refused(service, None, EndReason::Refused));
    sim.run_until_idle();
    assert_eq!(sim.people[ADA].checks, 2);
    assert!(matches!(sim.snapshot(ADA).services[0].health, Health::Down { .. }));
    sim.people[ADA].target_answers = true;
    sim.advance(7_000);
    assert_eq!((sim.snapshot(ADA).services[0].health.clone(), sim.people[ADA].checks), (Health::Up, 3));
}

#[test]
fn a_service_whose_owner_wants_no_checks_is_not_checked() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let check = |on| ServicePatch { health_check: Some(on), ..ServicePatch::default() };
    sim.ask(ADA, patch(service, check(false)));
    sim.people[ADA].checks = 0;
    sim.event(ADA, refused(service, None, EndReason::Refused));
    sim.advance(600_000);
    assert_eq!((sim.snapshot(ADA).services[0].health.clone(), sim.people[ADA].checks), (Health::Unknown, 0));
    sim.ask(ADA, patch(service, check(true)));
    sim.run_until_idle();
    assert_eq!(sim.snapshot(ADA).services[0].health, Health::Up);
}

#[test]
fn a_friend_joins_by_a_link() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    let (ada, bea) = (sim.snapshot(ADA), sim.snapshot(BEA));
    let person = &ada.services[0].people[0];
    assert_eq!((person.name.as_str(), person.state), ("Bea", GrantState::Active));
    assert!(ada.services[0].invitations.is_empty());
    assert_eq!(ada.me.unwrap().words.as_ref(), Some(&bea.contacts[0].words));
    let portal = &bea.inlets[0];
    assert_eq!((portal.name.as_str(), portal.owner_name.as_str(), portal.port), ("Orders", "Ada", 5432));
    assert_eq!(portal.url.as_deref(), Some("http://orders.ada.localhost:5432/"));
    assert!(sim.is_up(BEA));
    assert!(bea.invitations.is_empty());
    assert_eq!(sim.connect(BEA, inlet), Ok(grant));
    sim.run_until_idle();
    assert_eq!(sim.snapshot(ADA).services[0].live, 1);
    assert_eq!(sim.snapshot(ADA).status, Status::Live);
    let ended = Event::StreamEnded { grant, up_bytes: 5, down_bytes: 7, lasted_ms: 9, reason: None };
    sim.event(ADA, ended);
    let person = sim.snapshot(ADA).services[0].people[0].clone();
    assert_eq!((person.live, person.last_used), (0, Some(UnixMillis(START + 1))));
    assert!(
        sim.people[ADA].audit.iter().any(|it| matches!(it, AuditEvent::Connection { up_bytes: 5, down_bytes: 7, .. }))
    );
    assert!(
        sim.people[ADA].notices.iter().any(|it| matches!(it, Notice::Joined { service: at, .. } if *at == service))
    );
    assert!(sim.people[BEA].notices.iter().any(|it| matches!(it, Notice::PortalUp { .. })));
}

#[test]
fn two_people_race_for_one_ticket_and_one_wins() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    for who in [BEA, CID] {
        sim.request(who, CoreRequest::Open { link: link.clone() }).unwrap();
        sim.request(who, CoreRequest::Accept { invitation: id, port: None }).unwrap();
    }
    sim.run_until_idle();
    assert_eq!(sim.snapshot(ADA).services[0].people.len(), 1);
    assert!(sim.is_up(BEA));
    let ReceivedState::Over { fault } = sim.snapshot(CID).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::TicketUsed);
    let refused = |it: &AuditEvent| matches!(it, AuditEvent::Refused { code: Code::TicketUsed, .. });
    assert!(sim.people[ADA].audit.iter().any(refused));
    // Put away, it is gone.
    sim.must(CID, CoreRequest::Decline { invitation: id });
    assert!(sim.snapshot(CID).invitations.is_empty());
}

#[test]
fn redeeming_again_gives_the_same_grant() {
    let (mut sim, .., grant) = Simulation::shared();
    let (id, secret) = sim.people[ADA].disk.values().find_map(ticket).unwrap();
    let contact =
        crate::peer::ContactInfo { name: "Bea".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
    let ask = |who: usize, secret: [u8; 32]| {
        let message = PeerRequest::Redeem { ticket: id, secret, contact: contact.clone() };
        (Identifier::from_bytes([who as u8 + 1; 32]), message)
    };
    let mut answer = |(person, message): (Identifier, PeerRequest)| {
        let state = sim.people[ADA].state.as_mut().unwrap();
        let now = crate::core::Now { wall: UnixMillis(START), ticks: 0 };
        let effects = crate::core::handle(state, Event::PeerRequest(CallId(99), person, message), now, [7; 32]);
        let replies: Vec<_> = effects
            .into_iter()
            .filter_map(|it| if let Effect::Reply(CallId(99), answer) = it { Some(answer) } else { None })
            .collect();
        assert_eq!(replies.len(), 1);
        replies[0].clone()
    };
    let PeerResponse::Granted(offer, _) = answer(ask(BEA, secret)) else { panic!() };
    assert_eq!(offer.grant, grant);
    assert_eq!(answer(ask(CID, secret)), PeerResponse::Refused(Code::TicketUsed));
    assert_eq!(answer(ask(BEA, [0; 32])), PeerResponse::Refused(Code::BadTicket));
    assert_eq!(answer(ask(ADA, secret)), PeerResponse::Refused(Code::OwnInvitation));
}

fn ticket(record: &crate::core::Record) -> Option<(InvitationId, [u8; 32])> {
    let crate::core::Record::Invitation(it) = record else { return None };
    Some((it.id, *it.secret.as_ref()?.reveal()))
}

#[test]
fn pausing_cuts_and_resuming_lets_in_again() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    for (off, on) in [
        (CoreRequest::PauseGrant { grant, on: true }, CoreRequest::PauseGrant { grant, on: false }),
        (CoreRequest::SetService { service, on: false }, CoreRequest::SetService { service, on: true }),
        (CoreRequest::PauseAll { on: true }, CoreRequest::PauseAll { on: false }),
    ] {
        sim.must(ADA, off);
        assert_eq!(sim.why(BEA), Code::PausedByOwner);
        assert!(sim.connect(BEA, inlet).is_err());
        sim.run_until_idle();
        assert_eq!(sim.why(BEA), Code::PausedByOwner);
        sim.must(ADA, on);
        assert!(sim.is_up(BEA), "{:?}", sim.link(BEA));
        assert_eq!(sim.connect(BEA, inlet), Ok(grant));
        sim.run_until_idle();
        assert!(sim.is_up(BEA));
    }
}

#[test]
fn revoking_ends_it_at_both_ends() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    assert_eq!(sim.people[ADA].admission[&service][0].refusal, Some(EndReason::Revoked));
    assert_eq!(sim.why(BEA), Code::Revoked);
    assert!(!sim.people[BEA].inlets.contains_key(&inlet), "its port is free");
    assert_eq!(sim.snapshot(ADA).services[0].people[0].state, GrantState::Revoked);
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    assert_eq!(sim.must_fail(ADA, CoreRequest::PauseGrant { grant, on: false }), Code::Revoked);
    assert_eq!(sim.must_fail(ADA, CoreRequest::ChangeGrant { grant, terms: Terms::default() }), Code::Revoked);
}

#[test]
fn a_friend_who_was_away_hears_of_a_revocation() {
    let (mut sim, _, _, grant) = Simulation::shared();
    sim.crash(BEA);
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    sim.launch(BEA);
    sim.run_until_idle();
    assert_eq!(sim.why(BEA), Code::Revoked);
}

#[test]
fn closing_a_service_revokes_what_it_granted_and_tells() {
    let (mut sim, service, ..) = Simulation::shared();
    let (id, link) = sim.invite(ADA, service);
    sim.open(CID, &link);
    sim.must(ADA, CoreRequest::CloseService { service });
    assert!(sim.people[ADA].outlets.is_empty());
    assert!(sim.snapshot(ADA).services.is_empty());
    assert_eq!(sim.why(BEA), Code::ServiceClosed);
    sim.must(CID, CoreRequest::Accept { invitation: id, port: None });
    let ReceivedState::Over { fault } = sim.snapshot(CID).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::ServiceClosed);
    sim.restart(BEA);
    sim.advance(1_000);
    assert_eq!(sim.why(BEA), Code::ServiceClosed);
}

#[test]
fn a_friend_who_was_removed_can_be_invited_again() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    let (id, link) = sim.invite(ADA, service);
    assert_eq!(sim.open(BEA, &link).fault, None);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert!(sim.is_up(BEA));
    let inlets = sim.snapshot(BEA).inlets;
    assert_eq!((inlets.len(), inlets[0].id, inlets[0].port), (1, inlet, 5432), "the same portal comes back");
    assert_eq!(sim.snapshot(ADA).services[0].people.len(), 1);
}

#[test]
fn whoever_is_asked_first_says_once_always_or_no() {
    for (answer, until_quit) in [(KnockAnswer::Once, true), (KnockAnswer::Always, false)] {
        let mut sim = Simulation::new();
        let service = sim.share(ADA, "Orders");
        let (id, link) = knocking(&mut sim, service);
        sim.open(BEA, &link);
        sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
        let knocks = sim.snapshot(ADA).knocks;
        assert_eq!((knocks.len(), knocks[0].name.as_str()), (1, "Bea"));
        assert_eq!(sim.snapshot(ADA).status, Status::Attention);
        let knocked = |it: &&Notice| matches!(it, Notice::Knock { .. });
        assert_eq!(sim.people[ADA].notices.iter().filter(knocked).count(), 1);
        let ReceivedState::Accepting { fault: Some(fault) } = sim.snapshot(BEA).invitations[0].state.clone() else {
            panic!()
        };
        assert_eq!(fault.code, Code::Asked);
        // Asking again is no second knock; nobody else can knock with it.
        sim.advance(60_000);
        assert_eq!(sim.people[ADA].notices.iter().filter(knocked).count(), 1);
        sim.open(CID, &link);
        sim.must(CID, CoreRequest::Accept { invitation: id, port: None });
        assert!(
            matches!(&sim.snapshot(CID).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::TicketUsed)
        );

        sim.must(ADA, CoreRequest::AnswerKnock { invitation: id, answer });
        assert!(sim.is_up(BEA));
        assert!(sim.snapshot(ADA).knocks.is_empty());
        sim.restart(ADA);
        sim.advance(1_000);
        assert_eq!(sim.is_up(BEA), !until_quit);
        if until_quit {
            assert_eq!(sim.why(BEA), Code::Expired);
        }
    }
}

#[test]
fn a_knock_can_be_denied_and_survives_a_crash() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = knocking(&mut sim, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    sim.restart(ADA);
    assert_eq!(sim.snapshot(ADA).knocks.len(), 1);
    sim.must(ADA, CoreRequest::AnswerKnock { invitation: id, answer: KnockAnswer::Deny });
    assert_eq!(
        sim.must_fail(ADA, CoreRequest::AnswerKnock { invitation: id, answer: KnockAnswer::Once }),
        Code::Denied
    );
    sim.advance(60_000);
    let ReceivedState::Over { fault } = sim.snapshot(BEA).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::Denied);
}

fn knocking(sim: &mut Simulation, service: ServiceId) -> (InvitationId, Secret) {
    let CoreRequest::Invite { service, to, valid_for, terms, .. } = invitation(service) else { unreachable!() };
    sim.invite_with(ADA, CoreRequest::Invite { service, to, ask_first: true, valid_for, terms })
}

#[test]
fn an_invitation_can_be_shown_again_sent_again_and_taken_back() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    let again = sim.must(ADA, CoreRequest::InvitationLink { invitation: id });
    assert_eq!(again, Answer::Invitation { invitation: id, link: Some(link.clone()) });
    sim.open(BEA, &link);
    assert_eq!(sim.snapshot(ADA).services[0].invitations[0].state, SentState::Created, "who opens a link is not told");
    sim.must(ADA, CoreRequest::RevokeInvitation { invitation: id });
    sim.must(ADA, CoreRequest::RevokeInvitation { invitation: id });
    assert_eq!(sim.must_fail(ADA, CoreRequest::InvitationLink { invitation: id }), Code::Revoked);
    assert_eq!(sim.must_fail(ADA, CoreRequest::Resend { invitation: id }), Code::Revoked);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert!(
        matches!(&sim.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Revoked)
    );
    assert_eq!(sim.must_fail(ADA, CoreRequest::RevokeInvitation { invitation: InvitationId([0; 16]) }), Code::NotFound);
}

#[test]
fn nobody_is_invited_where_nobody_can_come() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    sim.must(ADA, CoreRequest::RemoveHub { address: HUB.into() });
    assert_eq!(sim.must_fail(ADA, invitation(service)), Code::NoWayIn);
    assert_eq!(sim.snapshot(ADA).troubles[0].code, Code::NoWayIn);
    sim.must(ADA, CoreRequest::SetThisComputer { on: true });
    let (_, link) = sim.invite(ADA, service);
    assert_eq!(sim.open(BEA, &link).fault, None);
    assert_eq!(sim.must_fail(ADA, CoreRequest::RemoveHub { address: HUB.into() }), Code::NotFound);
    assert_eq!(sim.must_fail(ADA, CoreRequest::AddHub { address: "hub".into() }), Code::Invalid);
}

#[test]
fn inviting_somebody_who_is_in_or_invited_says_so() {
    let (mut sim, service, ..) = Simulation::shared();
    let invite = |service, who: u8| CoreRequest::Invite {
        service,
        to: InviteTo::Contact { person: Identifier::from_bytes([who; 32]) },
        ask_first: false,
        valid_for: None,
        terms: Terms::default(),
    };
    let fault = sim.request(ADA, invite(service, 2)).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::AlreadyIn, "Bea can use Orders already."));
    assert_eq!(sim.must_fail(ADA, invite(service, 1)), Code::OwnInvitation);
    assert_eq!(sim.must_fail(ADA, invite(service, 3)), Code::NotFound);
    let other = sim.share(ADA, "Notes");
    sim.must(ADA, invite(other, 2));
    let fault = sim.request(ADA, invite(other, 2)).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::AlreadyIn, "Bea is invited to Notes already."));
    // A second link to what she can use already gives her what she has, and stays good for others.
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert_eq!(sim.snapshot(BEA).inlets.len(), 1);
    sim.open(CID, &link);
    sim.must(CID, CoreRequest::Accept { invitation: id, port: None });
    assert!(sim.is_up(CID));
}

#[test]
fn a_known_contact_is_invited_through_the_mailbox_while_away() {
    let (mut sim, ..) = Simulation::shared();
    let notes = sim.share(ADA, "Notes");
    sim.crash(BEA);
    let person = sim.people[BEA].identifier;
    let to = InviteTo::Contact { person };
    let request =
        CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation: id, link: None } = sim.must(ADA, request) else { panic!() };
    assert_eq!(sim.snapshot(ADA).services[1].invitations[0].state, SentState::Delivered);
    sim.launch(BEA);
    sim.run_until_idle();
    let received = sim.snapshot(BEA).invitations[0].clone();
    assert_eq!((received.service_name.as_str(), received.owner_name.as_str()), ("Notes", "Ada"));
    assert!(received.owner_known);
    assert_eq!(received.port, 5433, "5432 is Orders'");
    assert_eq!(sim.snapshot(ADA).services[1].invitations[0].state, SentState::Delivered);
    let invited = |it: &&Notice| matches!(it, Notice::Invited { .. });
    assert_eq!(sim.people[BEA].notices.iter().filter(invited).count(), 1);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert_eq!(sim.snapshot(BEA).inlets.len(), 2);
    // The hub sends it again, before and after a restart: nobody is asked twice.
    let (_, from, news) = sim.old_mail[0].clone();
    sim.event(BEA, Event::PeerNotification(from, news.clone()));
    sim.restart(BEA);
    sim.event(BEA, Event::PeerNotification(from, news));
    sim.run_until_idle();
    assert!(sim.snapshot(BEA).invitations.is_empty());
    assert_eq!(sim.people[BEA].notices.iter().filter(invited).count(), 1);
}

#[test]
fn mail_that_no_hub_takes_is_posted_later_even_after_a_crash() {
    let (mut sim, ..) = Simulation::shared();
    let notes = sim.share(ADA, "Notes");
    sim.set_hub(false);
    sim.run_until_idle();
    let to = InviteTo::Contact { person: sim.people[BEA].identifier };
    sim.must(
        ADA,
        CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() },
    );
    assert_eq!(sim.snapshot(ADA).services[1].invitations[0].state, SentState::Created);
    sim.restart(ADA);
    sim.set_hub(true);
    sim.advance(1_000);
    assert_eq!(sim.snapshot(BEA).invitations.len(), 1);
    assert_eq!(sim.snapshot(ADA).services[1].invitations[0].state, SentState::Delivered);
}
