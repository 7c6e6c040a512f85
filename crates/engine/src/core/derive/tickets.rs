//! Invitations as they travel: as a ticket in a link, or as a notification in the mail.

use super::contact_info;
use crate::api::{Code, Fault, Secret};
use crate::core::fault_messages::no_way_in;
use crate::core::records::Records;
use crate::core::schema::Invitation;
use crate::core::validation;
use crate::peer::PeerNotification;
use crate::peer::ticket::Ticket;

/// An invitation's ticket, with the addresses that the user has now.
pub(crate) fn ticket(records: &Records, invitation: &Invitation) -> Result<Ticket, Fault> {
    let service = records.service(invitation.service)?;
    let (Some(owner), Some(profile)) = (records.me(), &records.profile) else { return Err(no_way_in()) };
    let reach = contact_info::addresses(records);
    if reach.is_empty() {
        return Err(no_way_in());
    }
    records.check_identity()?;
    let missing = "The key that this invitation was sealed with is gone: take it back and make a new one.";
    let secret = invitation.secret.as_ref().ok_or_else(|| Fault::new(Code::NotFound, missing))?;
    Ok(Ticket {
        id: invitation.id,
        secret: *secret.reveal(),
        owner,
        owner_name: profile.name.clone(),
        reach,
        service_name: service.name.clone(),
        service_kind: service.kind,
        port: validation::port_of(&service.target),
        expires: invitation.expires,
    })
}

/// An invitation's link.
pub(crate) fn link(records: &Records, invitation: &Invitation) -> Result<Secret, Fault> {
    let ticket = ticket(records, invitation)?;
    Ok(match &invitation.web {
        Some(page) => ticket.encode_for_web(page),
        None => ticket.encode(),
    })
}

/// An invitation as it is mailed to a contact; nothing if there is no ticket for it now.
pub(crate) fn notification(records: &Records, invitation: &Invitation) -> Option<PeerNotification> {
    let ticket = ticket(records, invitation).ok()?;
    Some(PeerNotification::Invitation {
        ticket: ticket.id,
        secret: ticket.secret,
        owner_name: ticket.owner_name,
        reach: ticket.reach,
        service_name: ticket.service_name,
        service_kind: ticket.service_kind,
        description: records.services.get(invitation.service)?.description.clone(),
        port: ticket.port,
        expires: ticket.expires,
    })
}
