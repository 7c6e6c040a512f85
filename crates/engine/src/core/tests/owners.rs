//! What an owner does: shares, invites, pauses, revokes, closes.

use super::world::{ADA, BEA, CID, DAWN, HUB, World, invitation};
use crate::api::*;
use crate::core::{CallId, Effect, Event, OwnIdentity};
use crate::peer::{PeerRequest, PeerResponse};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

fn share(name: &str, target: &str) -> Request {
    Request::Share { name: name.into(), kind: ServiceKind::Tcp, target: target.into(), path: None, description: None }
}

fn patch(service: ServiceId, patch: ServicePatch) -> Request {
    Request::ChangeService { service, patch }
}

#[test]
fn nothing_is_done_before_somebody_is_set_up() {
    let mut world = World::empty(1);
    assert_eq!(world.must_fail(ADA, share("Orders", "5432")), Code::NotSetUp);
    assert_eq!(world.snapshot(ADA).me, None);
    world.set_up(ADA);
    let snapshot = world.snapshot(ADA);
    assert_eq!(snapshot.me.unwrap().name, "Ada");
    assert_eq!(snapshot.hubs[0].link, LinkState::Up);
    assert_eq!(snapshot.status, Status::Idle);
    let again = Request::SetUp { name: "Eve".into(), hubs: Vec::new(), this_computer: false };
    assert_eq!(world.must_fail(ADA, again), Code::AlreadySetUp);
}

#[test]
fn setting_up_is_answered_when_the_key_is_there_or_is_not() {
    let mut world = World::empty(1);
    let set_up = Request::SetUp { name: "Ada".into(), hubs: Vec::new(), this_computer: true };
    let first = world.ask(ADA, set_up.clone());
    let second = world.ask(ADA, set_up.clone());
    assert_eq!(world.people[ADA].answers[&second].as_ref().unwrap_err().code, Code::AlreadySetUp);
    world.event(ADA, Event::Identity(Err(Fault::new(Code::KeychainLocked, "The keychain is locked."))));
    assert_eq!(world.people[ADA].answers[&first].as_ref().unwrap_err().code, Code::KeychainLocked);
    assert!(world.people[ADA].disk.is_empty());
    let third = world.ask(ADA, set_up);
    world.settle();
    assert_eq!(world.people[ADA].answers[&third], Ok(Answer::Done));
    assert_eq!(world.snapshot(ADA).this_computer.addresses, ["10.0.0.1:4000"]);
}

#[test]
fn a_lost_or_foreign_key_makes_no_new_person() {
    let (mut world, ..) = World::shared();
    world.crash(ADA);
    world.launch(ADA);
    world.parcels.clear();
    assert!(world.last.1.contains(&Effect::LoadIdentity), "{:?}", world.last.1);
    let other = OwnIdentity { identifier: Identifier::from_bytes([77; 32]), postal: Vec::new(), secrets: Vec::new() };
    world.event(ADA, Event::Identity(Ok(other)));
    let snapshot = world.snapshot(ADA);
    assert_eq!(snapshot.troubles[0].code, Code::NotTrusted);
    assert_eq!(snapshot.status, Status::Attention);
    assert_eq!(snapshot.services.len(), 1);
    assert!(world.people[ADA].outlets.is_empty());

    world.must(ADA, Request::Retry);
    assert_eq!(world.snapshot(ADA).troubles, []);
    assert_eq!(world.people[ADA].outlets.len(), 1);
}

#[test]
fn services_have_names_of_their_own_and_targets_that_can_be() {
    let mut world = World::new();
    world.share(ADA, "Orders");
    assert_eq!(world.must_fail(ADA, share("ORDERS", "1")), Code::NameTaken);
    assert_eq!(world.must_fail(ADA, share(" ", "1")), Code::Invalid);
    assert_eq!(world.must_fail(ADA, share("Or\u{202e}ders", "1")), Code::Invalid);
    assert_eq!(world.must_fail(ADA, share("Other", "nowhere")), Code::Invalid);
    let Answer::Service { service } = world.must(ADA, share("Other", "nas:80")) else { panic!() };
    let name = |name: &str| ServicePatch { name: Some(name.into()), ..ServicePatch::default() };
    assert_eq!(world.must_fail(ADA, patch(service, name("orders"))), Code::NameTaken);
    world.must(ADA, patch(service, name("other")));
    let target = ServicePatch { target: Some("81".into()), path: Some("lab".into()), ..ServicePatch::default() };
    world.must(ADA, patch(service, target));
    let snapshot = world.snapshot(ADA);
    assert_eq!(snapshot.services[1].target, "localhost:81");
    assert_eq!(snapshot.services[1].path.as_deref(), Some("/lab"));
    assert_eq!(world.must_fail(ADA, patch(ServiceId([9; 16]), name("x"))), Code::NotFound);
}

