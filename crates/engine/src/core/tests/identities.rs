//! Who people are: verification words, key histories, contact information, names that look alike.

use super::simulation::{ADA, BEA, CID, HUB, InFlight, Simulation, history, invitation};
use crate::api::*;
use crate::core::{CallId, Effect, Event, HistoryRefusal, Record, RecordKey};
use crate::peer::{ContactInfo, PeerRequest, PeerResponse};
use crate::verification_words::words;

const NEW_KEY: [u8; 32] = [0x21; 32];
const FORKED_KEY: [u8; 32] = [0x22; 32];

fn verify(sim: &mut Simulation, who: usize, of: usize) {
    let person = sim.people[of].identifier;
    let words = Some(contact(sim, who).words);
    sim.must(who, CoreRequest::Verify { person, verified: true, words });
}

/// Somebody's only contact.
fn contact(sim: &Simulation, who: usize) -> ContactView {
    sim.snapshot(who).contacts[0].clone()
}

/// Gives somebody a new key, with which they come back.
fn rotate(sim: &mut Simulation, who: usize) {
    sim.people[who].keys.push(NEW_KEY);
    sim.restart(who);
}

/// Makes Ada's record of Bea what an earlier version had written, and starts with it.
fn downgrade(sim: &mut Simulation, changes: u32, verified: bool) {
    let bea = sim.people[BEA].identifier;
    sim.crash(ADA);
    let key = RecordKey::Contact(bea);
    let Some(Record::Contact(contact)) = sim.people[ADA].disk.get_mut(&key) else { panic!("no contact") };
    (contact.changes, contact.verified_changes, contact.history) = (changes, changes, None);
    (contact.verified, contact.verified_key) = (verified, None);
    // As it is read from JSON without the new fields.
    let json = serde_json::to_value(&*contact).unwrap();
    for field in ["history", "verified_key", "refused_history", "postal_refused"] {
        assert!(json.get(field).is_none(), "{field}");
    }
    *contact = serde_json::from_value(json).unwrap();
    sim.crash(BEA);
    sim.launch(ADA);
    sim.run_until_idle();
}

fn notices(sim: &Simulation, of: impl Fn(&Notice) -> bool) -> usize {
    sim.people[ADA].notices.iter().filter(|it| of(it)).count()
}

#[test]
fn both_sides_see_the_words_of_one_person() {
    let (sim, ..) = Simulation::shared();
    let (ada, bea) = (sim.snapshot(ADA), sim.snapshot(BEA));
    assert_eq!(ada.me.unwrap().words.as_ref(), Some(&bea.contacts[0].words));
    assert_eq!(bea.me.unwrap().words.as_ref(), Some(&ada.contacts[0].words));
    assert_ne!(ada.contacts[0].words, bea.contacts[0].words);
    assert_eq!(ada.contacts[0].words.split(' ').count(), 8);
}

#[test]
fn a_rotated_key_changes_the_words_and_is_to_be_verified_again() {
    let (mut sim, ..) = Simulation::shared();
    verify(&mut sim, ADA, BEA);
    let before = contact(&sim, ADA);
    assert!(before.verified && before.verify_again.is_none());
    rotate(&mut sim, BEA);
    for _ in 0..2 {
        let after = contact(&sim, ADA);
        assert_ne!(after.words, before.words);
        assert_eq!(after.words, words(&NEW_KEY));
        assert_eq!(
            (after.verified, after.key_changed, after.verify_again),
            (false, true, Some(VerifyAgain::KeyChanged))
        );
        assert_eq!(sim.snapshot(ADA).status, Status::Attention);
        sim.restart(ADA);
    }
    assert_eq!(notices(&sim, |it| matches!(it, Notice::KeyChanged { .. })), 1);
    assert_eq!(sim.snapshot(BEA).me.unwrap().words, Some(words(&NEW_KEY)));
    verify(&mut sim, ADA, BEA);
    let verified = contact(&sim, ADA);
    assert!(verified.verified && !verified.key_changed && verified.verify_again.is_none());
}

#[test]
fn the_words_that_were_compared_must_be_those_of_the_present_key() {
    let (mut sim, ..) = Simulation::shared();
    let seen = contact(&sim, ADA).words;
    rotate(&mut sim, BEA);
    let person = sim.people[BEA].identifier;
    let request = CoreRequest::Verify { person, verified: true, words: Some(seen) };
    assert_eq!(sim.must_fail(ADA, request), Code::KeyChanged);
    assert_eq!(sim.must_fail(ADA, CoreRequest::Verify { person, verified: true, words: None }), Code::Invalid);
    assert!(!contact(&sim, ADA).verified);
}

