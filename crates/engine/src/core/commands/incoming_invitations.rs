//! Invitations to this person: read from links and mail, accepted, declined, and turned into portals.
//!
//! ```text
//! link ── Open ──┐                      Accept ──► Call(Redeem), until heard ──► Granted ──► contact, inlet
//! mail ── Told ──┴─► new ─► Call(Seen)                                      └──► Refused ──► over, and why
//!                                       Decline ─► Call(Decline), until heard
//! ```
//!
//! What was answered stays as a note until its time is over, so that mail which comes again, and a hub that repeats
//! it on purpose, asks nobody twice.

use crate::api::{Answer, AuditEvent, Code, Fault, InvitationId, InvitationPreview, Notice, Secret, UnixMillis};
use crate::core::commands::{contacts, inlets};
use crate::core::limits::{MAX_INLETS, MAX_RECEIVED};
use crate::core::records::{Inlet, Received, TicketSecret};
use crate::core::tasks::outbound_calls::OutboundCall;
use crate::core::transaction::Transaction;
use crate::core::{State, audit, fault_messages, validation};
use crate::peer::ticket::Ticket;
use crate::peer::{ContactInfo, Offer, PeerNotification};
use postern_node::identity::Identifier;

/// Whether an invitation was answered here, and is only noted.
pub(crate) fn is_answered(received: &Received) -> bool {
    received.declined || is_a_portal(received)
}

/// Whether a grant came of it.
fn is_a_portal(received: &Received) -> bool {
    received.accepted && received.over.as_ref().is_some_and(|it| it.code == Code::AlreadyIn)
}

/// Whether it waits for the person.
pub(crate) fn is_new(received: &Received) -> bool {
    !received.accepted && !received.declined && received.over.is_none()
}

/// Whether it is accepted and the owner has not decided.
pub(crate) fn is_under_way(received: &Received) -> bool {
    received.accepted && !received.declined && received.over.is_none()
}

fn read(link: &Secret) -> Result<Received, Fault> {
    let ticket = Ticket::decode(link.reveal())?;
    let reach = validation::clean_reach(ticket.reach);
    if reach.is_empty() {
        return Err(Fault::new(Code::BadTicket, "This invitation does not say where its owner can be reached."));
    }
    Ok(Received {
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
        accepted: false,
        chosen_port: None,
        declined: false,
        over: None,
    })
}

/// Why an invitation cannot be accepted, if it cannot.
fn obstacle(state: &State, received: &Received, wall: UnixMillis) -> Option<Fault> {
    let known = state.received.get(received.id);
    if Some(received.owner) == state.me() {
        return Some(fault_messages::invitation(Code::OwnInvitation, ""));
    }
    if state.is_blocked(received.owner) {
        let sentence = format!("You have blocked {}: unblock them first.", state.name(received.owner));
        return Some(Fault::new(Code::Blocked, sentence));
    }
    if let Some(known) = known.filter(|it| it.owner == received.owner) {
        let is_anew = received.expires > known.expires && !is_a_portal(known);
        match &known.over {
            _ if is_anew => {}
            Some(fault) if fault.code != Code::Expired => return Some(fault.clone()),
            _ if known.declined => {
                return Some(Fault::new(Code::Denied, "You have declined this invitation: ask for a new one."));
            }
            _ => {}
        }
    }
    (received.expires <= wall).then(|| fault_messages::invitation(Code::Expired, &received.owner_name))
}

fn show(state: &State, received: &Received, wall: UnixMillis) -> InvitationPreview {
    let contact = state.contacts.get(received.owner);
    InvitationPreview {
        invitation: received.id,
        owner: received.owner,
        owner_name: contact.map_or_else(|| received.owner_name.clone(), contacts::name_of),
        owner_known: contact.is_some(),
        words: state.words_with(received.owner),
        service_name: received.service_name.clone(),
        kind: received.service_kind,
        port: received.port,
        expires: received.expires,
        fault: obstacle(state, received, wall),
    }
}

pub(crate) fn preview(state: &State, turn: &Transaction, link: &Secret) -> Result<Answer, Fault> {
    Ok(Answer::Preview { preview: show(state, &read(link)?, turn.now.wall) })
}