#[test]
fn a_target_is_looked_at_again_and_again() {
    let mut world = World::new();
    world.people[ADA].target_answers = false;
    let service = world.share(ADA, "Orders");
    let Health::Down { fault, since } = world.snapshot(ADA).services[0].health.clone() else { panic!() };
    assert_eq!((fault.code, since), (Code::ServiceDown, UnixMillis(DAWN)));
    world.people[ADA].target_answers = true;
    world.pass(7_000);
    assert_eq!(world.snapshot(ADA).services[0].health, Health::Up);

    // Down again is found out within half a minute, or at once when a stream could not be made.
    world.people[ADA].target_answers = false;
    world.event(ADA, Event::StreamRefused(service, None, EndReason::Refused));
    world.settle();
    assert!(matches!(world.snapshot(ADA).services[0].health, Health::Down { .. }));
    world.people[ADA].target_answers = true;
    world.pass(7_000);
    world.people[ADA].target_answers = false;
    world.pass(40_000);
    assert!(matches!(world.snapshot(ADA).services[0].health, Health::Down { .. }));

    // What was found about an older target does not count.
    world.people[ADA].target_answers = true;
    world.event(ADA, Event::Health(service, Ok(())));
    world.event(ADA, Event::Resumed);
    world.ask(ADA, patch(service, ServicePatch { target: Some("99".into()), ..ServicePatch::default() }));
    world.event(ADA, Event::Health(service, Err(Fault::new(Code::ServiceDown, "The old one."))));
    assert_eq!(world.snapshot(ADA).services[0].health, Health::Unknown);
    world.settle();
    assert_eq!(world.snapshot(ADA).services[0].health, Health::Up);
}

#[test]
fn a_friend_joins_by_a_link() {
    let (mut world, service, inlet, grant) = World::shared();
    let (ada, bea) = (world.snapshot(ADA), world.snapshot(BEA));
    let person = &ada.services[0].people[0];
    assert_eq!((person.name.as_str(), person.state), ("Bea", GrantState::Active));
    assert!(ada.services[0].invitations.is_empty());
    assert_eq!(ada.contacts[0].words, bea.contacts[0].words);
    let portal = &bea.inlets[0];
    assert_eq!((portal.name.as_str(), portal.owner_name.as_str(), portal.port), ("Orders", "Ada", 5432));
    assert_eq!(portal.url.as_deref(), Some("http://localhost:5432/"));
    assert!(world.is_up(BEA));
    assert!(bea.invitations.is_empty());
    assert_eq!(world.connect(BEA, inlet), Ok(grant));
    world.settle();
    assert_eq!(world.snapshot(ADA).services[0].live, 1);
    assert_eq!(world.snapshot(ADA).status, Status::Live);
    let ended = Event::StreamEnded { grant, up_bytes: 5, down_bytes: 7, lasted_ms: 9, reason: None };
    world.event(ADA, ended);
    let person = world.snapshot(ADA).services[0].people[0].clone();
    assert_eq!((person.live, person.last_used), (0, Some(UnixMillis(DAWN + 1))));
    assert!(
        world.people[ADA]
            .deeds
            .iter()
            .any(|it| matches!(it, AuditEvent::Connection { up_bytes: 5, down_bytes: 7, .. }))
    );
    assert!(
        world.people[ADA].notices.iter().any(|it| matches!(it, Notice::Joined { service: at, .. } if *at == service))
    );
    assert!(world.people[BEA].notices.iter().any(|it| matches!(it, Notice::PortalUp { .. })));
}

