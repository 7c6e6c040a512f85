//! Portals on the user's localhost: made of grants, ended by their owners, given back.
//!
//! A portal that its owner has ended for good is no longer kept up: its port is free, its row says why.

use super::{Records, audit, contact, portal, profile};
use crate::api::{Code, Fault, GrantId, InletId, ServiceKind, UnixMillis};
use crate::core::limits::{MAX_INLETS, MAX_OWNER_LABELS};
use crate::core::schema::{Inlet, Received, is_final};
use crate::core::task_request::{OutboundCall, TaskRequest};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::host_label;
use crate::peer::{ContactInfo, GrantStatus, Offer, PeerAddress};
use postern_node::identity::Identifier;

/// Ports below this one are reserved for the system (IANA's "system ports"): binding them needs privileges.
const SYSTEM_PORTS: u16 = 1024;
/// Added to a service's system port to propose a local one: 80 becomes 10080, which is easy to recognize.
const ABOVE_SYSTEM: u16 = 10_000;
/// Characters of an identifier in a label: its `I`, and 124 of its 256 bits, which nobody finds a second identity for.
const MAX_IDENTIFIER_LABEL: usize = 32;

impl Records {
    /// A portal that was not removed.
    pub(crate) fn inlet(&self, id: InletId) -> Result<&Inlet, Fault> {
        let missing = || Fault::new(Code::NotFound, "There is no such portal.");
        self.inlets.get(id).filter(|it| !it.giving_back).ok_or_else(missing)
    }

    /// Whether a portal should listen and keep its channel.
    pub(crate) fn is_wanted(&self, inlet: &Inlet, wall: UnixMillis) -> bool {
        inlet.on
            && !inlet.giving_back
            && !self.is_paused()
            && !self.is_blocked(inlet.owner)
            && !inlet.is_ended()
            && !inlet.is_over(wall)
    }

    /// The host name of a web portal, which no other portal of this machine has or had with another owner; nothing for portals of
    /// other kinds, and while the user has switched the check of browsers' requests off.
    pub(crate) fn host(&self, inlet: &Inlet) -> Option<String> {
        if inlet.unchecked || inlet.service_kind == ServiceKind::Tcp || inlet.service_label.is_empty() {
            return None;
        }
        let labels = &self.profile.as_ref()?.owner_labels;
        let owner = labels.iter().find(|(_, owner)| **owner == inlet.owner).map(|(label, _)| label.clone());
        let owner = owner.unwrap_or_else(|| label_of_identifier(inlet.owner));
        Some(format!("{}.{owner}.localhost", inlet.service_label))
    }

    /// The host name that requests of browsers are checked for: only of portals that carry HTTP in the clear.
    pub(crate) fn checked_host(&self, inlet: &Inlet) -> Option<String> {
        self.host(inlet).filter(|_| inlet.service_kind == ServiceKind::Http)
    }

    /// The local address of a portal as it is shown: `host:port`.
    pub(crate) fn shown_address(&self, inlet: &Inlet) -> String {
        format!("{}:{}", self.host(inlet).as_deref().unwrap_or("127.0.0.1"), inlet.port)
    }

    fn user_of_port(&self, port: u16, except: Option<InletId>) -> Option<&Inlet> {
        self.inlets.find(|it| it.port == port && Some(it.id) != except && !it.giving_back)
    }

    /// Fails if a local port cannot be chosen.
    pub(crate) fn check_port(&self, port: u16, except: Option<InletId>) -> Result<(), Fault> {
        if port == 0 {
            return Err(Fault::new(Code::Invalid, "Port 0 cannot be used."));
        }
        match self.user_of_port(port, except) {
            Some(other) => {
                let sentence = format!("Port {port} is used by your portal {}: choose another.", other.name);
                Err(Fault::new(Code::PortTaken, sentence))
            }
            None => Ok(()),
        }
    }

    /// The local port proposed for a new portal: the service's own if no other portal uses it, else the next.
    pub(crate) fn proposed_port(&self, own: u16) -> u16 {
        let port = if own < SYSTEM_PORTS { own.saturating_add(ABOVE_SYSTEM) } else { own };
        match self.user_of_port(port, None) {
            Some(_) => self.next_port(port).unwrap_or(port),
            None => port,
        }
    }

    /// The next port that no portal and none of the user's own services uses.
    fn next_port(&self, port: u16) -> Option<u16> {
        let is_own = |port| {
            self.services.all().any(|it| {
                let is_local = ["localhost:", "127.0.0.1:", "[::1]:"].iter().any(|host| it.target.starts_with(host));
                is_local && validation::port_of(&it.target) == port
            })
        };
        (port.max(SYSTEM_PORTS - 1).checked_add(1)?..=u16::MAX)
            .find(|it| self.user_of_port(*it, None).is_none() && !is_own(*it))
    }
}

