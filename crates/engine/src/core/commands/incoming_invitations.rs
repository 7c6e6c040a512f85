//! Opening, accepting and declining the invitations that the user received.

use crate::api::{Answer, Code, Fault, InvitationId, InvitationPreview, Secret, UnixMillis};
use crate::core::limits::MAX_INLETS;
use crate::core::records::{Records, received};
use crate::core::schema::{Contact, Inlet, Received, TicketSecret};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::ticket::Ticket;

/// Reads a link.
fn read(link: &Secret, now: UnixMillis) -> Result<Received, Fault> {
    let ticket = Ticket::decode(link.reveal())?;
    let reach = validation::clean_addresses(ticket.reach);
    if reach.is_empty() {
        return Err(Fault::new(Code::BadTicket, "This invitation does not say where its owner can be reached."));
    }
    let mut received = Received {
        id: ticket.id,
        secret: Some(TicketSecret::new(ticket.secret)),
        owner: ticket.owner,
        owner_name: validation::clean_name(&ticket.owner_name),
        reach,
        service_name: validation::clean_service(&ticket.service_name),
        service_kind: ticket.service_kind,
        description: None,
        port: ticket.port,
        expires: ticket.expires,
        claimed: None,
        accepted: false,
        chosen_port: None,
        declined: false,
        over: None,
    };
    received.limit_expiry(now);
    Ok(received)
}

fn show(records: &Records, received: &Received, wall: UnixMillis) -> InvitationPreview {
    let contact = records.contacts.get(received.owner);
    InvitationPreview {
        invitation: received.id,
        owner: received.owner,
        owner_name: contact.map_or_else(|| received.owner_name.clone(), Contact::display_name),
        owner_known: contact.is_some(),
        words: records.me().map(|_| records.words_of_stranger(received.owner)),
        looks_like: records.known_names().taken_for(&received.owner, &received.owner_name).map(str::to_owned),
        service_name: received.service_name.clone(),
        kind: received.service_kind,
        port: received.port,
        expires: received.expires,
        fault: records.obstacle(received, wall),
    }
}

/// What a link offers. Changes nothing.
pub(crate) fn preview(records: &Records, link: &Secret, wall: UnixMillis) -> Result<InvitationPreview, Fault> {
    Ok(show(records, &read(link, wall)?, wall))
}

/// Puts a link's invitation among those to answer. One that cannot be accepted is only shown.
pub(super) fn open(records: &mut Records, tx: &mut Transaction, link: &Secret) -> Result<Answer, Fault> {
    let received = read(link, tx.now.wall)?;
    let preview = show(records, &received, tx.now.wall);
    if preview.fault.is_none() {
        received::add(records, tx, received)?;
    }
    Ok(Answer::Preview { preview })
}

pub(super) fn accept(
    records: &mut Records,
    tx: &mut Transaction,
    id: InvitationId,
    port: Option<u16>,
) -> Result<(), Fault> {
    let received = records.received_invitation(id)?;
    if let Some(fault) = records.obstacle(received, tx.now.wall).filter(|_| !received.accepted) {
        return Err(fault);
    }
    if let Some(over) = &received.over {
        return Err(over.clone());
    }
    if let Some(port) = port {
        // A portal of the same owner that has ended gives its port to the one that replaces it.
        let ended = |it: &Inlet| it.port == port && it.owner == received.owner && it.is_ended();
        records.check_port(port, records.inlets.find(ended).map(|it| it.id))?;
    }
    let being_redeemed = records.received.all().filter(|it| it.is_being_redeemed() && it.id != id).count();
    if records.inlets.len() + being_redeemed >= MAX_INLETS || records.has_no_room_for(received.owner) {
        return Err(Fault::new(Code::TooMany, "You have as many portals or contacts as there can be."));
    }
    received::accept(records, tx, id, port);
    Ok(())
}

/// Declines an invitation, or dismisses one that is over.
pub(super) fn decline(records: &mut Records, tx: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
    if records.received_invitation(id)?.has_become_portal() {
        return Err(Fault::new(Code::AlreadyIn, "You have accepted this invitation: remove the portal instead."));
    }
    received::decline(records, tx, id);
    Ok(())
}
