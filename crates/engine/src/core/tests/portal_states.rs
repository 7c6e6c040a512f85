//! What the user is told about portals that do not work: five different states, what counts as a problem, and what happened.

use super::simulation::{ADA, BEA, Simulation};
use crate::api::*;
use crate::core::Event;
use postern_node::portal::EndReason;

/// The codes of the notices that a portal went down, oldest first.
fn told(sim: &Simulation) -> Vec<Code> {
    let code = |it: &Notice| match it {
        Notice::PortalDown { fault, .. } => Some(fault.code),
        _ => None,
    };
    sim.people[BEA].notices.iter().filter_map(code).collect()
}

fn message(sim: &Simulation) -> String {
    match sim.link(BEA) {
        InletLink::Down { fault, .. } => fault.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_end_of_access_is_told_after_the_pause_before_it() {
    let (mut sim, .., grant) = Simulation::shared();
    // As the window does it: paused at once, ended when the time to undo it is over.
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: true });
    assert_eq!(told(&sim), [Code::PausedByOwner]);
    sim.advance(8_000);
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    assert_eq!(told(&sim), [Code::PausedByOwner, Code::Revoked]);
    assert!(message(&sim).starts_with("Ada ended your access."), "{}", message(&sim));
    // Not again by what the user does, nor at the next start.
    sim.must(BEA, CoreRequest::PauseAll { on: true });
    sim.must(BEA, CoreRequest::PauseAll { on: false });
    sim.restart(BEA);
    assert_eq!(sim.why(BEA), Code::Revoked);
    assert_eq!(told(&sim), [Code::PausedByOwner, Code::Revoked]);
}

#[test]
fn blocking_an_owner_is_not_told_to_whoever_does_it() {
    let (mut sim, ..) = Simulation::shared();
    let person = sim.people[ADA].identifier;
    sim.must(BEA, CoreRequest::Block { person, on: true });
    assert_eq!(sim.why(BEA), Code::Blocked);
    assert!(message(&sim).starts_with("You have blocked Ada"), "{}", message(&sim));
    assert_eq!(told(&sim), []);
}

/// What brings a friend's portal into a state.
type Change = fn(&mut Simulation, InletId, GrantId);

#[test]
fn paused_revoked_expired_blocked_and_down_are_five_states() {
    let states: [(Code, &str, Change); 5] = [
        (Code::PausedByOwner, "Ada paused it. It works again when Ada resumes it.", |sim, _, grant| {
            sim.must(ADA, CoreRequest::PauseGrant { grant, on: true });
        }),
        (Code::Revoked, "Ada ended your access. Ask for a new invitation if you still need it.", |sim, _, grant| {
            sim.must(ADA, CoreRequest::RevokeGrant { grant });
        }),
        (Code::Expired, "Your access has ended. Ask Ada to renew it.", |sim, _, grant| {
            let until = Some(sim.now(ADA).wall.plus(60_000));
            sim.must(ADA, CoreRequest::ChangeGrant { grant, terms: Terms { until, ..Terms::default() } });
            sim.advance(61_000);
        }),
        (Code::Blocked, "Ada has blocked you.", |sim, _, _| {
            let person = sim.people[BEA].identifier;
            sim.must(ADA, CoreRequest::Block { person, on: true });
        }),
        (Code::ServiceDown, "Ada is online, but the service is not responding.", |sim, inlet, _| {
            sim.event(BEA, Event::InletRefused(inlet, Some(EndReason::Refused)));
        }),
    ];
    for (code, sentence, reach) in states {
        let (mut sim, _, inlet, grant) = Simulation::shared();
        reach(&mut sim, inlet, grant);
        assert_eq!((sim.why(BEA), message(&sim).as_str()), (code, sentence));
        let portal = sim.snapshot(BEA).inlets.remove(0);
        assert_eq!(portal.is_failing(), code == Code::ServiceDown, "{code:?}");
        assert_eq!(portal.is_ended(), matches!(code, Code::Revoked | Code::Expired | Code::Blocked), "{code:?}");
        let status = if portal.is_failing() { Status::Attention } else { Status::Ready };
        assert_eq!(sim.snapshot(BEA).status, status, "{code:?}");
    }
}

#[test]
fn a_service_that_does_not_answer_needs_attention_while_it_is_shared() {
    let (mut sim, service, ..) = Simulation::shared();
    assert_eq!(sim.snapshot(ADA).status, Status::Ready);
    sim.event(ADA, Event::Health(service, Err(Fault::new(Code::ServiceDown, "Nothing answers."))));
    assert_eq!(sim.snapshot(ADA).status, Status::Attention);
    sim.must(ADA, CoreRequest::SetService { service, on: false });
    assert_eq!(sim.snapshot(ADA).status, Status::Ready);
}

#[test]
fn a_portal_names_the_invitation_that_it_was_made_of() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (first, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: first, port: None });
    let named = |sim: &Simulation| sim.snapshot(BEA).inlets[0].invitation;
    assert_eq!(named(&sim), Some(first));
    // Access that is renewed comes from another invitation, and the port stays.
    let grant = sim.snapshot(ADA).services[0].people[0].grant;
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    let (second, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: second, port: None });
    assert_eq!((named(&sim), sim.snapshot(BEA).inlets.len()), (Some(second), 1));
    sim.restart(BEA);
    assert_eq!(named(&sim), None);
}