/// The label of an owner for whom there is no room: no other has the same.
fn label_of_identifier(owner: Identifier) -> String {
    let text = owner.to_string().to_ascii_lowercase();
    text.get(..MAX_IDENTIFIER_LABEL).unwrap_or(&text).to_owned()
}

/// Gives the portals that have none the labels of their host names: new ones, and those of records of older versions.
pub(crate) fn assign_labels(records: &mut Records, tx: &mut Transaction) {
    for id in records.inlets.keys_of(|it| it.service_label.is_empty()) {
        let Some((owner, name)) = records.inlets.get(id).map(|it| (it.owner, it.service_name.clone())) else {
            continue;
        };
        assign_owner_label(records, tx, owner);
        let is_taken = |label: &str| records.inlets.find(|it| it.owner == owner && it.service_label == label).is_some();
        let label = host_label::unique(&name, "service", is_taken);
        records.inlets.change(tx, id, |it| it.service_label = label);
    }
}

fn assign_owner_label(records: &mut Records, tx: &mut Transaction, owner: Identifier) {
    let name = records.name(owner);
    profile::change(records, tx, |profile| {
        let labels = &mut profile.owner_labels;
        if labels.values().any(|it| *it == owner) || labels.len() >= MAX_OWNER_LABELS {
            return;
        }
        let label = host_label::unique(&name, "owner", |it| labels.contains_key(it));
        labels.insert(label, owner);
    });
}

/// Makes a grant's portal, or gives the new grant to the portal that is there for the same outlet.
pub(crate) fn make(
    records: &mut Records,
    tx: &mut Transaction,
    received: &Received,
    offer: Offer,
    reach: Vec<PeerAddress>,
) -> Result<(), Fault> {
    let owner = received.owner;
    if records.inlets.all().any(|it| it.grant == offer.grant && it.owner != owner) {
        audit::refused(records, tx, None, Some(owner), Code::NotTrusted);
        return Err(Fault::new(Code::NotTrusted, "The owner's answer is about somebody else's service."));
    }
    let reach = if reach.is_empty() { received.reach.clone() } else { reach };
    let is_same =
        |it: &Inlet| it.owner == owner && !it.giving_back && (it.grant == offer.grant || it.outlet == offer.outlet);
    if let Some(id) = records.inlets.find(is_same).map(|it| it.id) {
        records.inlets.change(tx, id, |it| {
            (it.grant, it.reach, it.on) = (offer.grant, reach, true);
            it.port = received.chosen_port.unwrap_or(it.port);
            apply_offer(it, offer);
        });
        portal::granted_by(records, id, received.id);
        // The grant may be paused, which an offer does not say.
        tx.request(TaskRequest::Call(OutboundCall::Sync(owner)));
        return Ok(());
    }
    if records.inlets.len() >= MAX_INLETS {
        return Err(Fault::new(Code::TooMany, "You have as many portals as there can be."));
    }
    let inlet = new(records, tx, received, offer, reach);
    audit::portal(records, tx, &inlet, "added");
    portal::added(records, inlet.id);
    portal::granted_by(records, inlet.id, received.id);
    records.inlets.put(tx, inlet);
    Ok(())
}

fn new(records: &Records, tx: &mut Transaction, received: &Received, offer: Offer, reach: Vec<PeerAddress>) -> Inlet {
    let chosen = received.chosen_port.filter(|port| records.user_of_port(*port, None).is_none());
    Inlet {
        id: InletId(tx.random()),
        grant: offer.grant,
        owner: received.owner,
        reach,
        outlet: offer.outlet,
        name: offer.service_name.clone(),
        service_name: offer.service_name,
        service_kind: offer.service_kind,
        path: offer.path,
        description: offer.description,
        port: chosen.unwrap_or_else(|| records.proposed_port(offer.port)),
        on: true,
        until: offer.until,
        refused: None,
        giving_back: false,
        service_label: String::new(),
        unchecked: false,
        up_bytes: 0,
        down_bytes: 0,
    }
}

/// Applies what the owner says that a usable grant offers now.
fn apply_offer(inlet: &mut Inlet, offer: Offer) {
    if inlet.name == inlet.service_name {
        inlet.name.clone_from(&offer.service_name);
    }
    inlet.service_name = offer.service_name;
    inlet.service_kind = offer.service_kind;
    inlet.outlet = offer.outlet;
    inlet.path = offer.path;
    inlet.description = offer.description;
    inlet.until = offer.until;
    inlet.refused = None;
}

