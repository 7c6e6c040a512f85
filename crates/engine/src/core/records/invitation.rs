//! The invitations that the user sent.
//!
//! ```text
//! created ─► delivered ─► seen ─► knocking ─► accepted
//!    └───────────┴──────────┴────────┴──────► declined, expired, revoked
//! ```

use super::{Records, audit};
use crate::api::{Code, Fault, InvitationId, Notice, SentState, Terms, UnixMillis};
use crate::core::limits::MAX_INVITATIONS;
use crate::core::observed::PendingKnock;
use crate::core::schema::{Contact, Invitation, KeyHistory};
use crate::core::task_request::{MailSubject, TaskRequest};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::{ContactInfo, PeerNotification};
use crate::verification_words::words;
use postern_node::identity::Identifier;

impl Records {
    /// The name for the holder of an invitation: the contact's, the knocker's, or the user's note.
    pub(crate) fn invited_name(&self, invitation: &Invitation) -> Option<String> {
        let contact = invitation.person.and_then(|it| self.contacts.get(it)).map(Contact::display_name);
        contact.or_else(|| invitation.knocker.clone()).or_else(|| invitation.note.clone())
    }

    /// The verification words of somebody who knocks; nothing if they were not met since a restart.
    pub(crate) fn knock_words(&self, id: InvitationId, person: Identifier) -> Option<String> {
        let history = self.knocks.get(&id).and_then(|it| it.history.as_ref());
        let latest = history.and_then(KeyHistory::latest).map(|latest| words(&latest));
        self.words_of(person).or(latest)
    }

    /// An invitation that can still be accepted, its expiry aside.
    pub(crate) fn open_invitation(&self, id: InvitationId) -> Result<&Invitation, Fault> {
        let missing = || Fault::new(Code::NotFound, "There is no such invitation.");
        let invitation = self.invitations.get(id).ok_or_else(missing)?;
        match invitation.state {
            SentState::Accepted => Err(Fault::new(Code::AlreadyIn, "This invitation was accepted already.")),
            SentState::Revoked => Err(Fault::new(Code::Revoked, "You took this invitation back: make a new one.")),
            SentState::Declined => Err(Fault::new(Code::Denied, "This invitation was declined.")),
            SentState::Expired => Err(Fault::new(Code::Expired, "This invitation has expired: send it again.")),
            SentState::Created | SentState::Delivered | SentState::Seen | SentState::Knocking => Ok(invitation),
        }
    }
}

/// Makes room for one more invitation, if finished ones can be removed.
pub(crate) fn make_room(records: &mut Records, tx: &mut Transaction) -> bool {
    if records.invitations.len() >= MAX_INVITATIONS {
        let finished = records.invitations.all().filter(|it| !it.is_open() && !has_live_grant(records, it));
        let Some(oldest) = finished.min_by_key(|it| (it.created, it.id)).map(|it| it.id) else { return false };
        records.invitations.remove(tx, oldest);
    }
    true
}

/// Whether redeeming it again must still find the grant that it became.
fn has_live_grant(records: &Records, invitation: &Invitation) -> bool {
    records.grants.all().any(|it| it.invitation == invitation.id && it.is_live())
}

/// Adds a new invitation.
pub(crate) fn add(records: &mut Records, tx: &mut Transaction, invitation: Invitation) {
    audit::invitation(records, tx, &invitation, "made");
    records.invitations.put(tx, invitation);
}

/// Makes an invitation valid until a later time, and has it mailed again.
pub(crate) fn renew(records: &mut Records, tx: &mut Transaction, id: InvitationId, expires: UnixMillis) {
    records.invitations.change(tx, id, |it| {
        it.expires = it.expires.max(expires);
        if it.state != SentState::Knocking {
            it.state = SentState::Created;
        }
    });
    tx.request(TaskRequest::DropMail(MailSubject::Ticket(id)));
}

/// A hub has taken the invitation's mail.
pub(crate) fn delivered(records: &mut Records, tx: &mut Transaction, id: InvitationId) {
    records.invitations.change(tx, id, |it| {
        if it.state == SentState::Created {
            it.state = SentState::Delivered;
        }
    });
}