#[test]
fn two_people_race_for_one_ticket_and_one_wins() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    for who in [BEA, CID] {
        world.request(who, Request::Open { link: link.clone() }).unwrap();
        world.request(who, Request::Accept { invitation: id, port: None }).unwrap();
    }
    world.settle();
    assert_eq!(world.snapshot(ADA).services[0].people.len(), 1);
    assert!(world.is_up(BEA));
    let ReceivedState::Over { fault } = world.snapshot(CID).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::TicketUsed);
    let refused = |it: &AuditEvent| matches!(it, AuditEvent::Refused { code: Code::TicketUsed, .. });
    assert!(world.people[ADA].deeds.iter().any(refused));
    // Put away, it is gone.
    world.must(CID, Request::Decline { invitation: id });
    assert!(world.snapshot(CID).invitations.is_empty());
}

#[test]
fn redeeming_again_gives_the_same_grant() {
    let (mut world, .., grant) = World::shared();
    let (id, secret) = world.people[ADA].disk.values().find_map(ticket).unwrap();
    let card = crate::peer::ContactInfo { name: "Bea".into(), postal: Vec::new(), hubs: Vec::new(), reach: Vec::new() };
    let ask = |who: usize, secret: [u8; 32]| {
        let message = PeerRequest::Redeem { ticket: id, secret, card: card.clone() };
        (Identifier::from_bytes([who as u8 + 1; 32]), message)
    };
    let mut answer = |(person, message): (Identifier, PeerRequest)| {
        let state = world.people[ADA].state.as_mut().unwrap();
        let now = crate::core::Now { wall: UnixMillis(DAWN), ticks: 0 };
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
    let (mut world, service, inlet, grant) = World::shared();
    for (off, on) in [
        (Request::PauseGrant { grant, on: true }, Request::PauseGrant { grant, on: false }),
        (Request::SetService { service, on: false }, Request::SetService { service, on: true }),
        (Request::PauseAll { on: true }, Request::PauseAll { on: false }),
    ] {
        world.must(ADA, off);
        assert_eq!(world.why(BEA), Code::PausedByOwner);
        assert!(world.connect(BEA, inlet).is_err());
        world.settle();
        assert_eq!(world.why(BEA), Code::PausedByOwner);
        world.must(ADA, on);
        assert!(world.is_up(BEA), "{:?}", world.link(BEA));
        assert_eq!(world.connect(BEA, inlet), Ok(grant));
        world.settle();
        assert!(world.is_up(BEA));
    }
}

#[test]
fn revoking_ends_it_at_both_ends() {
    let (mut world, service, inlet, grant) = World::shared();
    world.must(ADA, Request::RevokeGrant { grant });
    assert_eq!(world.people[ADA].gates[&service][0].refusal, Some(EndReason::Revoked));
    assert_eq!(world.why(BEA), Code::Revoked);
    assert!(!world.people[BEA].inlets.contains_key(&inlet), "its port is free");
    assert_eq!(world.snapshot(ADA).services[0].people[0].state, GrantState::Revoked);
    world.must(ADA, Request::RevokeGrant { grant });
    assert_eq!(world.must_fail(ADA, Request::PauseGrant { grant, on: false }), Code::Revoked);
    assert_eq!(world.must_fail(ADA, Request::ChangeGrant { grant, terms: Terms::default() }), Code::Revoked);
}

#[test]
fn a_friend_who_was_away_hears_of_a_revocation() {
    let (mut world, _, _, grant) = World::shared();
    world.crash(BEA);
    world.must(ADA, Request::RevokeGrant { grant });
    world.launch(BEA);
    world.settle();
    assert_eq!(world.why(BEA), Code::Revoked);
}

#[test]
fn closing_a_service_revokes_what_it_granted_and_tells() {
    let (mut world, service, ..) = World::shared();
    let (id, link) = world.invite(ADA, service);
    world.open(CID, &link);
    world.must(ADA, Request::CloseService { service });
    assert!(world.people[ADA].outlets.is_empty());
    assert!(world.snapshot(ADA).services.is_empty());
    assert_eq!(world.why(BEA), Code::ServiceClosed);
    world.must(CID, Request::Accept { invitation: id, port: None });
    let ReceivedState::Over { fault } = world.snapshot(CID).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::ServiceClosed);
    world.restart(BEA);
    world.pass(1_000);
    assert_eq!(world.why(BEA), Code::ServiceClosed);
}

