//! Where the user can be reached, as invitations and calls say it.

use crate::core::limits::{MAX_HUBS, MAX_REACH};
use crate::core::observed::IdentityState;
use crate::core::records::Records;
use crate::peer::{ContactInfo, PeerAddress, relay_name};
use postern_node::identity::Identifier;

/// The user's addresses: direct ones first, then the hubs in their order.
pub(crate) fn addresses(records: &Records) -> Vec<PeerAddress> {
    let (Some(profile), Some(me)) = (&records.profile, records.me()) else { return Vec::new() };
    let direct = records.listening.addresses.iter().filter(|_| profile.this_computer);
    let direct = direct.map(|address| PeerAddress::Direct { address: address.clone() });
    let hubs = profile.hubs.iter().map(|hub| PeerAddress::Hub { address: hub.clone(), relay: relay_name(&me) });
    // A computer with many addresses must not crowd out the hubs.
    let mut addresses: Vec<_> = direct.take(MAX_REACH - MAX_HUBS).collect();
    addresses.extend(hubs);
    addresses
}

/// Whether somebody may have the user's contact information: they use something of the user's or are invited to, or the user
/// uses something of theirs or asks to. Nobody else is told where the user is: not strangers, nor people who had access once,
/// nor the blocked.
pub(crate) fn may_have(records: &Records, person: Identifier) -> bool {
    let uses = || records.grants.all().any(|it| it.person == person && it.is_live());
    let is_invited = || records.invitations.all().any(|it| it.person == Some(person) && it.is_open());
    let shares = || records.inlets.all().any(|it| it.owner == person && !it.giving_back && !it.is_ended());
    let is_asked = || records.received.all().any(|it| it.owner == person && it.is_being_redeemed());
    let is_contact_invited = || records.contacts.contains(person) && is_invited();
    !records.is_blocked(person) && (uses() || is_contact_invited() || shares() || is_asked())
}

/// The user's contact information for one person; withheld from whoever may not have it.
pub(crate) fn for_person(records: &Records, person: Identifier) -> ContactInfo {
    if may_have(records, person) { contact_info(records) } else { ContactInfo::withheld() }
}

/// The user's name, addresses and mailbox.
fn contact_info(records: &Records) -> ContactInfo {
    let postal = if let IdentityState::Ready(own) = &records.identity { own.postal.clone() } else { Vec::new() };
    ContactInfo {
        name: records.profile.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
        postal,
        hubs: records.hub_addresses().to_vec(),
        reach: addresses(records),
    }
}
