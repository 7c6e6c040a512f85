//! The state as faces see it.

use crate::api::{
    Answer, Code, ContactView, Fault, Finding, GrantState, Health, HubView, InletLink, InletView, KnockView, LinkState,
    Me, PersonView, ReceivedState, ReceivedView, SentState, SentView, ServiceKind, ServiceView, Settings, Severity,
    Snapshot, Status, ThisComputer, UnixMillis,
};
use crate::core::State;
use crate::core::commands::{contacts, grants, hubs, incoming_invitations, inlets, invitations};
use crate::core::derive::portal_status::PortalState;
use crate::core::event::Now;
use crate::core::records::{Contact, Grant, Inlet, Invitation, Received, Service};
use crate::core::tasks::mail;
use crate::core::tasks::outbound_calls::OutboundCall;

impl State {
    /// Everything visible at this instant. Equal states give equal snapshots, in the same order.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let mut snapshot = Snapshot {
            me: self.profile.as_ref().and_then(|it| Some(Me { identifier: it.identity?, name: it.name.clone() })),
            status: Status::Idle,
            paused: self.is_paused(),
            this_computer: self.this_computer_view(),
            hubs: self.hub_views(),
            services: sorted(self.services.all(), |it| (it.created, it.id), |it| self.service_view(it, now.wall)),
            inlets: self.inlet_views(now.wall),
            invitations: self.received_views(now.wall),
            knocks: self.knock_views(),
            contacts: self.contact_views(),
            settings: self.settings(),
            troubles: self.troubles(),
        };
        snapshot.status = status(&snapshot);
        snapshot
    }

    fn this_computer_view(&self) -> ThisComputer {
        ThisComputer {
            on: self.profile.as_ref().is_some_and(|it| it.this_computer),
            addresses: self.this_computer.addresses.clone(),
            fault: self.this_computer.fault.clone(),
        }
    }

    fn hub_views(&self) -> Vec<HubView> {
        let hubs = self.profile.iter().flat_map(|it| &it.hubs);
        let view = |address: &String| {
            let link = self.hubs.get(address);
            HubView {
                address: address.clone(),
                link: match link {
                    _ if !self.is_running() => LinkState::Off,
                    Some(link) => link.state(),
                    None => LinkState::Connecting,
                },
                identifier: link.and_then(|it| it.identifier),
            }
        };
        hubs.map(view).collect()
    }

    fn service_view(&self, service: &Service, wall: UnixMillis) -> ServiceView {
        let grants = self.grants.all().filter(|it| it.service == service.id);
        let people = sorted(grants, |it| (it.created, it.id), |it| self.person_view(it, wall));
        let sent = self.invitations.all().filter(|it| it.service == service.id && it.state != SentState::Accepted);
        ServiceView {
            id: service.id,
            name: service.name.clone(),
            kind: service.kind,
            target: service.target.clone(),
            path: service.path.clone(),
            description: service.description.clone(),
            on: service.on,
            health: self.watches.get(&service.id).map(|it| it.health.clone()).unwrap_or_default(),
            live: people.iter().map(|it| it.live).sum(),
            people,
            invitations: sorted(sent, |it| (it.created, it.id), |it| self.sent_view(it, wall)),
            created: service.created,
        }
    }

    fn person_view(&self, grant: &Grant, wall: UnixMillis) -> PersonView {
        let used = self.uses.get(&grant.id);
        let is_over = grants::is_live(grant.state) && self.why_not(grant, wall) == Some(Code::Expired);
        PersonView {
            grant: grant.id,
            person: grant.person,
            name: self.name(grant.person),
            verified: self.contacts.get(grant.person).is_some_and(contacts::is_verified),
            state: if is_over { GrantState::Expired } else { grant.state },
            terms: grant.terms.clone(),
            last_used: used.and_then(|it| it.last).or(grant.last_used),
            live: used.map_or(0, |it| it.live),
        }
    }

    fn sent_view(&self, invitation: &Invitation, wall: UnixMillis) -> SentView {
        let is_over = invitations::is_open(invitation.state) && invitation.expires <= wall;
        SentView {
            id: invitation.id,
            to: invitation.person,
            name: self.invited_name(invitation),
            state: if is_over { SentState::Expired } else { invitation.state },
            ask_first: invitation.ask_first,
            terms: invitation.terms.clone(),
            created: invitation.created,
            expires: invitation.expires,
        }
    }

    fn inlet_views(&self, wall: UnixMillis) -> Vec<InletView> {
        let inlets = self.inlets.all().filter(|it| !it.giving_back);
        sorted(inlets, |it| (it.name.to_lowercase(), it.id), |it| self.inlet_view(it, wall))
    }

    fn inlet_view(&self, inlet: &Inlet, wall: UnixMillis) -> InletView {
        let line = self.lines.get(&inlet.id);
        let link = match self.link(inlet, wall) {
            PortalState::Off => InletLink::Off,
            PortalState::Connecting => InletLink::Connecting,
            PortalState::Up(way) => InletLink::Up { way, round_trip_ms: line.and_then(|it| it.round_trip) },
            PortalState::Down(fault) => InletLink::Down { fault, since: line.map_or(wall, |it| it.since) },
        };
        InletView {
            id: inlet.id,
            owner: inlet.owner,
            owner_name: self.name(inlet.owner),
            owner_verified: self.contacts.get(inlet.owner).is_some_and(contacts::is_verified),
            name: inlet.name.clone(),
            service_name: inlet.service_name.clone(),
            kind: inlet.service_kind,
            description: inlet.description.clone(),
            port: inlet.port,
            address: format!("127.0.0.1:{}", inlet.port),
            url: url(inlet),
            on: inlet.on,
            link,
            live: line.map_or(0, |it| it.live),
            expires: inlet.until,
        }
    }

    fn received_views(&self, wall: UnixMillis) -> Vec<ReceivedView> {
        let is_visible = |it: &&Received| !incoming_invitations::is_answered(it) && !self.is_blocked(it.owner);
        let visible = self.received.all().filter(is_visible);
        sorted(visible, |it| (it.expires, it.id), |it| self.received_view(it, wall))
    }

    fn received_view(&self, received: &Received, wall: UnixMillis) -> ReceivedView {
        let contact = self.contacts.get(received.owner);
        let state = match &received.over {
            Some(fault) => ReceivedState::Over { fault: fault.clone() },
            None if received.accepted => {
                let fault = self.key_fault().or_else(|| self.errands.fault(OutboundCall::Redeem(received.id)));
                ReceivedState::Accepting { fault: fault.cloned() }
            }
            None if received.expires <= wall => ReceivedState::Over {
                fault: crate::core::fault_messages::invitation(Code::Expired, &received.owner_name),
            },
            None => ReceivedState::New,
        };
        ReceivedView {
            id: received.id,
            owner: received.owner,
            owner_name: contact.map_or_else(|| received.owner_name.clone(), contacts::name_of),
            owner_known: contact.is_some(),
            owner_verified: contact.is_some_and(contacts::is_verified),
            words: self.words_with(received.owner).unwrap_or_default(),
            service_name: received.service_name.clone(),
            kind: received.service_kind,
            description: received.description.clone(),
            port: received.chosen_port.unwrap_or_else(|| inlets::proposed_port(self, received.port)),
            expires: received.expires,
            state,
        }
    }

    fn knock_views(&self) -> Vec<KnockView> {
        let at = |it: &Invitation| self.knocks.get(&it.id).map_or(it.created, |knock| knock.at);
        let knocking = self.invitations.all().filter(|it| it.state == SentState::Knocking);
        let view = |it: &Invitation| {
            let person = it.person?;
            Some(KnockView {
                invitation: it.id,
                person,
                name: self.invited_name(it).unwrap_or_default(),
                words: self.words_with(person).unwrap_or_default(),
                service: it.service,
                service_name: self.service_name(it.service),
                at: at(it),
            })
        };
        sorted(knocking, |it| (at(it), it.id), view).into_iter().flatten().collect()
    }

    fn contact_views(&self) -> Vec<ContactView> {
        let view = |it: &Contact| ContactView {
            identifier: it.identifier,
            name: contacts::name_of(it),
            own_name: it.own_name.clone(),
            words: self.words_with(it.identifier).unwrap_or_default(),
            verified: contacts::is_verified(it),
            blocked: it.blocked,
            key_changed: contacts::key_has_changed(it),
            can_be_mailed: mail::can_be_mailed(it),
            since: it.since,
        };
        sorted(self.contacts.all(), |it| (contacts::name_of(it).to_lowercase(), it.identifier), view)
    }

    fn settings(&self) -> Settings {
        Settings {
            keychain: self.launch.keychain,
            data_dir: self.launch.data_dir.clone(),
            retention_days: self
                .profile
                .as_ref()
                .map_or(crate::core::commands::profile::RETENTION_DAYS, |it| it.retention_days),
            version: self.launch.version.clone(),
        }
    }

    fn troubles(&self) -> Vec<Fault> {
        let mut troubles: Vec<Fault> = self.key_fault().cloned().into_iter().collect();
        let others = self.hubs.iter().filter(|(_, it)| it.is_other).map(|(address, _)| hubs::is_another(address));
        troubles.extend(others);
        let has_no_way_in = self.is_running() && self.services.len() > 0 && self.reach().is_empty();
        if has_no_way_in
            && self.this_computer.fault.is_none()
            && !self.profile.as_ref().is_some_and(|it| it.this_computer)
        {
            troubles.push(invitations::no_way_in());
        }
        troubles
    }
}