#[test]
fn what_was_met_before_it_was_a_contact_is_no_change() {
    let mut sim = Simulation::new();
    let bea = sim.people[BEA].identifier;
    sim.people[BEA].keys.push(NEW_KEY);
    let met = sim.introduction(BEA);
    sim.event(ADA, met);
    let service = sim.share(ADA, "Orders");
    let (id, link) = sim.invite(ADA, service);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    assert_eq!(contact(&sim, ADA).words, words(&NEW_KEY));
    verify(&mut sim, ADA, BEA);
    let met = sim.introduction(BEA);
    sim.event(ADA, met);
    assert!(!contact(&sim, ADA).key_changed);
    // Forgotten and met again, the history is still known.
    let grant = sim.snapshot(ADA).services[0].people[0].grant;
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    sim.must(ADA, CoreRequest::Forget { person: bea });
    assert_eq!(sim.people[ADA].state.as_ref().unwrap().records.words_of(bea), Some(words(&NEW_KEY)));
}

#[test]
fn contacts_verified_by_the_old_words_are_to_be_verified_again() {
    let (mut sim, ..) = Simulation::shared();
    downgrade(&mut sim, 1, true);
    let old = contact(&sim, ADA);
    assert_eq!((old.verified, old.key_changed, old.verify_again), (false, false, Some(VerifyAgain::WordsChanged)));
    assert_eq!(sim.snapshot(ADA).status, Status::Attention);
    assert!(sim.people[ADA].state.as_ref().unwrap().findings(sim.now(ADA)).iter().any(|it| it.subject == "contact"));
    // With one change the history is known: the words can be compared without having met again.
    verify(&mut sim, ADA, BEA);
    assert!(contact(&sim, ADA).verified);
    sim.launch(BEA);
    sim.run_until_idle();
    assert!(contact(&sim, ADA).verified, "filling in the history changes nothing");
}

#[test]
fn an_old_contact_whose_key_changes_is_said_to_have_changed() {
    let (mut sim, ..) = Simulation::shared();
    downgrade(&mut sim, 1, true);
    sim.people[BEA].keys.push(NEW_KEY);
    sim.launch(BEA);
    sim.run_until_idle();
    assert_eq!(contact(&sim, ADA).verify_again, Some(VerifyAgain::KeyChanged));
}

#[test]
fn words_are_unknown_until_the_history_of_an_old_contact_was_seen() {
    let (mut sim, ..) = Simulation::shared();
    let person = sim.people[BEA].identifier;
    sim.people[BEA].keys.push(NEW_KEY);
    downgrade(&mut sim, 2, false);
    assert_eq!(contact(&sim, ADA).words, "");
    assert_eq!(sim.must_fail(ADA, CoreRequest::Verify { person, verified: true, words: None }), Code::NotFound);
    sim.launch(BEA);
    sim.run_until_idle();
    assert_eq!(contact(&sim, ADA).words, words(&NEW_KEY));
}

#[test]
fn a_shorter_history_than_the_counted_one_is_refused_and_admits_nobody() {
    let (mut sim, service, inlet, _) = Simulation::shared();
    // Ada's record of before says that there are two changes, and somebody with the first key comes.
    downgrade(&mut sim, 2, true);
    sim.launch(BEA);
    sim.run_until_idle();
    let refused = contact(&sim, ADA).key_refused.expect("a fault");
    assert_eq!(refused.code, Code::KeyRefused);
    assert!(sim.people[ADA].admission[&service][0].refusal.is_some());
    assert!(sim.connect(BEA, inlet).is_err());
    sim.run_until_idle();
    // The real one comes, with the history that was counted.
    sim.people[BEA].keys.push(NEW_KEY);
    sim.restart(BEA);
    assert!(sim.connect(BEA, inlet).is_ok());
    assert!(contact(&sim, ADA).key_refused.is_some(), "it is reported until the user reacts");
}

#[test]
fn a_refused_history_is_reported_after_a_restart_until_the_user_reacts() {
    let (mut sim, ..) = Simulation::shared();
    let bea = sim.people[BEA].identifier;
    sim.event(ADA, Event::HistoryRefused(bea, HistoryRefusal::Older));
    sim.event(ADA, Event::HistoryRefused(bea, HistoryRefusal::Older));
    let fork = Event::PeerIdentified(bea, history(&[*bea.as_bytes(), FORKED_KEY]));
    let longer = Event::PeerIdentified(bea, history(&[*bea.as_bytes(), NEW_KEY]));
    for event in [longer, fork.clone(), fork, Event::HistoryRefused(bea, HistoryRefusal::Older)] {
        sim.event(ADA, event);
    }
    sim.restart(ADA);
    assert_eq!(notices(&sim, |it| matches!(it, Notice::KeyRefused { .. })), 2, "one for each kind");
    let seen = sim.snapshot(ADA);
    assert_eq!(seen.contacts[0].words, words(&NEW_KEY), "the fork is not taken");
    let fault = seen.contacts[0].key_refused.clone().expect("a fault");
    assert!(fault.message.contains("does not follow"), "{fault}");
    assert!(seen.troubles.contains(&fault) && seen.status == Status::Attention);
    assert!(
        sim.people[ADA].state.as_ref().unwrap().findings(sim.now(ADA)).iter().any(|it| it.message == fault.message)
    );
    verify(&mut sim, ADA, BEA);
    assert!(contact(&sim, ADA).key_refused.is_none());
}

