//! Nothing grows without end, whoever wants it to.

use super::simulation::{ADA, BEA, Simulation, history, invitation};
use crate::api::*;
use crate::core::limits::*;
use crate::core::{CallId, Effect, Event, Now, handle};
use crate::peer::{ContactInfo, PeerRequest};
use postern_node::identity::Identifier;
use postern_node::portal::EndReason;

#[test]
fn services_and_hubs_are_bounded() {
    let mut sim = Simulation::new();
    for index in 0..MAX_SERVICES {
        let service = sim.share(ADA, &format!("{index:0>80}"));
        let description = Some("\u{1f511}".repeat(400));
        sim.must(
            ADA,
            CoreRequest::ChangeService { service, patch: ServicePatch { description, ..Default::default() } },
        );
    }
    // A snapshot has to fit through the control socket, with room for people, invitations and portals.
    let snapshot = serde_json::to_vec(&sim.snapshot(ADA)).unwrap();
    assert!(snapshot.len() < crate::control::MAX_MESSAGE / 8, "{}", snapshot.len());
    let one_more = CoreRequest::Share {
        name: "X".into(),
        kind: ServiceKind::Tcp,
        target: "1".into(),
        path: None,
        description: None,
    };
    assert_eq!(sim.must_fail(ADA, one_more), Code::TooMany);
    for index in 1..MAX_HUBS {
        sim.must(ADA, CoreRequest::AddHub { address: format!("hub{index}:1") });
    }
    assert_eq!(sim.must_fail(ADA, CoreRequest::AddHub { address: "more:1".into() }), Code::TooMany);
    sim.must(ADA, CoreRequest::AddHub { address: "HUB1:1".into() });
}

#[test]
fn finished_invitations_make_room_and_open_ones_do_not() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let ids: Vec<InvitationId> = (0..MAX_INVITATIONS).map(|_| sim.invite(ADA, service).0).collect();
    assert_eq!(sim.must_fail(ADA, invitation(service)), Code::TooMany);
    sim.must(ADA, CoreRequest::RevokeInvitation { invitation: ids[0] });
    sim.invite(ADA, service);
    assert_eq!(sim.must_fail(ADA, invitation(service)), Code::TooMany);
}

#[test]
fn connections_of_one_grant_have_few_entries_an_hour() {
    let (mut sim, ..) = Simulation::shared();
    let grant = sim.snapshot(ADA).services[0].people[0].grant;
    let connect = |sim: &mut Simulation| {
        sim.event(ADA, Event::StreamOpened(grant));
        sim.event(ADA, Event::StreamEnded { grant, up_bytes: 1, down_bytes: 2, lasted_ms: 3, reason: None });
    };
    let entries = |sim: &Simulation| {
        let connections = sim.people[ADA].audit.iter().filter_map(|it| match it {
            AuditEvent::Connection { count, up_bytes, .. } => Some((*count, *up_bytes)),
            _ => None,
        });
        connections.collect::<Vec<_>>()
    };
    (0..5_000).for_each(|_| connect(&mut sim));
    assert_eq!(entries(&sim), [(1, 1)].repeat(MAX_CONNECTION_ENTRIES as usize));
    sim.advance(HOUR);
    let further = 5_000 - MAX_CONNECTION_ENTRIES;
    assert_eq!(entries(&sim).last(), Some(&(further, u64::from(further))));
    // A new hour; what is added up in it is written when the engine stops.
    (0..100).for_each(|_| connect(&mut sim));
    sim.event(ADA, Event::Stopping);
    assert_eq!(entries(&sim).last(), Some(&(100 - MAX_CONNECTION_ENTRIES, u64::from(100 - MAX_CONNECTION_ENTRIES))));
    assert_eq!(entries(&sim).iter().map(|it| it.0).sum::<u32>(), 5_100);
}

#[test]
fn refusals_have_few_entries_an_hour_and_are_counted() {
    let (mut sim, service, ..) = Simulation::shared();
    for person in 0..200_u8 {
        let person = Some(Identifier::from_bytes([person; 32]));
        let refusal = EndReason::NotAllowed;
        sim.event(ADA, Event::StreamRefused { service, person, refusal, count: 10 });
    }
    sim.advance(HOUR);
    let counts = sim.people[ADA].audit.iter().filter_map(|it| match it {
        AuditEvent::Refused { count, .. } => Some(*count),
        _ => None,
    });
    let counts: Vec<u32> = counts.collect();
    assert_eq!((counts.len(), counts.iter().sum()), (MAX_REFUSALS as usize + 1, 2_000));
}

#[test]
fn whoever_guesses_does_not_fill_the_receipts() {
    let mut sim = Simulation::new();
    let contact = ContactInfo { name: "x".repeat(5000), postal: vec![0; 1 << 20], hubs: Vec::new(), reach: Vec::new() };
    for index in 0..1000 {
        let message = PeerRequest::Redeem { ticket: InvitationId([3; 16]), secret: [4; 32], contact: contact.clone() };
        let state = sim.people[ADA].state.as_mut().unwrap();
        let now = Now { wall: UnixMillis(0), ticks: index };
        let person = Identifier::from_bytes([9; 32]);
        let effects = handle(state, Event::PeerRequest(CallId(index), person, message), now, [0; 32]);
        let writes = effects.iter().filter(|it| matches!(it, Effect::Audit(_))).count();
        assert_eq!(writes, usize::from(index < u64::from(MAX_REFUSALS)));
        assert!(effects.iter().any(|it| matches!(it, Effect::Reply(..))));
    }
    for index in 0..2 * MAX_MET as u64 {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&index.to_be_bytes());
        sim.event(BEA, Event::PeerIdentified(Identifier::from_bytes(bytes), history(&[bytes])));
    }
    assert!(sim.people[BEA].state.as_ref().unwrap().records.met.len() <= MAX_MET);
}
