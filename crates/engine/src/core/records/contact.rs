//! The people whom the user knows.

use super::{Records, audit, invitation};
use crate::api::{Code, Fault, Notice};
use crate::core::limits::{MAX_CONTACTS, MAX_MET};
use crate::core::schema::Contact;
use crate::core::transaction::Transaction;
use crate::peer::ContactInfo;
use crate::verification_words::words;
use postern_node::identity::Identifier;

impl Records {
    pub(crate) fn name(&self, person: Identifier) -> String {
        self.contacts.get(person).map_or_else(|| "Somebody".to_owned(), Contact::display_name)
    }

    pub(crate) fn is_blocked(&self, person: Identifier) -> bool {
        self.contacts.get(person).is_some_and(|it| it.blocked)
    }

    /// The verification words that both sides see.
    pub(crate) fn words_with(&self, person: Identifier) -> Option<String> {
        self.me().map(|me| words(&me, &person))
    }

    pub(crate) fn contact(&self, person: Identifier) -> Result<&Contact, Fault> {
        self.contacts.get(person).ok_or_else(|| Fault::new(Code::NotFound, "You do not know this person."))
    }

    /// Whether this person would be one contact too many.
    pub(crate) fn has_no_room_for(&self, person: Identifier) -> bool {
        !self.contacts.contains(person) && self.contacts.len() >= MAX_CONTACTS
    }
}

/// Makes somebody a contact, or takes the newer information of one.
pub(crate) fn add_or_update(records: &mut Records, tx: &mut Transaction, person: Identifier, info: ContactInfo) {
    if records.contacts.contains(person) {
        return update(records, tx, person, info);
    }
    let contact = Contact {
        identifier: person,
        petname: None,
        own_name: info.name,
        verified: false,
        blocked: false,
        changes: records.histories.remove(&person).unwrap_or(0),
        verified_changes: 0,
        postal: (!info.postal.is_empty()).then_some(info.postal),
        hubs: info.hubs,
        since: tx.now.wall,
    };
    records.contacts.put(tx, contact);
}

/// Takes newer information of a contact; ignored for anybody else.
pub(crate) fn update(records: &mut Records, tx: &mut Transaction, person: Identifier, info: ContactInfo) {
    records.contacts.change(tx, person, |it| {
        it.own_name = info.name;
        it.postal = (!info.postal.is_empty()).then_some(info.postal);
        it.hubs = info.hubs;
    });
}

/// Somebody's key history was seen. A longer one than before means that their key has changed.
pub(crate) fn history_seen(records: &mut Records, tx: &mut Transaction, person: Identifier, changes: u32) {
    let Some(contact) = records.contacts.get(person) else {
        if records.histories.len() >= MAX_MET {
            records.histories.pop_first();
        }
        records.histories.insert(person, changes);
        return;
    };
    if changes <= contact.changes {
        return;
    }
    let had_changed = contact.key_has_changed();
    records.contacts.change(tx, person, |it| {
        if it.changes == 0 {
            it.verified_changes = changes;
        }
        it.changes = changes;
    });
    if !had_changed && records.contacts.get(person).is_some_and(Contact::key_has_changed) {
        tx.notify(Notice::KeyChanged { from: records.name(person) });
        audit::contact(records, tx, person, "key-changed");
    }
}

/// Gives a contact a petname; none if it is their own name.
pub(crate) fn rename(records: &mut Records, tx: &mut Transaction, person: Identifier, name: String) {
    records.contacts.change(tx, person, |it| it.petname = (name != it.own_name).then_some(name));
}

/// Notes whether the verification words were compared, for the key that the contact has now.
pub(crate) fn set_verified(records: &mut Records, tx: &mut Transaction, person: Identifier, verified: bool) {
    let changed = records.contacts.change(tx, person, |it| {
        it.verified = verified;
        it.verified_changes = if verified { it.changes } else { 0 };
    });
    if changed {
        audit::contact(records, tx, person, if verified { "verified" } else { "unverified" });
    }
}

/// Blocks or unblocks a contact. Blocking withdraws what they were invited to and drops the invitations from them that
/// the user has answered; unanswered ones stay, hidden, until the contact is unblocked.
pub(crate) fn set_blocked(records: &mut Records, tx: &mut Transaction, person: Identifier, blocked: bool) {
    if !records.contacts.change(tx, person, |it| it.blocked = blocked) {
        return;
    }
    audit::contact(records, tx, person, if blocked { "blocked" } else { "unblocked" });
    if blocked {
        invitation::withdraw_all(records, tx, person);
        for id in records.received.keys_of(|it| it.owner == person && !it.is_new()) {
            records.received.remove(tx, id);
        }
    }
}

/// Removes a contact with every invitation and ended grant between the two.
pub(crate) fn remove(records: &mut Records, tx: &mut Transaction, person: Identifier) {
    audit::contact(records, tx, person, "forgotten");
    invitation::withdraw_all(records, tx, person);
    for id in records.received.keys_of(|it| it.owner == person) {
        records.received.remove(tx, id);
    }
    for grant in records.grants.keys_of(|it| it.person == person) {
        records.grants.remove(tx, grant);
    }
    records.contacts.remove(tx, person);
}