/// Applies what the owner says about a grant.
pub(crate) fn apply_status(records: &mut Records, tx: &mut Transaction, id: InletId, status: GrantStatus) {
    let refused = match status {
        GrantStatus::Active(offer) => {
            let same = records.inlets.get(id).is_some_and(|it| it.grant == offer.grant);
            if let Some(offer) = validation::clean_offer(offer).filter(|_| same) {
                records.inlets.change(tx, id, |it| apply_offer(it, offer));
                portal::refusal_lifted(records, id);
            }
            return;
        }
        // The grant itself is usable.
        GrantStatus::Inactive(Code::ServiceDown) => {
            let was_kept = records.inlets.get(id).is_some_and(|it| records.is_wanted(it, tx.now.wall));
            records.inlets.change(tx, id, |it| it.refused = None);
            if was_kept {
                portal::service_is_down(records, id);
            }
            return;
        }
        GrantStatus::Inactive(code) if is_final(code) || code == Code::PausedByOwner => code,
        GrantStatus::Inactive(_) => Code::Denied,
    };
    let changed = records.inlets.change(tx, id, |it| it.refused = Some(refused));
    if let Some(inlet) = records.inlets.get(id).filter(|_| changed && refused == Code::Revoked) {
        audit::portal(records, tx, inlet, "revoked");
    }
}

/// The owner answers a sync. A grant that it leaves out is revoked.
pub(crate) fn synced(
    records: &mut Records,
    tx: &mut Transaction,
    owner: Identifier,
    asked: &[GrantId],
    statuses: &[(GrantId, GrantStatus)],
    info: ContactInfo,
) {
    let info = validation::clean_contact_info(info);
    for id in records.inlets.keys_of(|it| it.owner == owner && asked.contains(&it.grant)) {
        let Some(grant) = records.inlets.get(id).map(|it| it.grant) else { continue };
        let status = statuses.iter().find(|(it, _)| *it == grant).map(|(_, status)| status.clone());
        apply_status(records, tx, id, status.unwrap_or(GrantStatus::Inactive(Code::Revoked)));
        if !info.reach.is_empty() {
            records.inlets.change(tx, id, |it| it.reach.clone_from(&info.reach));
        }
    }
    contact::update(records, tx, owner, info);
}

/// The owner refuses a sync.
pub(crate) fn sync_refused(records: &mut Records, tx: &mut Transaction, asked: &[GrantId], code: Code) {
    for id in records.inlets.keys_of(|it| asked.contains(&it.grant)) {
        apply_status(records, tx, id, GrantStatus::Inactive(code));
    }
}

/// Asks the owners of refused and expired grants for their status: no channel is kept over which they would tell.
pub(crate) fn request_sync_of_refused(records: &Records, tx: &mut Transaction) {
    let wall = tx.now.wall;
    let is_out = |it: &&Inlet| it.on && !it.giving_back && (it.refused.is_some() || it.is_over(wall));
    for inlet in records.inlets.all().filter(is_out).filter(|it| !records.is_blocked(it.owner)) {
        tx.request(TaskRequest::Call(OutboundCall::Sync(inlet.owner)));
    }
}

/// Changes a portal's name and port.
pub(crate) fn change(
    records: &mut Records,
    tx: &mut Transaction,
    id: InletId,
    name: Option<String>,
    port: Option<u16>,
) {
    records.inlets.change(tx, id, |it| {
        it.name = name.unwrap_or_else(|| it.name.clone());
        it.port = port.unwrap_or(it.port);
    });
}

/// Switches the check of browsers' requests on or off.
pub(crate) fn set_check(records: &mut Records, tx: &mut Transaction, id: InletId, on: bool) {
    let changed = records.inlets.change(tx, id, |it| it.unchecked = !on);
    if let Some(inlet) = records.inlets.get(id).filter(|_| changed) {
        audit::portal(records, tx, inlet, if on { "check-on" } else { "check-off" });
    }
}

/// Switches a portal on or off.
pub(crate) fn set_on(records: &mut Records, tx: &mut Transaction, id: InletId, on: bool) {
    let changed = records.inlets.change(tx, id, |it| it.on = on);
    let Some(inlet) = records.inlets.get(id) else { return };
    if changed {
        audit::portal(records, tx, inlet, if on { "on" } else { "off" });
    }
    if on {
        tx.request(TaskRequest::Call(OutboundCall::Sync(inlet.owner)));
    }
}

/// Removes a portal. It stays, hidden, until the owner has confirmed that the grant was given back.
pub(crate) fn remove(records: &mut Records, tx: &mut Transaction, id: InletId) {
    if let Some(inlet) = records.inlets.get(id) {
        audit::portal(records, tx, inlet, "removed");
    }
    records.inlets.change(tx, id, |it| it.giving_back = true);
}

/// The owner has confirmed that the grant was given back.
pub(crate) fn give_back_confirmed(records: &mut Records, tx: &mut Transaction, id: InletId) {
    records.inlets.remove(tx, id);
}
