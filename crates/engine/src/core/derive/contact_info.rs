//! Where the user can be reached, as invitations and calls say it.

use crate::core::limits::{MAX_HUBS, MAX_REACH};
use crate::core::observed::IdentityState;
use crate::core::records::Records;
use crate::peer::{ContactInfo, PeerAddress, relay_name};

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

/// The user's name, addresses and mailbox.
pub(crate) fn contact_info(records: &Records) -> ContactInfo {
    let postal = if let IdentityState::Ready(own) = &records.identity { own.postal.clone() } else { Vec::new() };
    ContactInfo {
        name: records.profile.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
        postal,
        hubs: records.hub_addresses().to_vec(),
        reach: addresses(records),
    }
}