#[test]
fn a_friend_who_was_removed_can_be_invited_again() {
    let (mut world, service, inlet, grant) = World::shared();
    world.must(ADA, Request::RevokeGrant { grant });
    let (id, link) = world.invite(ADA, service);
    assert_eq!(world.open(BEA, &link).fault, None);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert!(world.is_up(BEA));
    let inlets = world.snapshot(BEA).inlets;
    assert_eq!((inlets.len(), inlets[0].id, inlets[0].port), (1, inlet, 5432), "the same portal comes back");
    assert_eq!(world.snapshot(ADA).services[0].people.len(), 1);
}

#[test]
fn whoever_is_asked_first_says_once_always_or_no() {
    for (answer, until_quit) in [(KnockAnswer::Once, true), (KnockAnswer::Always, false)] {
        let mut world = World::new();
        let service = world.share(ADA, "Orders");
        let (id, link) = knocking(&mut world, service);
        world.open(BEA, &link);
        world.must(BEA, Request::Accept { invitation: id, port: None });
        let knocks = world.snapshot(ADA).knocks;
        assert_eq!((knocks.len(), knocks[0].name.as_str()), (1, "Bea"));
        assert_eq!(world.snapshot(ADA).status, Status::Attention);
        let knocked = |it: &&Notice| matches!(it, Notice::Knock { .. });
        assert_eq!(world.people[ADA].notices.iter().filter(knocked).count(), 1);
        let ReceivedState::Accepting { fault: Some(fault) } = world.snapshot(BEA).invitations[0].state.clone() else {
            panic!()
        };
        assert_eq!(fault.code, Code::Asked);
        // Asking again is no second knock; nobody else can knock with it.
        world.pass(60_000);
        assert_eq!(world.people[ADA].notices.iter().filter(knocked).count(), 1);
        world.open(CID, &link);
        world.must(CID, Request::Accept { invitation: id, port: None });
        assert!(
            matches!(&world.snapshot(CID).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::TicketUsed)
        );

        world.must(ADA, Request::AnswerKnock { invitation: id, answer });
        assert!(world.is_up(BEA));
        assert!(world.snapshot(ADA).knocks.is_empty());
        world.restart(ADA);
        world.pass(1_000);
        assert_eq!(world.is_up(BEA), !until_quit);
        if until_quit {
            assert_eq!(world.why(BEA), Code::Expired);
        }
    }
}

#[test]
fn a_knock_can_be_denied_and_survives_a_crash() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = knocking(&mut world, service);
    world.open(BEA, &link);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    world.restart(ADA);
    assert_eq!(world.snapshot(ADA).knocks.len(), 1);
    world.must(ADA, Request::AnswerKnock { invitation: id, answer: KnockAnswer::Deny });
    assert_eq!(world.must_fail(ADA, Request::AnswerKnock { invitation: id, answer: KnockAnswer::Once }), Code::Denied);
    world.pass(60_000);
    let ReceivedState::Over { fault } = world.snapshot(BEA).invitations[0].state.clone() else { panic!() };
    assert_eq!(fault.code, Code::Denied);
}

fn knocking(world: &mut World, service: ServiceId) -> (InvitationId, Secret) {
    let Request::Invite { service, to, valid_for, terms, .. } = invitation(service) else { unreachable!() };
    world.invite_with(ADA, Request::Invite { service, to, ask_first: true, valid_for, terms })
}

#[test]
fn an_invitation_can_be_shown_again_sent_again_and_taken_back() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    let again = world.must(ADA, Request::InvitationLink { invitation: id });
    assert_eq!(again, Answer::Invitation { invitation: id, link: Some(link.clone()) });
    world.open(BEA, &link);
    assert_eq!(world.snapshot(ADA).services[0].invitations[0].state, SentState::Seen);
    world.must(ADA, Request::RevokeInvitation { invitation: id });
    world.must(ADA, Request::RevokeInvitation { invitation: id });
    assert_eq!(world.must_fail(ADA, Request::InvitationLink { invitation: id }), Code::Revoked);
    assert_eq!(world.must_fail(ADA, Request::Resend { invitation: id }), Code::Revoked);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert!(
        matches!(&world.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Revoked)
    );
    assert_eq!(world.must_fail(ADA, Request::RevokeInvitation { invitation: InvitationId([0; 16]) }), Code::NotFound);
}