/// Puts a link's invitation among those to answer. One that cannot be accepted is only shown.
pub(crate) fn open(state: &mut State, turn: &mut Transaction, link: &Secret) -> Result<Answer, Fault> {
    let received = read(link)?;
    let preview = show(state, &received, turn.now.wall);
    if preview.fault.is_none() {
        take(state, turn, received)?;
    }
    Ok(Answer::Preview { preview })
}

/// Takes an invitation that can be accepted, unless it is here already. Returns whether it is new to the person.
fn take(state: &mut State, turn: &mut Transaction, received: Received) -> Result<bool, Fault> {
    state.check_key()?;
    let id = received.id;
    if let Some(known) = state.received.get(id) {
        if known.owner != received.owner {
            return Err(Fault::new(Code::NotTrusted, "Somebody else has sent an invitation with this number."));
        }
        if !is_answered(known) && known.over.is_none() {
            let description = received.description.or_else(|| known.description.clone());
            let (accepted, chosen_port) = (known.accepted, known.chosen_port);
            state.received.change(turn, id, |it| *it = Received { description, accepted, chosen_port, ..received });
            return Ok(false);
        }
    } else if !has_room(state, turn) {
        return Err(Fault::new(Code::TooMany, "Too many invitations wait: answer some first."));
    }
    state.received.put(turn, received);
    state.errands.begin(OutboundCall::Seen(id), turn.now.ticks);
    Ok(true)
}

fn has_room(state: &mut State, turn: &mut Transaction) -> bool {
    if state.received.len() >= MAX_RECEIVED {
        let dispensable = state.received.all().filter(|it| it.over.is_some() || state.is_blocked(it.owner));
        let Some(oldest) = dispensable.min_by_key(|it| (it.expires, it.id)).map(|it| it.id) else { return false };
        state.received.remove(turn, oldest);
    }
    true
}

fn find(state: &State, id: InvitationId) -> Result<&Received, Fault> {
    let missing = || Fault::new(Code::NotFound, "There is no such invitation.");
    state.received.get(id).filter(|it| !it.declined).ok_or_else(missing)
}

pub(crate) fn accept(
    state: &mut State,
    turn: &mut Transaction,
    id: InvitationId,
    port: Option<u16>,
) -> Result<(), Fault> {
    let received = find(state, id)?;
    if let Some(fault) = obstacle(state, received, turn.now.wall).filter(|_| !received.accepted) {
        return Err(fault);
    }
    if let Some(over) = &received.over {
        return Err(over.clone());
    }
    if let Some(port) = port {
        // A portal of theirs that is over gives its port to the one that takes its place.
        let over = |it: &Inlet| it.owner == received.owner && it.refused.is_some_and(inlets::is_final);
        inlets::check_port(state, port, state.inlets.find(|it| it.port == port && over(it)).map(|it| it.id))?;
    }
    let under_way = state.received.all().filter(|it| is_under_way(it) && it.id != id).count();
    if state.inlets.len() + under_way >= MAX_INLETS || contacts::is_full(state, received.owner) {
        return Err(Fault::new(Code::TooMany, "You have as many portals or contacts as there can be."));
    }
    state.received.change(turn, id, |it| (it.accepted, it.chosen_port) = (true, port));
    Ok(())
}

/// Says no; or puts away one that is over.
pub(crate) fn decline(state: &mut State, turn: &mut Transaction, id: InvitationId) -> Result<(), Fault> {
    let received = find(state, id)?;
    if is_a_portal(received) {
        return Err(Fault::new(Code::AlreadyIn, "You have accepted this invitation: remove the portal instead."));
    }
    if received.over.is_none() {
        turn.write(AuditEvent::Invitation {
            service: received.service_name.clone(),
            person: Some(received.owner),
            name: Some(received.owner_name.clone()),
            what: "declined".to_owned(),
        });
    }
    state.received.change(turn, id, |it| (it.accepted, it.declined) = (false, true));
    Ok(())
}

/// The owner knows that it was declined.
pub(crate) fn decline_was_heard(state: &mut State, turn: &mut Transaction, id: InvitationId) {
    let sentence = "You have declined this invitation: ask for a new one.";
    state.received.change(turn, id, |it| it.over = Some(Fault::new(Code::Denied, sentence)));
}

