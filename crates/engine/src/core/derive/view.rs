//! The snapshot: everything visible, computed from the records. Equal states give equal snapshots, in the same order.

use super::portal_status::{self, PortalHistory, PortalStatus};
use super::{access, contact_info};
use crate::api::{
    Code, ContactView, Fault, GrantState, HubView, InletLink, InletView, KnockView, LinkState, Me, PersonView,
    ReceivedState, ReceivedView, SentState, SentView, ServiceKind, ServiceView, Settings, Snapshot, Status,
    ThisComputer, UnixMillis,
};
use crate::confusable_names::KnownNames;
use crate::core::event::Environment;
use crate::core::fault_messages;
use crate::core::records::Records;
use crate::core::schema::{Contact, Grant, Inlet, Invitation, RETENTION_DAYS, Received, Service};
use crate::core::validation;
use crate::local_trust;
use postern_node::identity::Identifier;
use std::cell::OnceCell;

/// What a snapshot is made from.
pub(crate) struct View<'a> {
    pub(crate) records: &'a Records,
    pub(crate) portals: &'a PortalHistory,
    pub(crate) environment: &'a Environment,
    /// Why an accepted invitation has not been redeemed yet: the last failure of the call to its owner.
    pub(crate) redeem_faults: &'a dyn Fn(crate::api::InvitationId) -> Option<Fault>,
    pub(crate) wall: UnixMillis,
    /// Prepared when a name is first searched among those of the contacts.
    pub(crate) names: OnceCell<KnownNames<Identifier>>,
}

