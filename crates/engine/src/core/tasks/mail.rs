//! What is told to people who may be away: over a channel if one is open, and sealed into their mailboxes.
//!
//! ```text
//! tell ──► Push now ──► Post, until a hub takes it, or something newer is to be told about the same thing
//! ```
//!
//! Every piece of news may come twice: whoever hears it does not mind. Invitations to known people follow from the
//! records, so a crash forgets none; the rest is made good when the friend's engine asks how its grants are.

use crate::api::{Fault, GrantId, InvitationId, SentState};
use crate::core::commands::invitations;
use crate::core::event::MailId;
use crate::core::limits::{ANSWER_WITHIN, MAX_MAIL, MAX_TRIES};
use crate::core::records::Contact;
use crate::core::tasks::outbound_calls::backoff;
use crate::core::transaction::Transaction;
use crate::core::{Effect, State};
use crate::peer::PeerNotification;
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

/// What a piece of news is about: of one thing, only the newest is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Ticket(InvitationId),
    Grant(GrantId),
}

struct QueuedMail {
    person: Identifier,
    /// Nothing for an invitation, which is written anew each time: ways to us may have changed.
    news: Option<PeerNotification>,
    attempts: u32,
    /// When to post it, in ticks.
    at: u64,
    /// Being posted, and until when that is believed.
    under_way: Option<(MailId, u64)>,
}

/// All mail that no hub has taken yet.
#[derive(Default)]
pub(crate) struct Mail {
    letters: BTreeMap<Subject, QueuedMail>,
    last: u64,
}

impl Mail {
    pub(crate) fn forget(&mut self, subject: Subject) {
        self.letters.remove(&subject);
    }

    pub(crate) fn hurry(&mut self, ticks: u64) {
        for letter in self.letters.values_mut() {
            letter.at = letter.at.min(ticks);
            letter.attempts = 0;
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.letters.values().map(|it| it.under_way.map_or(it.at, |(_, until)| until)).min()
    }

    fn add(&mut self, subject: Subject, person: Identifier, news: Option<PeerNotification>, at: u64) {
        if self.letters.len() >= MAX_MAIL && !self.letters.contains_key(&subject) {
            // Invitations come again of themselves; of the rest, whoever asks hears how it is.
            self.letters.pop_last();
        }
        self.letters.insert(subject, QueuedMail { person, news, attempts: 0, at, under_way: None });
    }
}

/// Whether somebody has a mailbox.
pub(crate) fn can_be_mailed(contact: &Contact) -> bool {
    contact.postal.is_some() && !contact.hubs.is_empty()
}

/// Tells somebody something now, and by mail unless they are blocked.
pub(crate) fn tell(
    state: &mut State,
    turn: &mut Transaction,
    person: Identifier,
    subject: Subject,
    news: PeerNotification,
) {
    turn.effect(Effect::NotifyPeer(person, news.clone()));
    if state.contacts.get(person).is_some_and(|it| can_be_mailed(it) && !it.blocked) {
        state.mail.add(subject, person, Some(news), turn.now.ticks);
    }
}

/// Makes letters of the invitations that are to be mailed, and posts what is due.
pub(crate) fn settle(state: &mut State, turn: &mut Transaction) {
    begin_invitations(state, turn);
    let ticks = turn.now.ticks;
    let mut due = Vec::new();
    for (subject, letter) in &mut state.mail.letters {
        if letter.under_way.is_some_and(|(_, until)| until <= ticks) {
            letter.under_way = None;
            letter.at = ticks;
        }
        if letter.under_way.is_none() && letter.at <= ticks {
            due.push(*subject);
        }
    }
    for subject in due {
        post(state, turn, subject);
    }
}

fn begin_invitations(state: &mut State, turn: &mut Transaction) {
    let is_waiting = |state: &State, id| {
        state.invitations.get(id).is_some_and(|it| it.state == SentState::Created && it.person.is_some())
    };
    let stale = state.mail.letters.iter().filter_map(|(subject, letter)| match (subject, &letter.news) {
        (Subject::Ticket(id), None) if !is_waiting(state, *id) => Some(*subject),
        _ => None,
    });
    for subject in stale.collect::<Vec<_>>() {
        state.mail.forget(subject);
    }
    for id in state.invitations.keys_of(|it| it.state == SentState::Created && it.person.is_some()) {
        let subject = Subject::Ticket(id);
        if state.mail.letters.contains_key(&subject) || state.mail.letters.len() >= MAX_MAIL {
            continue;
        }
        let Some(invitation) = state.invitations.get(id) else { continue };
        let Some(person) = invitation.person else { continue };
        let can = state.contacts.get(person).is_some_and(|it| can_be_mailed(it) && !it.blocked);
        if let Some(news) = invitations::news(state, invitation).filter(|_| can) {
            turn.effect(Effect::NotifyPeer(person, news));
            state.mail.add(subject, person, None, turn.now.ticks);
        }
    }
}

fn post(state: &mut State, turn: &mut Transaction, subject: Subject) {
    let Some(letter) = state.mail.letters.get(&subject) else { return };
    let contact = state.contacts.get(letter.person).filter(|it| can_be_mailed(it) && !it.blocked);
    let written = match (&letter.news, subject) {
        (Some(news), _) => Some(news.clone()),
        (None, Subject::Ticket(id)) => state.invitations.get(id).and_then(|it| invitations::news(state, it)),
        (None, Subject::Grant(_)) => None,
    };
    let (Some(contact), Some(news)) = (contact, written) else {
        state.mail.forget(subject);
        return;
    };
    let (to, hubs) = (contact.postal.clone().unwrap_or_default(), contact.hubs.clone());
    state.mail.last += 1;
    let mail = MailId(state.mail.last);
    if let Some(letter) = state.mail.letters.get_mut(&subject) {
        letter.under_way = Some((mail, turn.now.ticks + ANSWER_WITHIN));
    }
    turn.effect(Effect::SendMail { mail, to, hubs, news });
}

/// A hub has taken a letter, or none has.
pub(crate) fn posted(state: &mut State, turn: &mut Transaction, mail: MailId, result: Result<(), Fault>) {
    let is_it = |letter: &QueuedMail| letter.under_way.is_some_and(|(it, _)| it == mail);
    let Some((subject, letter)) = state.mail.letters.iter_mut().find(|(_, it)| is_it(it)) else { return };
    let subject = *subject;
    let is_invitation = letter.news.is_none();
    letter.under_way = None;
    if result.is_err() && (is_invitation || letter.attempts < MAX_TRIES) {
        letter.at = turn.now.ticks + backoff(turn, letter.attempts);
        letter.attempts = letter.attempts.saturating_add(1);
        return;
    }
    state.mail.forget(subject);
    if let Subject::Ticket(id) = subject
        && is_invitation
    {
        state.invitations.change(turn, id, |it| {
            if it.state == SentState::Created {
                it.state = SentState::Delivered;
            }
        });
    }
}
