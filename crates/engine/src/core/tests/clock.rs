//! Time: what ends, what waits, and clocks that jump.

use super::world::{ADA, BEA, DAWN, World, invitation};
use crate::api::*;
use crate::core::Event;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn until(hours: u64) -> Terms {
    Terms { until: Some(UnixMillis(DAWN + hours * HOUR)), ..Terms::default() }
}

#[test]
fn access_ends_at_its_time_at_both_ends_and_can_be_given_more() {
    let (mut world, service, inlet, grant) = World::shared();
    world.must(ADA, Request::ChangeGrant { grant, terms: until(1) });
    assert_eq!(world.snapshot(BEA).inlets[0].expires, Some(UnixMillis(DAWN + HOUR)));
    world.pass(HOUR - 1_000);
    assert!(world.is_up(BEA));
    world.pass(1_000);
    assert!(world.people[ADA].gates[&service][0].refusal.is_some());
    assert_eq!(world.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    assert_eq!(world.why(BEA), Code::Expired);
    assert!(world.people[ADA].deeds.iter().any(|it| matches!(it, AuditEvent::Grant { what, .. } if what == "expired")));
    assert_eq!(world.must_fail(ADA, Request::ChangeGrant { grant, terms: until(1) }), Code::Invalid);
    world.must(ADA, Request::ChangeGrant { grant, terms: until(3) });
    assert!(world.is_up(BEA));
    assert_eq!(world.connect(BEA, inlet), Ok(grant));
}

#[test]
fn a_clock_that_jumps_back_gives_nothing_back() {
    let (mut world, service, _, grant) = World::shared();
    world.must(ADA, Request::ChangeGrant { grant, terms: until(1) });
    world.wall_ahead = 2 * HOUR as i64;
    world.event(ADA, Event::Tick);
    assert_eq!(world.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    world.wall_ahead = -(DAY as i64);
    world.event(ADA, Event::Tick);
    world.pass(1_000);
    assert!(world.people[ADA].gates[&service][0].refusal.is_some());
    world.restart(ADA);
    assert_eq!(world.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    assert!(world.people[ADA].gates[&service][0].refusal.is_some());
}

#[test]
fn waits_do_not_care_what_the_wall_says() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    world.crash(ADA);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    world.launch(ADA);
    world.wall_ahead = -(40_000 * HOUR as i64);
    world.event(BEA, Event::Tick);
    world.pass(5_000);
    assert!(world.is_up(BEA));
}

#[test]
fn an_invitation_ends_in_time() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let (id, link) = world.invite(ADA, service);
    world.open(BEA, &link);
    world.pass(7 * DAY);
    assert_eq!(world.snapshot(ADA).services[0].invitations[0].state, SentState::Expired);
    assert!(
        matches!(&world.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Expired)
    );
    assert_eq!(world.must_fail(BEA, Request::Accept { invitation: id, port: None }), Code::Expired);
    assert_eq!(world.open(BEA, &link).fault.unwrap().code, Code::Expired);
    assert_eq!(world.must_fail(ADA, Request::InvitationLink { invitation: id }), Code::Expired);
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
fn an_invitation_that_was_accepted_too_late_is_refused() {
    let mut world = World::new();
    let service = world.share(ADA, "Orders");
    let Request::Invite { service, to, ask_first, terms, .. } = invitation(service) else { unreachable!() };
    let request = Request::Invite { service, to, ask_first, valid_for: Some(60), terms };
    let (id, link) = world.invite_with(ADA, request.clone());
    world.open(BEA, &link);
    world.crash(ADA);
    world.must(BEA, Request::Accept { invitation: id, port: None });
    world.pass(120_000);
    world.launch(ADA);
    world.pass(120_000);
    assert!(
        matches!(&world.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Expired)
    );
    for valid_for in [0, 59, 366 * 86_400, u64::MAX] {
        let Request::Invite { service, to, ask_first, terms, .. } = request.clone() else { unreachable!() };
        let request = Request::Invite { service, to, ask_first, valid_for: Some(valid_for), terms };
        assert_eq!(world.must_fail(ADA, request), Code::Invalid);
    }
}

#[test]
fn until_quit_ends_with_the_owners_program() {
    let (mut world, _, _, grant) = World::shared();
    world.must(ADA, Request::ChangeGrant { grant, terms: Terms { until_quit: true, ..Terms::default() } });
    assert!(world.is_up(BEA));
    world.restart(BEA);
    assert!(world.is_up(BEA));
    world.restart(ADA);
    world.pass(1_000);
    assert_eq!(world.why(BEA), Code::Expired);
}

#[test]
fn an_idle_engine_wants_no_ticks() {
    let world = World::new();
    let state = world.people[ADA].state.as_ref().unwrap();
    assert_eq!(state.next_wake(world.now(ADA)), None);
}

#[test]
fn everything_comes_back_after_a_restart_in_each_order() {
    for order in [[ADA, BEA], [BEA, ADA]] {
        let (mut world, _, inlet, grant) = World::shared();
        order.into_iter().for_each(|who| world.crash(who));
        for who in order {
            world.launch(who);
            world.settle();
        }
        world.pass(2_000);
        assert!(world.is_up(BEA));
        assert_eq!(world.connect(BEA, inlet), Ok(grant));
    }
}