#[test]
fn nobody_is_invited_where_nobody_can_come() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    world.must(ADA, Request::RemoveHub { address: HUB.into() });
    assert_eq!(world.must_fail(ADA, invitation(service)), Code::NoWayIn);
    assert_eq!(world.snapshot(ADA).troubles[0].code, Code::NoWayIn);
    world.must(ADA, Request::SetThisComputer { on: true });
    let (_, link) = world.invite(ADA, service);
    assert_eq!(world.open(BEA, &link).fault, None);
    assert_eq!(world.must_fail(ADA, Request::RemoveHub { address: HUB.into() }), Code::NotFound);
    assert_eq!(world.must_fail(ADA, Request::AddHub { address: "hub".into() }), Code::Invalid);
}

#[test]
fn inviting_somebody_who_is_in_or_invited_says_so() {
    let (mut world, service, ..) = World::shared();
    let invite = |service, who: u8| Request::Invite {
        service,
        to: InviteTo::Contact { person: Identifier::from_bytes([who; 32]) },
        ask_first: false,
        valid_for: None,
        terms: Terms::default(),
    };
    let fault = world.request(ADA, invite(service, 2)).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::AlreadyIn, "Bea can use Orders already."));
    assert_eq!(world.must_fail(ADA, invite(service, 1)), Code::OwnInvitation);
    assert_eq!(world.must_fail(ADA, invite(service, 3)), Code::NotFound);
    let other = world.share(ADA, "Notes");
    world.must(ADA, invite(other, 2));
    let fault = world.request(ADA, invite(other, 2)).unwrap_err();
    assert_eq!((fault.code, fault.message.as_str()), (Code::AlreadyIn, "Bea is invited to Notes already."));
    // A second link to what she can use already gives her what she has, and stays good for others.
    let (id, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert_eq!(world.snapshot(BEA).inlets.len(), 1);
    world.open(CID, &link);
    world.must(CID, Request::Accept { invitation: id, port: None });
    assert!(world.is_up(CID));
}

#[test]
fn a_known_contact_is_invited_through_the_mailbox_while_away() {
    let (mut world, ..) = World::shared();
    let notes = world.share(ADA, "Notes");
    world.crash(BEA);
    let person = world.people[BEA].identifier;
    let to = InviteTo::Contact { person };
    let request = Request::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    let Answer::Invitation { invitation: id, link: None } = world.must(ADA, request) else { panic!() };
    assert_eq!(world.snapshot(ADA).services[1].invitations[0].state, SentState::Delivered);
    world.launch(BEA);
    world.settle();
    let received = world.snapshot(BEA).invitations[0].clone();
    assert_eq!((received.service_name.as_str(), received.owner_name.as_str()), ("Notes", "Ada"));
    assert!(received.owner_known);
    assert_eq!(received.port, 5433, "5432 is Orders'");
    assert_eq!(world.snapshot(ADA).services[1].invitations[0].state, SentState::Seen);
    let invited = |it: &&Notice| matches!(it, Notice::Invited { .. });
    assert_eq!(world.people[BEA].notices.iter().filter(invited).count(), 1);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    assert_eq!(world.snapshot(BEA).inlets.len(), 2);
    // The hub sends it again, before and after a restart: nobody is asked twice.
    let (_, from, news) = world.old_mail[0].clone();
    world.event(BEA, Event::PeerNotification(from, news.clone()));
    world.restart(BEA);
    world.event(BEA, Event::PeerNotification(from, news));
    world.settle();
    assert!(world.snapshot(BEA).invitations.is_empty());
    assert_eq!(world.people[BEA].notices.iter().filter(invited).count(), 1);
}

#[test]
fn mail_that_no_hub_takes_is_posted_later_even_after_a_crash() {
    let (mut world, ..) = World::shared();
    let notes = world.share(ADA, "Notes");
    world.set_hub(false);
    world.settle();
    let to = InviteTo::Contact { person: world.people[BEA].identifier };
    world.must(ADA, Request::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() });
    assert_eq!(world.snapshot(ADA).services[1].invitations[0].state, SentState::Created);
    world.restart(ADA);
    world.set_hub(true);
    world.pass(1_000);
    assert_eq!(world.snapshot(BEA).invitations.len(), 1);
    assert_eq!(world.snapshot(ADA).services[1].invitations[0].state, SentState::Seen);
}
