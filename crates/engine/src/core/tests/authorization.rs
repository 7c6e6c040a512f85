//! The authorization matrix, walked by sending every message as every party and comparing what happens with the table.

use super::simulation::{ADA, BEA, CID, HUB, InFlight, Simulation};
use crate::api::*;
use crate::core::authorization::{Party, Verdict, of_notification, of_request};
use crate::core::{CallId, Effect, Event, Record};
use crate::peer::{ContactInfo, GrantStatus, PeerAddress, PeerNotification, PeerRequest, PeerResponse, relay_name};
use std::collections::BTreeSet;

const PARTIES: [Party; 6] =
    [Party::Owner, Party::Blocked, Party::Invited, Party::Friend, Party::FormerFriend, Party::Stranger];

/// Ada with what a message may be about, and the sender, who is of this party to her.
struct Scene {
    sim: Simulation,
    sender: usize,
    grant: GrantId,
    ticket: InvitationId,
    secret: [u8; 32],
}

/// A new request does not compile without a number here. Add it to [`Scene::requests`] too, and to the count that is compared: only
/// then is it walked.
fn number_of_request(request: &PeerRequest) -> usize {
    match request {
        PeerRequest::Seen { .. } => 0,
        PeerRequest::Sync { .. } => 1,
        PeerRequest::Redeem { .. } => 2,
        PeerRequest::Decline { .. } => 3,
        PeerRequest::GiveBack { .. } => 4,
    }
}

/// As [`number_of_request`].
fn number_of_notification(notification: &PeerNotification) -> usize {
    match notification {
        PeerNotification::Invitation { .. } => 0,
        PeerNotification::KnockDecided { .. } => 1,
        PeerNotification::Grant { .. } => 2,
        PeerNotification::Withdrawn { .. } => 3,
        PeerNotification::GoingOffline => 4,
    }
}

impl Scene {
    /// For requests: Ada shares with Bea, who becomes the party; Cid is the stranger.
    fn of_requests(party: Party) -> Self {
        let (mut sim, service, _, grant) = Simulation::shared();
        let person = sim.people[BEA].identifier;
        match party {
            Party::Blocked => drop(sim.must(ADA, CoreRequest::Block { person, on: true })),
            Party::FormerFriend | Party::Invited => drop(sim.must(ADA, CoreRequest::RevokeGrant { grant })),
            Party::Owner | Party::Friend | Party::Stranger => {}
        }
        if party == Party::Invited {
            let to = InviteTo::Contact { person };
            let terms = Terms::default();
            let invite = CoreRequest::Invite { service, to, ask_first: false, valid_for: None, terms };
            sim.must(ADA, invite);
        }
        let (ticket, _) = sim.invite(ADA, service);
        let stored = sim.people[ADA].disk.values().find_map(|it| match it {
            Record::Invitation(it) if it.id == ticket => Some(*it.secret.as_ref().unwrap().reveal()),
            _ => None,
        });
        // Only the invited one knows the secret; the blocked one would not get in with it either.
        let knows = matches!(party, Party::Invited | Party::Blocked | Party::Owner);
        let secret = if knows { stored.expect("a secret") } else { [7; 32] };
        let sender = match party {
            Party::Owner => ADA,
            Party::Stranger => CID,
            _ => BEA,
        };
        sim.in_flight.clear();
        Self { sim, sender, grant, ticket, secret }
    }

    /// For notifications: what Ada hears as a friend of Bea (owner), as an owner of Bea, or of Cid.
    fn of_notifications(party: Party) -> Self {
        if party != Party::Owner {
            return Self::of_requests(party);
        }
        let mut scene = Self::of_requests(Party::Friend);
        let service = scene.sim.share(BEA, "Photos");
        let (ticket, link) = scene.sim.invite(BEA, service);
        scene.sim.open(ADA, &link);
        scene.sim.must(ADA, CoreRequest::Accept { invitation: ticket, port: None });
        let (later, link) = scene.sim.invite(BEA, service);
        scene.sim.open(ADA, &link);
        scene.ticket = later;
        scene.grant = scene.sim.snapshot(BEA).services[0].people[0].grant;
        scene
    }

    fn card(&self) -> ContactInfo {
        let sender = &self.sim.people[self.sender];
        let (name, postal) = (sender.name.to_owned(), sender.identifier.as_bytes().to_vec());
        ContactInfo { name, postal, hubs: vec![HUB.into()], reach: Vec::new() }
    }

    fn requests(&self) -> Vec<PeerRequest> {
        let (ticket, secret, grant, contact) = (self.ticket, self.secret, self.grant, self.card());
        vec![
            PeerRequest::Seen { ticket, secret },
            PeerRequest::Sync { grants: vec![grant], contact: contact.clone() },
            PeerRequest::Redeem { ticket, secret, contact },
            PeerRequest::Decline { ticket, secret },
            PeerRequest::GiveBack { grant },
        ]
    }

