//! People this person knows.

use crate::api::{AuditEvent, Code, Fault, GrantState, Notice, SentState};
use crate::core::commands::{incoming_invitations, invitations};
use crate::core::derive::reconcile;
use crate::core::limits::{MAX_CONTACTS, MAX_MET};
use crate::core::records::{Contact, Invitation};
use crate::core::transaction::Transaction;
use crate::core::{Effect, State, validation};
use crate::peer::ContactInfo;
use crate::verification_words::words;
use postern_node::identity::Identifier;

/// What this person calls a contact.
pub(crate) fn name_of(contact: &Contact) -> String {
    contact.petname.clone().unwrap_or_else(|| contact.own_name.clone())
}

/// Whether a contact's words were compared, for the key they have now.
pub(crate) fn is_verified(contact: &Contact) -> bool {
    contact.verified && contact.changes <= contact.verified_changes
}

/// Whether a contact's key is another than the one that was verified.
pub(crate) fn key_has_changed(contact: &Contact) -> bool {
    contact.verified && contact.changes > contact.verified_changes
}

impl State {
    pub(crate) fn name(&self, person: Identifier) -> String {
        self.contacts.get(person).map_or_else(|| "Somebody".to_owned(), name_of)
    }

    /// The name of whoever holds an invitation: the contact's, the knocker's, or the note about them.
    pub(crate) fn invited_name(&self, invitation: &Invitation) -> Option<String> {
        let contact = invitation.person.and_then(|it| self.contacts.get(it)).map(name_of);
        contact.or_else(|| invitation.knocker.clone()).or_else(|| invitation.note.clone())
    }

    pub(crate) fn is_blocked(&self, person: Identifier) -> bool {
        self.contacts.get(person).is_some_and(|it| it.blocked)
    }

    pub(crate) fn words_with(&self, person: Identifier) -> Option<String> {
        self.me().map(|me| words(&me, &person))
    }

    fn contact(&self, person: Identifier) -> Result<&Contact, Fault> {
        self.contacts.get(person).ok_or_else(|| Fault::new(Code::NotFound, "You do not know this person."))
    }
}

/// Whether one more contact would be too many.
pub(crate) fn is_full(state: &State, person: Identifier) -> bool {
    !state.contacts.contains(person) && state.contacts.len() >= MAX_CONTACTS
}

/// Learns who somebody is and where they collect mail.
pub(crate) fn learn(state: &mut State, turn: &mut Transaction, person: Identifier, card: ContactInfo) {
    if state.contacts.contains(person) {
        return refresh(state, turn, person, card);
    }
    let contact = Contact {
        identifier: person,
        petname: None,
        own_name: card.name,
        verified: false,
        blocked: false,
        changes: state.met.remove(&person).unwrap_or(0),
        verified_changes: 0,
        postal: (!card.postal.is_empty()).then_some(card.postal),
        hubs: card.hubs,
        since: turn.now.wall,
    };
    state.contacts.put(turn, contact);
}

/// Takes a newer card of somebody who is known.
pub(crate) fn refresh(state: &mut State, turn: &mut Transaction, person: Identifier, card: ContactInfo) {
    state.contacts.change(turn, person, |it| {
        it.own_name = card.name;
        it.postal = (!card.postal.is_empty()).then_some(card.postal);
        it.hubs = card.hubs;
    });
}

/// Somebody's history was seen.
pub(crate) fn met(state: &mut State, turn: &mut Transaction, person: Identifier, changes: u32) {
    let Some(contact) = state.contacts.get(person) else {
        if state.met.len() >= MAX_MET {
            state.met.pop_first();
        }
        state.met.insert(person, changes);
        return;
    };
    if changes <= contact.changes {
        return;
    }
    let had_changed = key_has_changed(contact);
    state.contacts.change(turn, person, |it| {
        if it.changes == 0 {
            it.verified_changes = changes;
        }
        it.changes = changes;
    });
    if !had_changed && state.contacts.get(person).is_some_and(key_has_changed) {
        turn.notify(Notice::KeyChanged { from: state.name(person) });
        note(state, turn, person, "key-changed");
    }
}

fn note(state: &State, turn: &mut Transaction, person: Identifier, what: &str) {
    turn.write(AuditEvent::Contact { person, name: state.name(person), what: what.to_owned() });
}

pub(crate) fn rename(state: &mut State, turn: &mut Transaction, person: Identifier, name: &str) -> Result<(), Fault> {
    state.contact(person)?;
    let name = validation::name(name)?;
    state.contacts.change(turn, person, |it| it.petname = (name != it.own_name).then_some(name));
    Ok(())
}

pub(crate) fn verify(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    verified: bool,
) -> Result<(), Fault> {
    state.contact(person)?;
    let changed = state.contacts.change(turn, person, |it| {
        it.verified = verified;
        it.verified_changes = if verified { it.changes } else { 0 };
    });
    if changed {
        note(state, turn, person, if verified { "verified" } else { "unverified" });
    }
    Ok(())
}

pub(crate) fn block(state: &mut State, turn: &mut Transaction, person: Identifier, on: bool) -> Result<(), Fault> {
    state.contact(person)?;
    if !state.contacts.change(turn, person, |it| it.blocked = on) {
        return Ok(());
    }
    note(state, turn, person, if on { "blocked" } else { "unblocked" });
    if on {
        take_back_invitations(state, turn, person);
        // What nobody answered waits, unseen, until the block is lifted.
        for id in state.received.keys_of(|it| it.owner == person && !incoming_invitations::is_new(it)) {
            state.received.remove(turn, id);
        }
        // They hear why first.
        reconcile::tell_standings(state, turn);
        turn.effect(Effect::CloseChannels(person));
    }
    Ok(())
}

/// Takes back what they were invited to.
fn take_back_invitations(state: &mut State, turn: &mut Transaction, person: Identifier) {
    for id in state.invitations.keys_of(|it| it.person == Some(person) && invitations::is_open(it.state)) {
        invitations::end(state, turn, id, SentState::Revoked);
    }
}

pub(crate) fn forget(state: &mut State, turn: &mut Transaction, person: Identifier) -> Result<(), Fault> {
    let name = name_of(state.contact(person)?);
    let has_access =
        state.grants.all().any(|it| it.person == person && matches!(it.state, GrantState::Active | GrantState::Paused));
    if has_access {
        return Err(Fault::new(Code::Invalid, format!("{name} still has access: revoke it first.")));
    }
    if state.inlets.all().any(|it| it.owner == person && !it.giving_back) {
        return Err(Fault::new(
            Code::Invalid,
            format!("You still use what {name} shares: remove those portals first."),
        ));
    }
    note(state, turn, person, "forgotten");
    take_back_invitations(state, turn, person);
    for id in state.received.keys_of(|it| it.owner == person) {
        state.received.remove(turn, id);
    }
    for grant in state.grants.keys_of(|it| it.person == person) {
        state.grants.remove(turn, grant);
    }
    state.contacts.remove(turn, person);
    Ok(())
}