impl View<'_> {
    /// Everything visible at this instant.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            me: self.records.profile.as_ref().and_then(|it| {
                Some(Me { identifier: it.identity?, name: it.name.clone(), words: self.records.own_words() })
            }),
            status: Status::Idle,
            paused: self.records.is_paused(),
            this_computer: self.this_computer_view(),
            hubs: self.hub_views(),
            services: sorted(self.records.services.all(), |it| (it.created, it.id), |it| self.service_view(it)),
            inlets: self.inlet_views(),
            invitations: self.received_views(),
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
            on: self.records.profile.as_ref().is_some_and(|it| it.this_computer),
            addresses: self.records.listening.addresses.clone(),
            fault: self.records.listening.fault.clone(),
        }
    }

    fn hub_views(&self) -> Vec<HubView> {
        let hubs = self.records.profile.iter().flat_map(|it| &it.hubs);
        let view = |address: &String| {
            let link = self.records.hubs.get(address);
            HubView {
                address: address.clone(),
                link: match link {
                    _ if !self.records.is_running() => LinkState::Off,
                    Some(link) => link.link_state(),
                    None => LinkState::Connecting,
                },
                identifier: link.and_then(|it| it.identifier),
                clock_ahead_ms: link.and_then(|it| it.clock_ahead_ms),
            }
        };
        hubs.map(view).collect()
    }

    fn service_view(&self, service: &Service) -> ServiceView {
        let grants = self.records.grants.all().filter(|it| it.service == service.id);
        let people = sorted(grants, |it| (it.created, it.id), |it| self.person_view(it));
        let sent =
            self.records.invitations.all().filter(|it| it.service == service.id && it.state != SentState::Accepted);
        ServiceView {
            id: service.id,
            name: service.name.clone(),
            kind: service.kind,
            target: service.target.clone(),
            path: service.path.clone(),
            description: service.description.clone(),
            warning: local_trust::warning(validation::port_of(&service.target), None).map(str::to_owned),
            on: service.on,
            health: self.records.health.get(&service.id).cloned().unwrap_or_default(),
            live: people.iter().map(|it| it.live).sum(),
            people,
            invitations: sorted(sent, |it| (it.created, it.id), |it| self.sent_view(it)),
            created: service.created,
        }
    }

    fn person_view(&self, grant: &Grant) -> PersonView {
        let used = self.records.usage.get(&grant.id);
        let is_over = grant.is_live() && access::why_not(self.records, grant, self.wall) == Some(Code::Expired);
        PersonView {
            grant: grant.id,
            person: grant.person,
            name: self.records.name(grant.person),
            verified: self.records.contacts.get(grant.person).is_some_and(Contact::is_verified),
            state: if is_over { GrantState::Expired } else { grant.state },
            terms: grant.terms.clone(),
            last_used: used.and_then(|it| it.last).or(grant.last_used),
            live: used.map_or(0, |it| it.live),
        }
    }

    fn sent_view(&self, invitation: &Invitation) -> SentView {
        let is_over = invitation.is_open() && invitation.expires <= self.wall;
        SentView {
            id: invitation.id,
            to: invitation.person,
            name: self.records.invited_name(invitation),
            state: if is_over { SentState::Expired } else { invitation.state },
            ask_first: invitation.ask_first,
            terms: invitation.terms.clone(),
            created: invitation.created,
            expires: invitation.expires,
        }
    }

    fn inlet_views(&self) -> Vec<InletView> {
        let inlets = self.records.inlets.all().filter(|it| !it.giving_back);
        sorted(inlets, |it| (it.name.to_lowercase(), it.id), |it| self.inlet_view(it))
    }

    fn inlet_view(&self, inlet: &Inlet) -> InletView {
        let runtime = self.records.portals.get(&inlet.id);
        let link = match portal_status::status(self.records, inlet, self.wall) {
            PortalStatus::Off => InletLink::Off,
            PortalStatus::Connecting => InletLink::Connecting,
            PortalStatus::Up(way) => InletLink::Up { way, round_trip_ms: runtime.and_then(|it| it.round_trip) },
            PortalStatus::Down(fault) => {
                InletLink::Down { fault, since: self.portals.since(inlet.id).unwrap_or(self.wall) }
            }
        };
        InletView {
            id: inlet.id,
            owner: inlet.owner,
            owner_name: self.records.name(inlet.owner),
            owner_verified: self.records.contacts.get(inlet.owner).is_some_and(Contact::is_verified),
            name: inlet.name.clone(),
            service_name: inlet.service_name.clone(),
            kind: inlet.service_kind,
            description: inlet.description.clone(),
            port: inlet.port,
            address: format!("127.0.0.1:{}", inlet.port),
            url: url(self.records, inlet),
            host: self.records.host(inlet),
            checked: inlet.service_kind != ServiceKind::Tcp && !inlet.unchecked,
            on: inlet.on,
            link,
            live: runtime.map_or(0, |it| it.live),
            expires: inlet.until,
            invitation: runtime.and_then(|it| it.invitation),
        }
    }

    fn received_views(&self) -> Vec<ReceivedView> {
        let is_visible = |it: &&Received| !it.is_answered() && !self.records.is_blocked(it.owner);
        let visible = self.records.received.all().filter(is_visible);
        sorted(visible, |it| (it.expires, it.id), |it| self.received_view(it))
    }

    fn received_view(&self, received: &Received) -> ReceivedView {
        let contact = self.records.contacts.get(received.owner);
        let state = match &received.over {
            Some(fault) => ReceivedState::Over { fault: fault.clone() },
            None if received.accepted => {
                let fault = self.records.identity_fault().cloned();
                let fault = fault.or_else(|| (self.redeem_faults)(received.id));
                let owner = contact.map_or_else(|| received.owner_name.clone(), Contact::display_name);
                ReceivedState::Accepting { fault: fault.map(|it| fault_messages::with_owner(it, &owner)) }
            }
            None if received.expires <= self.wall => {
                ReceivedState::Over { fault: fault_messages::invitation(Code::Expired, &received.owner_name) }
            }
            None => ReceivedState::New,
        };
        ReceivedView {
            id: received.id,
            owner: received.owner,
            owner_name: contact.map_or_else(|| received.owner_name.clone(), Contact::display_name),
            owner_known: contact.is_some(),
            owner_verified: contact.is_some_and(Contact::is_verified),
            words: self.records.words_of_stranger(received.owner),
            looks_like: self.looks_like(received.owner, &received.owner_name),
            service_name: received.service_name.clone(),
            kind: received.service_kind,
            description: received.description.clone(),
            port: received.chosen_port.unwrap_or_else(|| self.records.proposed_port(received.port)),
            expires: received.expires,
            state,
        }
    }

    fn knock_views(&self) -> Vec<KnockView> {
        let at = |it: &Invitation| self.records.knocks.get(&it.id).map_or(it.created, |knock| knock.at);
        let knocking = self.records.invitations.all().filter(|it| it.state == SentState::Knocking);
        let view = |it: &Invitation| {
            let person = it.person?;
            let name = self.records.invited_name(it).unwrap_or_default();
            Some(KnockView {
                invitation: it.id,
                person,
                looks_like: self.looks_like(person, &name),
                name,
                words: self.records.knock_words(it.id, person).unwrap_or_default(),
                verified: self.records.is_verified(person),
                service: it.service,
                service_name: self.records.service_name(it.service),
                at: at(it),
            })
        };
        sorted(knocking, |it| (at(it), it.id), view).into_iter().flatten().collect()
    }

    /// The known person that somebody else's name can be taken for.
    fn looks_like(&self, person: Identifier, name: &str) -> Option<String> {
        self.names.get_or_init(|| self.records.known_names()).taken_for(&person, name).map(str::to_owned)
    }

    fn contact_views(&self) -> Vec<ContactView> {
        let view = |it: &Contact| ContactView {
            identifier: it.identifier,
            name: it.display_name(),
            own_name: it.own_name.clone(),
            words: it.words().unwrap_or_default(),
            verified: it.is_verified(),
            blocked: it.blocked,
            key_changed: it.key_has_changed(),
            verify_again: it.verify_again(),
            key_refused: it.refused_history.map(|refused| fault_messages::key_refused(&it.display_name(), refused.how)),
            can_be_mailed: it.can_be_mailed(),
            since: it.since,
        };
        sorted(self.records.contacts.all(), |it| (it.display_name().to_lowercase(), it.identifier), view)
    }

    fn settings(&self) -> Settings {
        Settings {
            keychain: self.environment.keychain,
            data_dir: self.environment.data_dir.clone(),
            retention_days: self.records.profile.as_ref().map_or(RETENTION_DAYS, |it| it.retention_days),
            web_links: self.records.profile.as_ref().and_then(|it| it.web_links.clone()),
            version: self.environment.version.clone(),
        }
    }

    fn troubles(&self) -> Vec<Fault> {
        let mut troubles: Vec<Fault> = self.records.identity_fault().cloned().into_iter().collect();
        let others = self
            .records
            .hubs
            .iter()
            .filter(|(_, it)| it.is_other)
            .map(|(address, _)| fault_messages::hub_changed(address));
        troubles.extend(others);
        troubles.extend(self.records.contacts.all().flat_map(contact_troubles));
        let has_no_way_in = self.records.is_running()
            && self.records.services.len() > 0
            && contact_info::addresses(self.records).is_empty();
        if has_no_way_in
            && self.records.listening.fault.is_none()
            && !self.records.profile.as_ref().is_some_and(|it| it.this_computer)
        {
            troubles.push(fault_messages::no_way_in());
        }
        troubles
    }
}

