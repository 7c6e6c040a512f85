//! Web portals: their host names, and the check of browsers' requests.

use super::simulation::{ADA, BEA, CID, Simulation};
use crate::api::*;
use crate::core::{Event, Inlet, Profile, Record, RecordKey};
use postern_node::portal::EndReason;
use serde_json::Value;

/// Somebody shares a service of this name, and Bea joins; the portal.
fn joined(sim: &mut Simulation, owner: usize, service: &str) -> InletId {
    let before: Vec<InletId> = sim.snapshot(BEA).inlets.iter().map(|it| it.id).collect();
    let service = sim.share(owner, service);
    let (id, link) = sim.invite(owner, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    sim.snapshot(BEA).inlets.iter().map(|it| it.id).find(|it| !before.contains(it)).unwrap()
}

fn portal(sim: &Simulation, inlet: InletId) -> InletView {
    sim.snapshot(BEA).inlets.into_iter().find(|it| it.id == inlet).unwrap()
}

/// The name under which a portal is reached; what is checked is the same.
#[track_caller]
fn host(sim: &Simulation, inlet: InletId) -> String {
    let shown = portal(sim, inlet).host.unwrap();
    assert_eq!(sim.people[BEA].inlets[&inlet].host.as_ref(), Some(&shown), "shown and checked");
    shown
}

#[test]
fn each_web_portal_has_a_host_name_of_its_own() {
    let mut sim = Simulation::new();
    let first = joined(&mut sim, ADA, "Orders");
    let second = joined(&mut sim, ADA, "orders!");
    let other = joined(&mut sim, CID, "Orders");
    assert_eq!(host(&sim, first), "orders.ada.localhost");
    assert_eq!(host(&sim, second), "orders-2.ada.localhost");
    assert_eq!(host(&sim, other), "orders.cid.localhost");
    let view = portal(&sim, other);
    let expected = format!("http://orders.cid.localhost:{}/", view.port);
    assert_eq!((view.url, view.checked), (Some(expected), true));
    assert_eq!(view.address, format!("127.0.0.1:{}", view.port));
}

#[test]
fn a_host_name_stays_and_is_given_to_nobody_else() {
    let mut sim = Simulation::new();
    let inlet = joined(&mut sim, ADA, "Orders");
    sim.must(ADA, CoreRequest::Rename { name: "Adele".into() });
    sim.must(BEA, CoreRequest::ChangeInlet { inlet, name: Some("Theirs".into()), port: Some(7000) });
    sim.restart(BEA);
    assert_eq!(host(&sim, inlet), "orders.ada.localhost");
    assert_eq!(portal(&sim, inlet).url.as_deref(), Some("http://orders.ada.localhost:7000/"));

    // Somebody else of the same name comes when she is gone: a browser may still hold cookies of her pages.
    sim.must(BEA, CoreRequest::RemoveInlet { inlet });
    sim.run_until_idle();
    sim.must(CID, CoreRequest::Rename { name: "Ada".into() });
    let later = joined(&mut sim, CID, "Orders");
    assert_eq!(host(&sim, later), "orders.ada-2.localhost");
    let again = joined(&mut sim, ADA, "Notes");
    assert_eq!(host(&sim, again), "notes.ada.localhost");
}

#[test]
fn the_check_is_switched_off_and_on_and_that_is_kept() {
    let (mut sim, service, inlet, _) = Simulation::shared();
    sim.must(BEA, CoreRequest::SetInletCheck { inlet, on: false });
    for _ in 0..2 {
        let view = portal(&sim, inlet);
        assert_eq!((view.url.as_deref(), view.host, view.checked), (Some("http://localhost:5432/"), None, false));
        assert_eq!(sim.people[BEA].inlets[&inlet].host, None);
        assert!(sim.is_up(BEA));
        sim.restart(BEA);
    }
    sim.must(BEA, CoreRequest::SetInletCheck { inlet, on: true });
    assert_eq!(host(&sim, inlet), "orders.ada.localhost");
    let switched = |what: &str| {
        sim.people[BEA].audit.iter().any(|it| matches!(it, AuditEvent::Portal { what: written, .. } if written == what))
    };
    assert!(switched("check-off") && switched("check-on"));

    // Of TLS only the name follows it, and of anything else nothing does.
    let kind = |kind| ServicePatch { kind: Some(kind), ..ServicePatch::default() };
    sim.must(ADA, CoreRequest::ChangeService { service, patch: kind(ServiceKind::Https) });
    let view = portal(&sim, inlet);
    assert_eq!((view.host.as_deref(), view.checked), (Some("orders.ada.localhost"), true));
    assert_eq!(sim.people[BEA].inlets[&inlet].host, None, "what is encrypted cannot be checked");
    sim.must(ADA, CoreRequest::ChangeService { service, patch: kind(ServiceKind::Tcp) });
    let view = portal(&sim, inlet);
    assert_eq!((view.url, view.host, view.checked), (None, None, false));
    assert_eq!(sim.must_fail(BEA, CoreRequest::SetInletCheck { inlet, on: false }), Code::Invalid);
}

/// What a browser is told by the inlet of a portal that cannot be used.
fn told(sim: &Simulation, inlet: InletId) -> (String, bool) {
    let told = sim.people[BEA].inlets[&inlet].description.unavailable(None);
    (format!("{}: {}", told.name, told.reason), told.is_passing)
}

#[test]
fn the_inlet_of_a_web_portal_knows_why_it_cannot_be_used() {
    let (mut sim, _, inlet, grant) = Simulation::shared();
    assert_eq!(told(&sim, inlet), ("Orders: Postern is connecting to Ada.".to_owned(), true));
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: true });
    assert_eq!(told(&sim, inlet), ("Orders: Ada paused it. It works again when Ada resumes it.".to_owned(), true));
    // The names are the user's own, also when they change while it cannot be used.
    sim.must(BEA, CoreRequest::ChangeInlet { inlet, name: Some("Theirs".into()), port: None });
    assert!(told(&sim, inlet).0.starts_with("Theirs: Ada paused it."), "{:?}", told(&sim, inlet));
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: false });
    assert!(told(&sim, inlet).0.contains("connecting"), "{:?}", told(&sim, inlet));
    sim.event(BEA, Event::InletRefused(inlet, Some(EndReason::Refused)));
    assert!(told(&sim, inlet).0.contains("the service is not responding"), "{:?}", told(&sim, inlet));
    let offline = Fault::new(Code::OwnerOffline, "Ada cannot be reached: their computer or Postern is off.");
    sim.event(BEA, Event::InletDown(inlet, offline));
    assert!(told(&sim, inlet).0.contains("computer or Postern is off"), "{:?}", told(&sim, inlet));
    // After a restart and without the check it is told what is known then, or nothing.
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: true });
    sim.restart(BEA);
    assert!(told(&sim, inlet).0.contains("Ada paused it."), "{:?}", told(&sim, inlet));
    sim.must(BEA, CoreRequest::SetInletCheck { inlet, on: false });
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: false });
    sim.must(BEA, CoreRequest::SetInletCheck { inlet, on: true });
    assert!(told(&sim, inlet).0.contains("connecting"), "{:?}", told(&sim, inlet));
}

/// A record without what this version added, as an older one wrote it.
fn older<T: serde::Serialize + serde::de::DeserializeOwned>(record: &T, added: &[&str]) -> T {
    let mut json = serde_json::to_value(record).unwrap();
    let Value::Object(fields) = &mut json else { panic!() };
    added.iter().for_each(|it| drop(fields.remove(*it).unwrap()));
    serde_json::from_value(json).unwrap()
}

#[test]
fn portals_of_older_versions_get_host_names() {
    let (mut sim, _, inlet, _) = Simulation::shared();
    sim.crash(BEA);
    let disk = &mut sim.people[BEA].disk;
    for (key, record) in disk.iter_mut() {
        match (key, record) {
            (RecordKey::Profile, Record::Profile(profile)) => *profile = older::<Profile>(profile, &["owner_labels"]),
            (RecordKey::Inlet(_), Record::Inlet(it)) => *it = older::<Inlet>(it, &["service_label", "unchecked"]),
            _ => {}
        }
    }
    sim.launch(BEA);
    sim.run_until_idle();
    assert_eq!(host(&sim, inlet), "orders.ada.localhost");
    sim.restart(BEA);
    assert_eq!(host(&sim, inlet), "orders.ada.localhost");
}