/// The friend's app has shown the invitation.
pub(crate) fn seen(records: &mut Records, tx: &mut Transaction, id: InvitationId) {
    records.invitations.change(tx, id, |it| {
        if matches!(it.state, SentState::Created | SentState::Delivered) {
            it.state = SentState::Seen;
        }
    });
}

/// Somebody redeems an invitation that asks the owner first.
pub(crate) fn knock(
    records: &mut Records,
    tx: &mut Transaction,
    invitation: &Invitation,
    person: Identifier,
    contact: ContactInfo,
) {
    let name = validation::clean_name(&contact.name);
    let at = records.knocks.get(&invitation.id).map_or(tx.now.wall, |it| it.at);
    let history = records.met.get(person).cloned();
    records.knocks.insert(invitation.id, PendingKnock { at, contact, history });
    records.invitations.change(tx, invitation.id, |it| {
        it.person = Some(person);
        it.knocker = Some(name);
        it.state = SentState::Knocking;
    });
    if invitation.state != SentState::Knocking
        && let Some(invitation) = records.invitations.get(invitation.id)
    {
        audit::invitation(records, tx, invitation, "knocked");
        let from = records.invited_name(invitation).unwrap_or_default();
        tx.notify(Notice::Knock {
            invitation: invitation.id,
            service: records.service_name(invitation.service),
            words: records.knock_words(invitation.id, person),
            looks_like: records.known_names().taken_for(&person, &from).map(str::to_owned),
            verified: records.is_verified(person),
            from,
        });
    }
}

/// The owner allows a knock, with the terms of the grant.
pub(crate) fn allow(records: &mut Records, tx: &mut Transaction, id: InvitationId, terms: Terms) {
    records.invitations.change(tx, id, |it| (it.allowed, it.terms) = (true, terms));
}

/// An invitation has become this person's grant.
pub(crate) fn accepted(records: &mut Records, tx: &mut Transaction, id: InvitationId, person: Identifier) {
    records.knocks.remove(&id);
    tx.request(TaskRequest::DropMail(MailSubject::Ticket(id)));
    records.invitations.change(tx, id, |it| {
        it.person = Some(person);
        it.state = SentState::Accepted;
    });
    if let Some(invitation) = records.invitations.get(id) {
        audit::invitation(records, tx, invitation, "accepted");
    }
}

/// The friend declines.
pub(crate) fn declined(records: &mut Records, tx: &mut Transaction, invitation: &Invitation, person: Identifier) {
    records.invitations.change(tx, invitation.id, |it| it.person = Some(person));
    end(records, tx, invitation.id, SentState::Declined);
    let from = records.invited_name(invitation).unwrap_or_else(|| records.name(person));
    tx.notify(Notice::Declined { from, name: records.service_name(invitation.service) });
}

/// Ends an invitation, and tells its holder when it was revoked.
pub(crate) fn end(records: &mut Records, tx: &mut Transaction, id: InvitationId, how: SentState) {
    if !records.invitations.change(tx, id, |it| it.state = how) {
        return;
    }
    records.knocks.remove(&id);
    tx.request(TaskRequest::DropMail(MailSubject::Ticket(id)));
    let Some(invitation) = records.invitations.get(id) else { return };
    let (what, notification) = match how {
        SentState::Revoked => ("revoked", Some(PeerNotification::Withdrawn { ticket: id })),
        SentState::Declined => ("declined", None),
        _ => ("expired", None),
    };
    audit::invitation(records, tx, invitation, what);
    if let (Some(person), Some(notification)) = (invitation.person, notification) {
        tx.send(person, MailSubject::Ticket(id), notification);
    }
}

/// Revokes every open invitation to a person.
pub(crate) fn withdraw_all(records: &mut Records, tx: &mut Transaction, person: Identifier) {
    for id in records.invitations.keys_of(|it| it.person == Some(person) && it.is_open()) {
        end(records, tx, id, SentState::Revoked);
    }
}
