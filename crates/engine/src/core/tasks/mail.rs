//! Mail to people who may be offline, sealed into their mailboxes.
//!
//! ```text
//! Mail ──► SendMail, with exponential backoff, until a hub takes it or something newer on the subject replaces it
//! ```
//!
//! A notification may arrive twice without harm. Invitations to contacts follow from the records, so a crash forgets
//! none; anything else is made good when the friend's engine asks for the status of its grants.

use super::retry_delay;
use crate::api::{Code, Fault, InvitationId};
use crate::core::derive::tickets;
use crate::core::effect::Effect;
use crate::core::event::MailId;
use crate::core::limits::{ANSWER_WITHIN, MAX_MAIL, MAX_TRIES};
use crate::core::records::{Records, contact, invitation};
use crate::core::schema::{Contact, Invitation};
use crate::core::task_request::MailSubject;
use crate::core::transaction::Transaction;
use crate::peer::PeerNotification;
use postern_node::identity::Identifier;
use std::collections::BTreeMap;

struct QueuedMail {
    person: Identifier,
    /// Nothing for an invitation, which is written at each attempt: the user's addresses may have changed.
    notification: Option<PeerNotification>,
    attempts: u32,
    /// When to send it, in ticks.
    at: u64,
    /// It is being sent, and given up at this tick.
    under_way: Option<(MailId, u64)>,
}

/// The mail that no hub has taken yet.
#[derive(Default)]
pub(crate) struct MailQueue {
    queue: BTreeMap<MailSubject, QueuedMail>,
    last_id: u64,
}

/// Whether somebody can be mailed.
fn mailable(records: &Records, person: Identifier) -> Option<&Contact> {
    records.contacts.get(person).filter(|it| it.can_be_mailed() && !it.blocked)
}

impl MailQueue {
    /// Drops the mail on a subject.
    pub(super) fn forget(&mut self, subject: MailSubject) {
        self.queue.remove(&subject);
    }

    /// Sends all mail at once.
    pub(super) fn retry_all(&mut self, ticks: u64) {
        for mail in self.queue.values_mut() {
            mail.at = mail.at.min(ticks);
            mail.attempts = 0;
        }
    }

    /// When the next mail is due or given up, in ticks.
    pub(super) fn next(&self) -> Option<u64> {
        self.queue.values().map(|it| it.under_way.map_or(it.at, |(_, until)| until)).min()
    }

    /// Queues a notification, if its person has a mailbox and is not blocked.
    pub(super) fn add(
        &mut self,
        records: &Records,
        subject: MailSubject,
        person: Identifier,
        notification: PeerNotification,
        ticks: u64,
    ) {
        if mailable(records, person).is_some() {
            self.enqueue(subject, person, Some(notification), ticks);
        }
    }

    fn enqueue(&mut self, subject: MailSubject, person: Identifier, notification: Option<PeerNotification>, at: u64) {
        if self.queue.len() >= MAX_MAIL && !self.queue.contains_key(&subject) {
            // Invitations are queued again from the records; of the rest, friends learn when they ask.
            self.queue.pop_last();
        }
        self.queue.insert(subject, QueuedMail { person, notification, attempts: 0, at, under_way: None });
    }

    /// Queues the invitations that are to be mailed, and sends what is due.
    pub(super) fn run(&mut self, records: &Records, tx: &mut Transaction) {
        self.drop_stale_invitations(records);
        self.queue_invitations(records, tx);
        let ticks = tx.now.ticks;
        let mut due = Vec::new();
        for (subject, mail) in &mut self.queue {
            if mail.under_way.is_some_and(|(_, until)| until <= ticks) {
                mail.under_way = None;
                mail.at = ticks;
            }
            if mail.under_way.is_none() && mail.at <= ticks {
                due.push(*subject);
            }
        }
        for subject in due {
            self.send(records, tx, subject);
        }
    }

    fn drop_stale_invitations(&mut self, records: &Records) {
        let is_waiting = |id: InvitationId| records.invitations.get(id).is_some_and(Invitation::is_to_be_mailed);
        self.queue.retain(|subject, mail| match subject {
            MailSubject::Ticket(id) => mail.notification.is_some() || is_waiting(*id),
            MailSubject::Grant(_) => true,
        });
    }

    fn queue_invitations(&mut self, records: &Records, tx: &mut Transaction) {
        for invitation in records.invitations.all().filter(|it| it.is_to_be_mailed()) {
            let subject = MailSubject::Ticket(invitation.id);
            if self.queue.contains_key(&subject) || self.queue.len() >= MAX_MAIL {
                continue;
            }
            let Some(person) = invitation.person.filter(|it| mailable(records, *it).is_some()) else { continue };
            if let Some(notification) = tickets::notification(records, invitation) {
                tx.effect(Effect::NotifyPeer(person, notification));
                self.enqueue(subject, person, None, tx.now.ticks);
            }
        }
    }

    fn send(&mut self, records: &Records, tx: &mut Transaction, subject: MailSubject) {
        let Some(mail) = self.queue.get_mut(&subject) else { return };
        let notification = match (&mail.notification, subject) {
            (Some(notification), _) => Some(notification.clone()),
            (None, MailSubject::Ticket(id)) => {
                records.invitations.get(id).and_then(|it| tickets::notification(records, it))
            }
            (None, MailSubject::Grant(_)) => None,
        };
        let (Some(contact), Some(news)) = (mailable(records, mail.person), notification) else {
            self.forget(subject);
            return;
        };
        self.last_id += 1;
        let id = MailId(self.last_id);
        mail.under_way = Some((id, tx.now.ticks + ANSWER_WITHIN));
        let (to, hubs) = (contact.postal.clone().unwrap_or_default(), contact.hubs.clone());
        tx.effect(Effect::SendMail { mail: id, person: mail.person, to, hubs, news });
    }

    /// A hub has taken a piece of mail, or none has.
    pub(crate) fn sent(&mut self, records: &mut Records, tx: &mut Transaction, id: MailId, result: Result<(), Fault>) {
        let is_it = |mail: &QueuedMail| mail.under_way.is_some_and(|(it, _)| it == id);
        let Some((subject, mail)) = self.queue.iter_mut().find(|(_, it)| is_it(it)) else { return };
        let subject = *subject;
        if result.as_ref().is_err_and(|fault| fault.code == Code::NotTrusted) {
            let person = mail.person;
            self.forget(subject);
            return contact::postal_refused(records, tx, person);
        }
        let is_invitation = mail.notification.is_none();
        mail.under_way = None;
        if result.is_err() && (is_invitation || mail.attempts < MAX_TRIES) {
            mail.at = tx.now.ticks + retry_delay(tx, mail.attempts);
            mail.attempts = mail.attempts.saturating_add(1);
            return;
        }
        self.forget(subject);
        if let MailSubject::Ticket(id) = subject
            && is_invitation
        {
            invitation::delivered(records, tx, id);
        }
    }
}