/// What is wrong with a contact's key or postal address.
fn contact_troubles(contact: &Contact) -> impl Iterator<Item = Fault> + use<> {
    let name = contact.display_name();
    let key = contact.refused_history.map(|refused| fault_messages::key_refused(&name, refused.how));
    let postal = contact.postal_refused.then(|| fault_messages::postal_refused(&name));
    key.into_iter().chain(postal)
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
fn url(records: &Records, inlet: &Inlet) -> Option<String> {
    let scheme = match inlet.service_kind {
        ServiceKind::Tcp => return None,
        ServiceKind::Http => "http",
        ServiceKind::Https => "https",
    };
    let host = records.host(inlet);
    let host = host.as_deref().unwrap_or("localhost");
    Some(format!("{scheme}://{host}:{}{}", inlet.port, inlet.path.as_deref().unwrap_or("/")))
}

fn status(snapshot: &Snapshot) -> Status {
    let is_up = |it: &InletView| matches!(it.link, InletLink::Up { .. });
    let is_live = snapshot.services.iter().any(|it| it.live > 0) || snapshot.inlets.iter().any(|it| it.live > 0);
    let waits = !snapshot.troubles.is_empty()
        || !snapshot.knocks.is_empty()
        || snapshot.invitations.iter().any(|it| it.state == ReceivedState::New)
        || snapshot.contacts.iter().any(|it| it.verify_again.is_some());
    let is_failing =
        snapshot.services.iter().any(ServiceView::is_failing) || snapshot.inlets.iter().any(InletView::is_failing);
    let has_way = snapshot.hubs.iter().any(|it| it.link == LinkState::Up)
        || !snapshot.this_computer.addresses.is_empty()
        || snapshot.inlets.iter().any(is_up);
    if snapshot.me.is_none() {
        Status::Idle
    } else if waits {
        Status::Attention
    } else if snapshot.paused {
        Status::Paused
    } else if snapshot.services.is_empty() && snapshot.inlets.is_empty() {
        Status::Idle
    } else if !has_way && !is_live {
        Status::Offline
    } else if is_failing {
        Status::Attention
    } else if is_live {
        Status::Live
    } else {
        Status::Ready
    }
}