#[test]
fn whole_histories_are_stored_and_pinned_before_anybody_can_connect() {
    let (mut sim, ..) = Simulation::shared();
    rotate(&mut sim, BEA);
    let whole = history(&sim.people[BEA].keys).encoded;
    assert!(sim.people[ADA].pinned.contains(&whole), "pinned when it is met");
    sim.crash(ADA);
    sim.launch(ADA);
    // The first transition with the identity.
    while !sim.last.1.iter().any(|it| matches!(it, Effect::KeepHub(_))) {
        let next = sim.in_flight.pop_front().expect("a hub is kept");
        sim.deliver(next);
    }
    let place = |which: fn(&Effect) -> bool| sim.last.1.iter().position(which);
    let pinned = place(|it| matches!(it, Effect::PinHistories(_))).expect("pinned at the start");
    assert!(pinned < place(|it| matches!(it, Effect::KeepHub(_))).unwrap());
    assert!(sim.people[ADA].pinned.contains(&whole));
}

/// What Ada answers to somebody's sync.
fn synced(sim: &mut Simulation, who: usize, grants: Vec<GrantId>) -> PeerResponse {
    let (name, postal) = (sim.people[who].name.to_owned(), sim.people[who].identifier.as_bytes().to_vec());
    let contact = ContactInfo { name, postal, hubs: vec![HUB.into()], reach: Vec::new() };
    let call = CallId(1_000_000);
    let message = PeerRequest::Sync { grants, contact };
    sim.in_flight.clear();
    let (from, to) = (who, sim.people[ADA].identifier);
    let incarnation = sim.people[from].incarnation;
    sim.deliver(InFlight::Ask { from, incarnation, call, to, message });
    let answers = sim.last.1.iter().find_map(|it| match it {
        Effect::Reply(_, response) => Some(response.clone()),
        _ => None,
    });
    answers.expect("an answer")
}

#[test]
fn only_friends_and_the_invited_get_the_contact_information() {
    let (mut sim, service, _, grant) = Simulation::shared();
    let (bea, cid) = (sim.people[BEA].identifier, sim.people[CID].identifier);
    let is_given = |response: PeerResponse| matches!(response, PeerResponse::Grants(_, info) if info.is_given());
    assert!(is_given(synced(&mut sim, BEA, vec![grant])), "a friend");
    assert_eq!(synced(&mut sim, CID, vec![grant]), PeerResponse::Refused(Code::Revoked), "a stranger");
    assert_eq!(synced(&mut sim, CID, Vec::new()), PeerResponse::Refused(Code::Revoked), "a stranger");
    sim.must(ADA, CoreRequest::Block { person: bea, on: true });
    assert_eq!(synced(&mut sim, BEA, vec![grant]), PeerResponse::Refused(Code::Blocked), "a blocked friend");
    sim.must(ADA, CoreRequest::Block { person: bea, on: false });
    sim.must(ADA, CoreRequest::PauseGrant { grant, on: true });
    assert!(is_given(synced(&mut sim, BEA, vec![grant])), "a friend whose access is paused");
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    assert_eq!(synced(&mut sim, BEA, vec![grant]), PeerResponse::Refused(Code::Revoked), "a former friend");
    let to = InviteTo::Contact { person: bea };
    let request = CoreRequest::Invite { service, to, ask_first: false, valid_for: None, terms: Terms::default() };
    sim.must(ADA, request);
    assert!(is_given(synced(&mut sim, BEA, vec![grant])), "a contact who is invited");
    assert!(sim.snapshot(ADA).contacts.iter().all(|it| it.identifier != cid));
}

