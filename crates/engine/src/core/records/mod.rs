//! The facts that every decision is made from, and every way to change them.
//!
//! One file per record: what it means together with other records, and its state changes with their consequences
//! (ending a grant writes the audit log; closing a service ends its grants and invitations). Commands and tasks change
//! records only through these functions. Saved tables write each change into the [`Transaction`]; the rest is known in
//! this run only. Nothing here decides what the driver keeps up: `derive` computes that from the result.

pub(crate) mod audit;
pub(crate) mod contact;
pub(crate) mod grant;
pub(crate) mod hub;
pub(crate) mod inlet;
pub(crate) mod invitation;
mod party;
pub(crate) mod portal;
pub(crate) mod profile;
pub(crate) mod received;
pub(crate) mod service;
mod table;
pub(crate) mod usage;

use crate::api::{GrantId, Health, InletId, InvitationId, ServiceId};
use crate::core::observed::{
    DirectListening, GrantUsage, HubNotices, HubState, IdentityState, MetHistories, PendingKnock, PortalRuntime,
    RefusalCount, UsageBaselines,
};
use crate::core::schema::{Contact, Grant, Inlet, Invitation, Profile, Received, Record, Service};
use std::collections::BTreeMap;
use table::Table;

/// The saved records, and what is known in this run.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) profile: Option<Profile>,
    pub(crate) services: Table<Service>,
    pub(crate) invitations: Table<Invitation>,
    pub(crate) grants: Table<Grant>,
    pub(crate) received: Table<Received>,
    pub(crate) inlets: Table<Inlet>,
    pub(crate) contacts: Table<Contact>,

    pub(crate) identity: IdentityState,
    pub(crate) listening: DirectListening,
    pub(crate) hubs: BTreeMap<String, HubState>,
    pub(crate) hub_notices: HubNotices,
    pub(crate) health: BTreeMap<ServiceId, Health>,
    pub(crate) usage: BTreeMap<GrantId, GrantUsage>,
    pub(crate) knocks: BTreeMap<InvitationId, PendingKnock>,
    pub(crate) portals: BTreeMap<InletId, PortalRuntime>,
    pub(crate) byte_counts: UsageBaselines,
    /// Key histories of people who are not contacts.
    pub(crate) met: MetHistories,
    pub(crate) refusals: RefusalCount,
}

impl Records {
    /// The records as they were saved.
    pub(crate) fn load(saved: Vec<Record>) -> Self {
        let mut records = Self::default();
        for record in saved {
            match record {
                Record::Profile(profile) => records.profile = Some(profile),
                Record::Service(service) => records.services.load(service),
                Record::Invitation(invitation) => records.invitations.load(invitation),
                Record::Grant(grant) => records.grants.load(grant),
                Record::Received(received) => records.received.load(received),
                Record::Inlet(inlet) => records.inlets.load(inlet),
                Record::Contact(contact) => records.contacts.load(contact),
            }
        }
        records
    }

    /// Drops what this run knows about records that are gone.
    pub(crate) fn prune(&mut self) {
        let (grants, inlets) = (&self.grants, &self.inlets);
        self.usage.retain(|id, _| grants.contains(*id));
        self.portals.retain(|id, _| inlets.contains(*id));
    }

    /// Every saved record, as it should be on disk.
    #[cfg(test)]
    pub(crate) fn saved(&self) -> BTreeMap<crate::core::schema::RecordKey, Record> {
        use crate::core::schema::RecordKey;
        let mut records = BTreeMap::new();
        records.extend(self.profile.iter().map(|it| (RecordKey::Profile, Record::Profile(it.clone()))));
        records.extend(self.services.records());
        records.extend(self.invitations.records());
        records.extend(self.grants.records());
        records.extend(self.received.records());
        records.extend(self.inlets.records());
        records.extend(self.contacts.records());
        records
    }
}
