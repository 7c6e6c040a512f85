//! The people whom the user knows.

use super::{Records, audit, invitation};
use crate::api::{Code, Fault, Notice};
use crate::confusable_names::KnownNames;
use crate::core::effect::Effect;
use crate::core::fault_messages;
use crate::core::limits::MAX_CONTACTS;
use crate::core::observed::IdentityState;
use crate::core::schema::{Contact, HistoryRefusal, KeyHistory, RefusedHistory};
use crate::core::transaction::Transaction;
use crate::core::validation;
use crate::peer::ContactInfo;
use crate::verification_words::words;
use postern_node::identity::{Comparison, Identifier};

impl Records {
    pub(crate) fn name(&self, person: Identifier) -> String {
        self.contacts.get(person).map_or_else(|| "Somebody".to_owned(), Contact::display_name)
    }

    pub(crate) fn is_blocked(&self, person: Identifier) -> bool {
        self.contacts.get(person).is_some_and(|it| it.blocked)
    }

    /// Somebody's verification words; nothing until their key history was seen.
    pub(crate) fn words_of(&self, person: Identifier) -> Option<String> {
        match self.contacts.get(person) {
            Some(contact) => contact.words(),
            None => self.met.get(person).and_then(KeyHistory::latest).map(|latest| words(&latest)),
        }
    }

    /// The verification words of somebody who may never have been met: until their key history is seen, those of an identity
    /// that has its first key still.
    pub(crate) fn words_of_stranger(&self, person: Identifier) -> String {
        self.words_of(person).unwrap_or_else(|| words(person.as_bytes()))
    }

    /// The user's own verification words.
    pub(crate) fn own_words(&self) -> Option<String> {
        match &self.identity {
            IdentityState::Ready(own) => Some(words(&own.latest_change)),
            _ => None,
        }
    }

    /// Whether this person is verified with the key that they have now.
    pub(crate) fn is_verified(&self, person: Identifier) -> bool {
        self.contacts.get(person).is_some_and(Contact::is_verified)
    }

    /// The names of all contacts, to be searched for names that look alike.
    pub(crate) fn known_names(&self) -> KnownNames<Identifier> {
        let names = |it: &Contact| {
            let own = it.petname.is_some().then(|| (it.identifier, it.own_name.clone()));
            std::iter::once((it.identifier, it.display_name())).chain(own)
        };
        KnownNames::new(self.contacts.all().flat_map(names))
    }

    /// Whether a shorter history than the contact's was seen while only its length was known, so that the node could not refuse
    /// it: their grants admit nobody until they are met with a history that is as long.
    pub(crate) fn answers_with_old_key(&self, person: Identifier) -> bool {
        self.contacts.get(person).is_some_and(|it| it.history.is_none() && it.refused_history.is_some())
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
    let history = records.met.take(person);
    pin(tx, history.iter());
    let contact = Contact {
        identifier: person,
        petname: None,
        own_name: validation::clean_name(&info.name),
        verified: false,
        blocked: false,
        changes: history.as_ref().map_or(0, KeyHistory::len),
        verified_changes: 0,
        history,
        verified_key: None,
        refused_history: None,
        postal_refused: false,
        postal: (!info.postal.is_empty()).then_some(info.postal),
        hubs: info.hubs,
        since: tx.now.wall,
    };
    records.contacts.put(tx, contact);
}

/// Takes newer information of a contact, if they give any; ignored for anybody else.
pub(crate) fn update(records: &mut Records, tx: &mut Transaction, person: Identifier, info: ContactInfo) {
    if !info.is_given() {
        return;
    }
    records.contacts.change(tx, person, |it| {
        it.own_name = info.name;
        it.postal_refused &= info.postal.is_empty();
        it.postal = (!info.postal.is_empty()).then_some(info.postal);
        it.hubs = info.hubs;
    });
}

/// Makes the node refuse histories that do not continue these.
fn pin<'a>(tx: &mut Transaction, histories: impl Iterator<Item = &'a KeyHistory>) {
    let histories: Vec<Vec<u8>> = histories.map(|it| it.encoded.clone()).collect();
    if !histories.is_empty() {
        tx.reconciled(Effect::PinHistories(histories));
    }
}

