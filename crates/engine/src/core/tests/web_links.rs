//! Invitations whose links lead to a web page.

use super::simulation::{ADA, BEA, Simulation, invitation};
use crate::api::*;
use crate::peer::ticket::Ticket;

const PAGE: &str = "https://links.example/join";

/// Invites with a web link, to this page or that of the settings; `ask_first` as the user asked.
fn web_link(sim: &mut Simulation, service: ServiceId, base: Option<&str>, ask_first: bool) -> (InvitationId, Secret) {
    let CoreRequest::Invite { service, valid_for, terms, .. } = invitation(service) else { unreachable!() };
    let to = InviteTo::WebLink { note: None, base: base.map(str::to_owned) };
    sim.invite_with(ADA, CoreRequest::Invite { service, to, ask_first, valid_for, terms })
}

#[test]
fn a_web_link_always_asks_first_and_stays_one() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let (id, link) = web_link(&mut sim, service, Some(PAGE), false);
    let code = link.reveal().strip_prefix(PAGE).and_then(|it| it.strip_prefix("#join/")).unwrap();
    assert_eq!(Ticket::decode(&format!("postern://join/{code}")), Ticket::decode(link.reveal()));
    assert_eq!(Ticket::decode(link.reveal()).unwrap().id, id);
    // Shown once more, also after a restart, it is the same: never one that does not ask.
    sim.restart(ADA);
    let Answer::Invitation { link: Some(again), .. } = sim.must(ADA, CoreRequest::InvitationLink { invitation: id })
    else {
        panic!()
    };
    assert_eq!(again.reveal(), link.reveal());

    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    let knocks = sim.snapshot(ADA).knocks;
    assert_eq!(knocks.len(), 1, "nobody gets in unasked");
    assert!(!knocks[0].words.is_empty(), "with words to compare");
    assert_eq!(sim.snapshot(BEA).inlets.len(), 0);
    sim.must(ADA, CoreRequest::AnswerKnock { invitation: id, answer: KnockAnswer::Always });
    assert_eq!(sim.snapshot(BEA).inlets.len(), 1);
}

#[test]
fn the_page_of_the_settings_is_used_and_checked() {
    let mut sim = Simulation::new();
    let service = sim.share(ADA, "Orders");
    let CoreRequest::Invite { service, valid_for, terms, .. } = invitation(service) else { unreachable!() };
    let request = |base: Option<&str>| CoreRequest::Invite {
        service,
        to: InviteTo::WebLink { note: None, base: base.map(str::to_owned) },
        ask_first: true,
        valid_for,
        terms: terms.clone(),
    };
    assert_eq!(sim.must_fail(ADA, request(None)), Code::Invalid);
    assert_eq!(sim.must_fail(ADA, request(Some("http://links.example/join"))), Code::Invalid);
    let set = |base: &str| CoreRequest::SetWebLinks { base: Some(base.into()) };
    assert_eq!(sim.must_fail(ADA, set("http://links.example/join")), Code::Invalid);
    sim.must(ADA, set(PAGE));
    sim.restart(ADA);
    assert_eq!(sim.snapshot(ADA).settings.web_links.as_deref(), Some(PAGE));
    let (_, link) = sim.invite_with(ADA, request(None));
    assert!(link.reveal().starts_with("https://links.example/join#join/"));
    sim.must(ADA, set(""));
    assert_eq!(sim.snapshot(ADA).settings.web_links, None);
}