/// Views of records in the order of a key.
fn sorted<'a, T: 'a, K: Ord, V>(
    records: impl Iterator<Item = &'a T>,
    key: impl Fn(&T) -> K,
    view: impl Fn(&T) -> V,
) -> Vec<V> {
    let mut records: Vec<&T> = records.collect();
    records.sort_by_cached_key(|it| key(it));
    records.into_iter().map(view).collect()
}

/// What a browser opens.
fn url(inlet: &Inlet) -> Option<String> {
    let scheme = match inlet.service_kind {
        ServiceKind::Tcp => return None,
        ServiceKind::Http => "http",
        ServiceKind::Https => "https",
    };
    Some(format!("{scheme}://localhost:{}{}", inlet.port, inlet.path.as_deref().unwrap_or("/")))
}

fn status(snapshot: &Snapshot) -> Status {
    let is_up = |it: &InletView| matches!(it.link, InletLink::Up { .. });
    let is_live = snapshot.services.iter().any(|it| it.live > 0) || snapshot.inlets.iter().any(|it| it.live > 0);
    let waits = !snapshot.troubles.is_empty()
        || !snapshot.knocks.is_empty()
        || snapshot.invitations.iter().any(|it| it.state == ReceivedState::New)
        || snapshot.contacts.iter().any(|it| it.key_changed);
    let has_way = snapshot.hubs.iter().any(|it| it.link == LinkState::Up)
        || !snapshot.this_computer.addresses.is_empty()
        || snapshot.inlets.iter().any(is_up);
    if snapshot.me.is_none() {
        Status::Idle
    } else if waits {
        Status::Attention
    } else if snapshot.paused {
        Status::Paused
    } else if is_live {
        Status::Live
    } else if snapshot.services.is_empty() && snapshot.inlets.is_empty() {
        Status::Idle
    } else if has_way {
        Status::Ready
    } else {
        Status::Offline
    }
}