/// Pins the histories of all contacts, before anybody can connect.
pub(crate) fn pin_all(records: &Records, tx: &mut Transaction) {
    pin(tx, records.contacts.all().filter_map(|it| it.history.as_ref()));
}

/// How a history relates to what is known of a contact's.
fn relation(contact: &Contact, history: &KeyHistory) -> Comparison {
    match &contact.history {
        Some(known) => history.compare(known),
        // Of contacts from before histories were stored, only the length is known.
        None if history.len() < contact.changes => Comparison::Older,
        None => Comparison::Newer,
    }
}

/// Somebody's key history was seen. A longer one than before means that their key has changed.
pub(crate) fn history_seen(records: &mut Records, tx: &mut Transaction, person: Identifier, history: KeyHistory) {
    let Some(contact) = records.contacts.get(person) else { return records.met.put(person, history) };
    match (relation(contact, &history), &contact.history) {
        (Comparison::Newer, _) => adopt(records, tx, person, history),
        (Comparison::Conflict, _) => history_refused(records, tx, person, HistoryRefusal::Fork),
        (Comparison::Older, None) => history_refused(records, tx, person, HistoryRefusal::Older),
        // Late: the node knew the newer one already when it accepted it, and refuses the older one from then on.
        (Comparison::Older, Some(_)) | (Comparison::Equal, _) => {}
    }
}

fn adopt(records: &mut Records, tx: &mut Transaction, person: Identifier, history: KeyHistory) {
    let had_changed = records.contacts.get(person).is_some_and(Contact::key_has_changed);
    pin(tx, std::iter::once(&history));
    records.contacts.change(tx, person, |it| {
        if it.changes == 0 {
            it.verified_changes = history.len();
        }
        it.changes = history.len();
        it.history = Some(history);
    });
    if !had_changed && records.contacts.get(person).is_some_and(Contact::key_has_changed) {
        tx.notify(Notice::KeyChanged { from: records.name(person) });
        audit::contact(records, tx, person, "key-changed");
    }
}

/// Somebody presented another history than the contact's, and proved to hold its key. It is reported until the user reacts.
pub(crate) fn history_refused(records: &mut Records, tx: &mut Transaction, person: Identifier, how: HistoryRefusal) {
    let Some(contact) = records.contacts.get(person) else { return };
    // A fork is the graver of the two, and stays.
    if contact.refused_history.is_some_and(|it| it.how == how || it.how == HistoryRefusal::Fork) {
        return;
    }
    let refused = RefusedHistory { how, at: tx.now.wall };
    records.contacts.change(tx, person, |it| it.refused_history = Some(refused));
    let from = records.name(person);
    let fault = fault_messages::key_refused(&from, how);
    tx.notify(Notice::KeyRefused { from, fault });
    audit::contact(records, tx, person, "key-refused");
}

/// A contact gave somebody else's postal address as theirs. The one that they have is not used any more: mail to them would
/// go to whoever it belongs to.
pub(crate) fn postal_refused(records: &mut Records, tx: &mut Transaction, person: Identifier) {
    records.contacts.change(tx, person, |it| (it.postal, it.postal_refused) = (None, true));
    audit::refused(records, tx, None, Some(person), Code::NotTrusted);
}

/// Gives a contact a petname; none if it is their own name.
pub(crate) fn rename(records: &mut Records, tx: &mut Transaction, person: Identifier, name: String) {
    records.contacts.change(tx, person, |it| it.petname = (name != it.own_name).then_some(name));
}

/// Notes whether the verification words were compared, for the key that the contact has now. What was refused before that
/// is not reported any longer.
pub(crate) fn set_verified(records: &mut Records, tx: &mut Transaction, person: Identifier, verified: bool) {
    let changed = records.contacts.change(tx, person, |it| {
        it.verified = verified;
        it.verified_changes = if verified { it.changes } else { 0 };
        it.verified_key = it.present_key().filter(|_| verified);
        it.refused_history = None;
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
    // Met again, they are the same person with the same keys.
    if let Some(history) = records.contacts.remove(tx, person).and_then(|it| it.history) {
        records.met.put(person, history);
    }
}
