//! Nothing grows without end, whoever wants it to.

use super::simulation::{ADA, BEA, Simulation, history, invitation};
use crate::api::*;
use crate::core::limits::*;
use crate::core::{CallId, Effect, Event, Now, handle};
use crate::peer::{ContactInfo, PeerRequest};
use postern_node::identity::Identifier;

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