/// The owner says no.
pub(crate) fn refused(state: &mut State, turn: &mut Transaction, id: InvitationId, code: Code) {
    let Some(received) = state.received.get(id) else { return };
    let over = fault_messages::invitation(code, &received.owner_name);
    state.received.change(turn, id, |it| it.over = Some(over));
}

/// The owner says yes. Returns why that leads nowhere yet, if it does not.
pub(crate) fn granted(
    state: &mut State,
    turn: &mut Transaction,
    id: InvitationId,
    offer: Offer,
    card: ContactInfo,
) -> Result<(), Fault> {
    let Some(received) = state.received.get(id).cloned() else { return Ok(()) };
    let Some(offer) = validation::clean_offer(offer) else {
        return Err(Fault::new(Code::Failed, "The owner's answer makes no sense."));
    };
    let card = validation::clean_card(card);
    if contacts::is_full(state, received.owner) {
        return Err(Fault::new(Code::TooMany, "You know as many people as can be known: forget somebody first."));
    }
    contacts::learn(state, turn, received.owner, card.clone());
    if let Err(fault) = inlets::make(state, turn, &received, offer, card.reach) {
        state.received.change(turn, id, |it| it.over = Some(fault));
        return Ok(());
    }
    let over = fault_messages::invitation(Code::AlreadyIn, &received.owner_name);
    state.received.change(turn, id, |it| it.over = Some(over));
    Ok(())
}

/// An owner tells something. Only what concerns their own invitations and grants is heard.
pub(crate) fn told(state: &mut State, turn: &mut Transaction, person: Identifier, news: PeerNotification) {
    if state.is_blocked(person) {
        return audit::refused(state, turn, None, Some(person), Code::Blocked);
    }
    match news {
        PeerNotification::Invitation { .. } => invited(state, turn, person, news),
        PeerNotification::Withdrawn { ticket } => {
            let Some(received) = of_owner(state, turn, ticket, person) else { return };
            if received.over.is_none() {
                refused(state, turn, ticket, Code::Revoked);
            }
        }
        PeerNotification::KnockDecided { ticket } => {
            if of_owner(state, turn, ticket, person).is_some() {
                state.errands.hurry_one(OutboundCall::Redeem(ticket), turn.now.ticks);
            }
        }
        PeerNotification::Grant { grant, standing } => inlets::told(state, turn, person, grant, standing),
        PeerNotification::GoingOffline => inlets::owner_leaves(state, turn, person),
    }
}

/// The invitation that an owner speaks of, if it is theirs.
fn of_owner<'a>(
    state: &'a mut State,
    turn: &mut Transaction,
    id: InvitationId,
    owner: Identifier,
) -> Option<&'a Received> {
    let theirs = state.received.get(id).map(|it| it.owner == owner)?;
    if !theirs {
        audit::refused(state, turn, None, Some(owner), Code::NotTrusted);
        return None;
    }
    state.received.get(id)
}

/// A contact invites this person without a link.
fn invited(state: &mut State, turn: &mut Transaction, person: Identifier, news: PeerNotification) {
    let PeerNotification::Invitation {
        ticket,
        secret,
        owner_name,
        reach,
        service_name,
        service_kind,
        description,
        port,
        expires,
    } = news
    else {
        return;
    };
    if !state.contacts.contains(person) {
        return audit::refused(state, turn, None, Some(person), Code::NotTrusted);
    }
    let received = Received {
        id: ticket,
        secret: Some(TicketSecret::new(secret)),
        owner: person,
        owner_name: validation::clean_name(&owner_name),
        reach: validation::clean_reach(reach),
        service_name: validation::clean_service(&service_name),
        service_kind,
        description: validation::clean_description(description),
        port,
        expires,
        accepted: false,
        chosen_port: None,
        declined: false,
        over: None,
    };
    if received.reach.is_empty() || obstacle(state, &received, turn.now.wall).is_some() {
        return;
    }
    let service = received.service_name.clone();
    match take(state, turn, received) {
        Ok(true) => turn.notify(Notice::Invited { invitation: ticket, from: state.name(person), service }),
        Ok(false) => {}
        Err(fault) => audit::refused(state, turn, None, Some(person), fault.code),
    }
}
