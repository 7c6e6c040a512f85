//! Time: what ends, what waits, and clocks that jump.

use super::simulation::{ADA, BEA, HUB, START, Simulation, invitation};
use crate::api::*;
use crate::core::Event;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

fn until(hours: u64) -> Terms {
    Terms { until: Some(UnixMillis(START + hours * HOUR)), ..Terms::default() }
}

#[test]
fn access_ends_at_its_time_at_both_ends_and_can_be_given_more() {
    let (mut sim, service, inlet, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::ChangeGrant { grant, terms: until(1) });
    assert_eq!(sim.snapshot(BEA).inlets[0].expires, Some(UnixMillis(START + HOUR)));
    sim.advance(HOUR - 1_000);
    assert!(sim.is_up(BEA));
    sim.advance(1_000);
    assert!(sim.people[ADA].admission[&service][0].refusal.is_some());
    assert_eq!(sim.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    assert_eq!(sim.why(BEA), Code::Expired);
    assert!(sim.people[ADA].audit.iter().any(|it| matches!(it, AuditEvent::Grant { what, .. } if what == "expired")));
    assert_eq!(sim.must_fail(ADA, CoreRequest::ChangeGrant { grant, terms: until(1) }), Code::Invalid);
    sim.must(ADA, CoreRequest::ChangeGrant { grant, terms: until(3) });
    assert!(sim.is_up(BEA));
    assert_eq!(sim.connect(BEA, inlet), Ok(grant));
}

#[test]
fn a_clock_that_jumps_back_gives_nothing_back() {
    let (mut sim, service, _, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::ChangeGrant { grant, terms: until(1) });
    sim.wall_ahead = 2 * HOUR as i64;
    sim.event(ADA, Event::Tick);
    assert_eq!(sim.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    sim.wall_ahead = -(DAY as i64);
    sim.event(ADA, Event::Tick);
    sim.advance(1_000);
    assert!(sim.people[ADA].admission[&service][0].refusal.is_some());
    sim.restart(ADA);
    assert_eq!(sim.snapshot(ADA).services[0].people[0].state, GrantState::Expired);
    assert!(sim.people[ADA].admission[&service][0].refusal.is_some());
}

#[test]
fn waits_do_not_care_what_the_wall_says() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.crash(ADA);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    sim.launch(ADA);
    sim.wall_ahead = -(40_000 * HOUR as i64);
    sim.event(BEA, Event::Tick);
    sim.advance(5_000);
    assert!(sim.is_up(BEA));
}

#[test]
fn an_invitation_ends_in_time() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.advance(7 * DAY);
    assert_eq!(sim.snapshot(ADA).services[0].invitations[0].state, SentState::Expired);
    assert!(
        matches!(&sim.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Expired)
    );
    assert_eq!(sim.must_fail(BEA, CoreRequest::Accept { invitation: id, port: None }), Code::Expired);
    assert_eq!(sim.open(BEA, &link).fault.unwrap().code, Code::Expired);
    assert_eq!(sim.must_fail(ADA, CoreRequest::InvitationLink { invitation: id }), Code::Expired);
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
fn an_invitation_that_was_accepted_too_late_is_refused() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let CoreRequest::Invite { service, to, ask_first, terms, .. } = invitation(service) else { unreachable!() };
    let request = CoreRequest::Invite { service, to, ask_first, valid_for: Some(60), terms };
    let (id, link) = sim.invite_with(ADA, request.clone());
    sim.open(BEA, &link);
    sim.crash(ADA);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    sim.advance(120_000);
    sim.launch(ADA);
    sim.advance(120_000);
    assert!(
        matches!(&sim.snapshot(BEA).invitations[0].state, ReceivedState::Over { fault } if fault.code == Code::Expired)
    );
    for valid_for in [0, 59, 366 * 86_400, u64::MAX] {
        let CoreRequest::Invite { service, to, ask_first, terms, .. } = request.clone() else { unreachable!() };
        let request = CoreRequest::Invite { service, to, ask_first, valid_for: Some(valid_for), terms };
        assert_eq!(sim.must_fail(ADA, request), Code::Invalid);
    }
}

#[test]
fn until_quit_ends_with_the_owners_program() {
    let (mut sim, _, _, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::ChangeGrant { grant, terms: Terms { until_quit: true, ..Terms::default() } });
    assert!(sim.is_up(BEA));
    sim.restart(BEA);
    assert!(sim.is_up(BEA));
    sim.restart(ADA);
    sim.advance(1_000);
    assert_eq!(sim.why(BEA), Code::Expired);
}

#[test]
fn an_idle_engine_wants_no_ticks() {
    let sim = Simulation::new();
    let state = sim.people[ADA].state.as_ref().unwrap();
    assert_eq!(state.next_wake(sim.now(ADA)), None);
}

#[test]
fn everything_comes_back_after_a_restart_in_each_order() {
    for order in [[ADA, BEA], [BEA, ADA]] {
        let (mut sim, _, inlet, grant) = Simulation::shared();
        order.into_iter().for_each(|who| sim.crash(who));
        for who in order {
            sim.launch(who);
            sim.run_until_idle();
        }
        sim.advance(2_000);
        assert!(sim.is_up(BEA));
        assert_eq!(sim.connect(BEA, inlet), Ok(grant));
    }
}

#[test]
fn a_hub_whose_clock_differs_is_a_hint_for_the_user_and_nothing_else() {
    let mut sim = Simulation::new();
    let clock = |sim: &Simulation| {
        let findings = sim.people[ADA].state.as_ref().unwrap().findings(sim.now(ADA));
        findings.into_iter().find(|it| it.subject == "clock")
    };
    assert_eq!(clock(&sim), None);
    sim.event(ADA, Event::HubClock(HUB.into(), Some(59_000)));
    assert_eq!(clock(&sim), None);
    let before = sim.now(ADA);
    sim.event(ADA, Event::HubClock(HUB.into(), Some(300_000)));
    assert_eq!(sim.now(ADA), before);
    let finding = clock(&sim).unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.message, format!("Your clock is 5 minutes behind that of the hub {HUB}."));
    assert_eq!(sim.snapshot(ADA).hubs[0].clock_ahead_ms, Some(300_000));
    sim.event(ADA, Event::HubClock("other.example:1".into(), Some(900_000)));
    assert_eq!(sim.snapshot(ADA).hubs.len(), 1);
}

#[test]
fn a_wrong_clock_is_called_by_the_owners_name() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    let fault = crate::core::clock_skew::fault(300_000, "that of the other side");
    sim.event(BEA, Event::InletDown(inlet, fault));
    let InletLink::Down { fault, .. } = sim.snapshot(BEA).inlets[0].link.clone() else { panic!() };
    assert_eq!(fault.code, Code::ClockSkew);
    assert!(fault.message.starts_with("Your clock is 5 minutes behind Ada's"), "{fault}");
}