    fn notifications(&self) -> Vec<PeerNotification> {
        let (ticket, grant) = (self.ticket, self.grant);
        let address =
            PeerAddress::Hub { address: HUB.into(), relay: relay_name(&self.sim.people[self.sender].identifier) };
        vec![
            PeerNotification::Invitation {
                ticket: InvitationId([0x77; 16]),
                secret: [1; 32],
                owner_name: "X".into(),
                reach: vec![address],
                service_name: "Y".into(),
                service_kind: ServiceKind::Tcp,
                description: None,
                port: 1,
                expires: UnixMillis(u64::MAX),
            },
            PeerNotification::KnockDecided { ticket },
            PeerNotification::Grant { grant, status: GrantStatus::Inactive(Code::PausedByOwner) },
            PeerNotification::Withdrawn { ticket },
            PeerNotification::GoingOffline,
        ]
    }

    /// What Ada's engine answers.
    fn ask(&mut self, message: PeerRequest) -> PeerResponse {
        let (from, to) = (self.sender, self.sim.people[ADA].identifier);
        let incarnation = self.sim.people[from].incarnation;
        self.sim.deliver(InFlight::Ask { from, incarnation, call: CallId(1 << 40), to, message });
        let reply = self.sim.last.1.iter().find_map(|it| match it {
            Effect::Reply(_, response) => Some(response.clone()),
            _ => None,
        });
        reply.expect("every request is answered")
    }

    /// Whether a notification is refused, and whether it does anything beside that.
    fn notify(&mut self, notification: PeerNotification) -> (bool, bool) {
        let before = self.sim.snapshot(ADA);
        let from = self.sim.people[self.sender].identifier;
        self.sim.event(ADA, Event::PeerNotification(from, notification));
        let effects = &self.sim.last.1;
        let refused = effects.iter().any(|it| matches!(it, Effect::Audit(AuditEvent::Refused { .. })));
        let does = effects.iter().any(|it| !matches!(it, Effect::Audit(AuditEvent::Refused { .. })));
        (refused, does || self.sim.snapshot(ADA) != before)
    }
}

#[test]
fn every_request_of_every_party_is_answered_as_the_matrix_says() {
    for party in PARTIES {
        let listed: BTreeSet<usize> = Scene::of_requests(party).requests().iter().map(number_of_request).collect();
        assert_eq!(listed.len(), 5, "a request is not walked");
        for number in 0..Scene::of_requests(party).requests().len() {
            let mut scene = Scene::of_requests(party);
            let request = scene.requests().swap_remove(number);
            let from = scene.sim.people[scene.sender].identifier;
            let state = scene.sim.people[ADA].state.as_ref().unwrap();
            assert_eq!(state.records.party_of_request(from, &request), party, "{request:?}");
            let verdict = of_request(&request, party);
            let response = scene.ask(request.clone());
            let said = format!("{request:?} of {party:?}: {response:?}");
            match (verdict, &response) {
                (Verdict::Refused(code), response) => assert_eq!(*response, PeerResponse::Refused(code), "{said}"),
                (Verdict::OwnStatusOnly, PeerResponse::Refused(_)) => {}
                (Verdict::OwnStatusOnly, PeerResponse::Grants(_, info)) => assert!(!info.is_given(), "{said}"),
                (Verdict::Allowed, PeerResponse::Granted(_, info) | PeerResponse::Grants(_, info)) => {
                    assert!(info.is_given(), "{said}");
                }
                (Verdict::Allowed, PeerResponse::Done) => {}
                _ => panic!("{said}"),
            }
            // Nobody else hears where Ada is.
            let is_told = match &response {
                PeerResponse::Granted(_, info) | PeerResponse::Grants(_, info) => info.is_given(),
                PeerResponse::Pending | PeerResponse::Refused(_) | PeerResponse::Done => false,
            };
            assert!(!is_told || matches!(party, Party::Invited | Party::Friend), "{said}");
        }
    }
}

#[test]
fn every_notification_of_every_party_is_taken_as_the_matrix_says() {
    for party in PARTIES {
        let notifications = Scene::of_notifications(party).notifications();
        let listed: BTreeSet<usize> = notifications.iter().map(number_of_notification).collect();
        assert_eq!(listed.len(), 5, "a notification is not walked");
        for number in 0..notifications.len() {
            let mut scene = Scene::of_notifications(party);
            let notification = scene.notifications().swap_remove(number);
            let from = scene.sim.people[scene.sender].identifier;
            let state = scene.sim.people[ADA].state.as_ref().unwrap();
            // Bea is the owner of what Ada has; the user's own engine is nobody to herself.
            let found = state.records.party_of_notification(from);
            assert_eq!(found, party, "{notification:?}");
            let verdict = of_notification(&notification, party);
            let said = format!("{notification:?} of {party:?}");
            match (verdict, scene.notify(notification)) {
                (Verdict::Allowed, (false, _)) | (Verdict::Ignored, (false, false)) => {}
                (Verdict::Refused(_), (true, false)) => {}
                (verdict, (refused, does)) => panic!("{said}: {verdict:?}, but refused {refused}, does {does}"),
            }
        }
    }
}