#[test]
fn whoever_shares_nothing_any_more_gets_no_contact_information() {
    let (mut sim, .., grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    // Bea's engine asks after a restart, without saying where she is.
    sim.crash(BEA);
    sim.launch(BEA);
    let mut asked = 0;
    while let Some(message) = sim.in_flight.pop_front() {
        if let InFlight::Ask { message: PeerRequest::Sync { contact, .. }, .. } = &message {
            assert!(!contact.is_given(), "{contact:?}");
            asked += 1;
        }
        sim.deliver(message);
    }
    assert!(asked > 0);
    assert_eq!(contact(&sim, ADA).name, "Bea", "what was known stays known");
}

#[test]
fn mail_goes_to_no_address_of_somebody_else() {
    let (mut sim, service, ..) = Simulation::shared();
    let (bea, cid) = (sim.people[BEA].identifier, sim.people[CID].identifier);
    // An earlier version stored what Bea said her address was.
    sim.crash(ADA);
    let Some(Record::Contact(stored)) = sim.people[ADA].disk.get_mut(&RecordKey::Contact(bea)) else { panic!() };
    stored.postal = Some(cid.as_bytes().to_vec());
    sim.crash(BEA);
    sim.launch(ADA);
    sim.run_until_idle();
    let notes = sim.share(ADA, "Notes");
    assert_ne!(notes, service);
    let to = InviteTo::Contact { person: bea };
    let request =
        CoreRequest::Invite { service: notes, to, ask_first: false, valid_for: None, terms: Terms::default() };
    sim.must(ADA, request);
    sim.advance(60_000);
    assert!(sim.snapshot(CID).invitations.is_empty() && sim.old_mail.is_empty());
    let seen = sim.snapshot(ADA);
    assert!(!seen.contacts[0].can_be_mailed);
    assert!(seen.troubles.iter().any(|it| it.code == Code::CannotMail), "{:?}", seen.troubles);
    // Met again, Bea gives her own.
    sim.launch(BEA);
    sim.run_until_idle();
    assert!(contact(&sim, ADA).can_be_mailed && sim.snapshot(ADA).troubles.is_empty());
}

#[test]
fn a_postal_address_that_the_driver_refused_is_reported() {
    let (mut sim, ..) = Simulation::shared();
    let bea = sim.people[BEA].identifier;
    sim.event(ADA, Event::PostalRefused(bea));
    assert!(!contact(&sim, ADA).can_be_mailed);
    assert!(sim.snapshot(ADA).troubles.iter().any(|it| it.code == Code::CannotMail));
    assert!(sim.people[ADA].audit.iter().any(|it| matches!(it, AuditEvent::Refused { .. })));
}

#[test]
fn a_stranger_who_knocks_under_the_name_of_a_contact_is_recognised() {
    for name in ["Bea", "bеa", "BEA"] {
        let (mut sim, service, ..) = Simulation::shared();
        let mut ask_first = invitation(service);
        if let CoreRequest::Invite { ask_first, .. } = &mut ask_first {
            *ask_first = true;
        }
        let (id, link) = sim.invite_with(ADA, ask_first);
        sim.must(CID, CoreRequest::Rename { name: name.into() });
        sim.open(CID, &link);
        sim.must(CID, CoreRequest::Accept { invitation: id, port: None });
        let knock = sim.snapshot(ADA).knocks[0].clone();
        assert_eq!((knock.looks_like.as_deref(), knock.verified), (Some("Bea"), false), "{name}");
        assert_eq!(Some(&knock.words), sim.snapshot(CID).me.unwrap().words.as_ref());
        let notice = sim.people[ADA].notices.iter().find_map(|it| match it {
            Notice::Knock { words, looks_like, verified, .. } => Some((words.clone(), looks_like.clone(), *verified)),
            _ => None,
        });
        assert_eq!(notice, Some((Some(knock.words), Some("Bea".to_owned()), false)));
    }
}

#[test]
fn a_knock_of_the_contact_itself_is_no_imposture() {
    let (mut sim, service, _, grant) = Simulation::shared();
    sim.must(ADA, CoreRequest::RevokeGrant { grant });
    verify(&mut sim, ADA, BEA);
    let mut request = invitation(service);
    if let CoreRequest::Invite { ask_first, .. } = &mut request {
        *ask_first = true;
    }
    let (id, link) = sim.invite_with(ADA, request);
    sim.open(BEA, &link);
    sim.must(BEA, CoreRequest::Accept { invitation: id, port: None });
    let knock = sim.snapshot(ADA).knocks[0].clone();
    assert_eq!((knock.looks_like, knock.verified), (None, true));
}

#[test]
fn an_invitation_of_a_stranger_under_the_name_of_a_contact_is_recognised() {
    let (mut sim, ..) = Simulation::shared();
    let service = sim.share(CID, "Trap");
    sim.must(CID, CoreRequest::Rename { name: "Adа".into() });
    let (_, link) = sim.invite(CID, service);
    assert_eq!(sim.open(BEA, &link).looks_like.as_deref(), Some("Ada"));
    assert_eq!(sim.snapshot(BEA).invitations[0].looks_like.as_deref(), Some("Ada"));
}
