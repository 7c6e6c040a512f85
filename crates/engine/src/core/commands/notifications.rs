//! What owners tell unasked, over a channel or by mail. Only what concerns their own invitations and grants is applied.

use crate::api::{Code, GrantId, Notice};
use crate::core::authorization::{self, Verdict};
use crate::core::effect::Effect;
use crate::core::records::{Records, audit, inlet, received};
use crate::core::schema::{Received, TicketSecret};
use crate::core::task_request::{OutboundCall, TaskRequest};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::{GrantStatus, PeerNotification};
use postern_node::identity::Identifier;

/// A person notifies the user's engine.
pub(crate) fn notified(
    records: &mut Records,
    tx: &mut Transaction,
    person: Identifier,
    notification: PeerNotification,
) {
    let party = records.party_of_notification(person);
    match authorization::of_notification(&notification, party) {
        Verdict::Refused(code) => return audit::refused(records, tx, None, Some(person), code),
        Verdict::Ignored => return,
        Verdict::Allowed | Verdict::OwnStatusOnly => {}
    }
    match notification {
        PeerNotification::Invitation { .. } => invited(records, tx, person, notification),
        PeerNotification::Withdrawn { ticket } => {
            if received::check_owner(records, tx, ticket, person)
                && records.received.get(ticket).is_some_and(|it| it.over.is_none())
            {
                received::refused(records, tx, ticket, Code::Revoked);
            }
        }
        PeerNotification::KnockDecided { ticket } => {
            if received::check_owner(records, tx, ticket, person) {
                tx.request(TaskRequest::RetryCall(OutboundCall::Redeem(ticket)));
            }
        }
        PeerNotification::Grant { grant, status } => grant_status(records, tx, person, grant, status),
        PeerNotification::GoingOffline => owner_going_offline(records, tx, person),
    }
}

/// A contact invites the user without a link.
fn invited(records: &mut Records, tx: &mut Transaction, person: Identifier, notification: PeerNotification) {
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
    } = notification
    else {
        return;
    };
    if !records.contacts.contains(person) {
        return audit::refused(records, tx, None, Some(person), Code::NotTrusted);
    }
    let mut received = Received {
        id: ticket,
        secret: Some(TicketSecret::new(secret)),
        owner: person,
        owner_name: validation::clean_name(&owner_name),
        reach: validation::clean_addresses(reach),
        service_name: validation::clean_service(&service_name),
        service_kind,
        description: validation::clean_description(description),
        port,
        expires,
        claimed: None,
        accepted: false,
        chosen_port: None,
        declined: false,
        over: None,
    };
    received.limit_expiry(tx.now.wall);
    if received.reach.is_empty() || records.obstacle(&received, tx.now.wall).is_some() {
        return;
    }
    let service = received.service_name.clone();
    match received::add(records, tx, received) {
        Ok(true) => tx.notify(Notice::Invited { invitation: ticket, from: records.name(person), service }),
        Ok(false) => {}
        Err(fault) => audit::refused(records, tx, None, Some(person), fault.code),
    }
}

/// An owner tells the status of a grant.
fn grant_status(records: &mut Records, tx: &mut Transaction, person: Identifier, grant: GrantId, status: GrantStatus) {
    let Some((id, owner)) = records.inlets.find(|it| it.grant == grant).map(|it| (it.id, it.owner)) else { return };
    if owner != person {
        return audit::refused(records, tx, None, Some(person), Code::NotTrusted);
    }
    inlet::apply_status(records, tx, id, status);
}

/// An owner's engine stops: its channels are dead, and are closed before somebody tries to use them.
fn owner_going_offline(records: &Records, tx: &mut Transaction, owner: Identifier) {
    tx.effect(Effect::CloseChannels(owner));
    for id in records.inlets.keys_of(|it| it.owner == owner) {
        tx.effect(Effect::ReopenInlet(id));
    }
}