/// What the state itself says about what is wrong, worst first.
pub(crate) fn findings(state: &State, now: Now) -> Answer {
    let snapshot = state.snapshot(now);
    let mut findings = Vec::new();
    let mut found = |severity, subject: &str, message: String, advice: Option<&str>| {
        let (subject, advice) = (subject.to_owned(), advice.map(str::to_owned));
        findings.push(Finding { severity, subject, message, advice });
    };
    for fault in &snapshot.troubles {
        let subject = if matches!(fault.code, Code::NoWayIn | Code::HubChanged) { "hub" } else { "keychain" };
        found(Severity::Bad, subject, fault.message.clone(), None);
    }
    for hub in &snapshot.hubs {
        match &hub.link {
            LinkState::Up => found(Severity::Good, "hub", format!("{} is connected.", hub.address), None),
            LinkState::Down { fault, .. } => {
                let message = format!("{} is not connected: {}", hub.address, fault.message);
                found(Severity::Bad, "hub", message, Some("Check this computer's network, and the hub's address."));
            }
            _ => found(Severity::Warning, "hub", format!("{} is not connected yet.", hub.address), None),
        }
    }
    if let Some(fault) = &snapshot.this_computer.fault {
        found(Severity::Warning, "hub", format!("Others cannot reach this computer: {}", fault.message), None);
    }
    for service in &snapshot.services {
        match &service.health {
            Health::Down { fault, .. } => {
                let message = format!("{} does not answer at {}: {}", service.name, service.target, fault.message);
                found(Severity::Bad, "service", message, Some("Start the program, or change where the service is."));
            }
            Health::Up => found(Severity::Good, "service", format!("{} answers.", service.name), None),
            Health::Unknown => {}
        }
    }
    for inlet in &snapshot.inlets {
        match &inlet.link {
            InletLink::Up { .. } => found(Severity::Good, "portal", format!("{} is up.", inlet.name), None),
            InletLink::Down { fault, .. } => {
                found(Severity::Bad, "portal", format!("{} is not up: {}", inlet.name, fault.message), None);
            }
            InletLink::Connecting => {
                found(Severity::Warning, "portal", format!("{} is being connected.", inlet.name), None);
            }
            InletLink::Off => {}
        }
    }
    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
    Answer::Findings { findings }
}
