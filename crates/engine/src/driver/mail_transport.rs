//! Mail: notifications sealed for one person, stored at a hub until that person collects them.
//!
//! ```text
//! Effect::SendMail ─► seal to the postal address ─► the recipient's hubs, one after the other ─► Event::MailPosted
//! our hubs' mailboxes ─► open ─► Event::PeerNotification ─► everything that follows is saved ─► acknowledge
//! ```
//!
//! A hub learns the recipient and the length of a message, nothing else. It may drop or repeat one. A repetition is
//! recognized if it comes soon; one that comes late changes nothing, because notifications state how things are, and not
//! what to do.

use super::clock;
use super::hubs::Hubs;
use super::node_context::{NodeContext, dial_target};
use crate::api::{Code, Fault};
use crate::core::Event;
use crate::dial_policy::ChosenBy;
use crate::peer::PeerNotification;
use postern_env::time::{self, Duration};
use postern_node::identity::{Identifier, Timestamp, TrustPolicy};
use postern_node::mailbox::{Mail, MailboxError};
use postern_node::sealed::{self, PostalAddress, PostalKey, VerifiedPostalAddress};
use postern_node::session::{HubOptions, HubSession, MailboxSession, SessionError};
use postern_node::{Error, SecureChannel};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What sealed messages of this kind are for. Part of the protocol: both sides must use the same.
const CONTEXT: &[u8] = b"postern news 1";
/// How long one hub may take, connecting included. Chosen: a connection, a handshake and an answer.
const HUB_WITHIN: Duration = Duration::from_secs(15);
/// Messages that are remembered, so that a repetition is recognized. Chosen: four times what a mailbox holds.
const MAX_SEEN: usize = 1_024;

/// Sends and receives mail; clones share the state.
#[derive(Clone)]
pub(super) struct MailTransport {
    context: NodeContext,
    hubs: Hubs,
    key: Arc<PostalKey>,
    seen: Arc<Mutex<VecDeque<[u8; 32]>>>,
}

impl MailTransport {
    pub(super) fn new(context: NodeContext, hubs: Hubs, key: PostalKey) -> Self {
        Self { context, hubs, key: Arc::new(key), seen: Arc::default() }
    }

    /// The encoded postal address that others seal mail to.
    pub(super) fn address(&self) -> Vec<u8> {
        self.key.address().encode()
    }

    /// A key of this person's own, for one purpose.
    pub(super) fn self_sealing_key(&self, purpose: &[u8]) -> Result<sealed::SelfSealingKey, sealed::SealedError> {
        self.key.self_sealing_key(purpose)
    }

    /// A key of this person's own to authenticate with, for one purpose.
    pub(super) fn self_mac_key(&self, purpose: &[u8]) -> Result<sealed::SelfMacKey, sealed::SealedError> {
        self.key.self_mac_key(purpose)
    }

    /// Deposits a notification at the first of the recipient's hubs that accepts it.
    ///
    /// # Errors
    /// [`Code::NotTrusted`] if the address is not one of this person's identity; [`Code::CannotMail`] and others if it was not sent.
    pub(super) async fn send(
        &self,
        person: Identifier,
        address: &[u8],
        hubs: &[String],
        notification: &PeerNotification,
    ) -> Result<(), Fault> {
        let cannot = |why: String| Fault::new(Code::CannotMail, why);
        let known = self.context.node.known_identities();
        let recipient = PostalAddress::decode(address)
            .and_then(|address| address.verify(known, timestamp()))
            .map_err(|error| cannot(format!("Their address for mail cannot be used: {error}. Send them a link.")))?;
        self.context.report_history(&recipient.identifier).await;
        if recipient.identifier != person {
            return Err(Fault::new(
                Code::NotTrusted,
                "Their address for mail belongs to somebody else. Send them a link.",
            ));
        }
        let sealed = notification
            .encode()
            .map_err(|error| cannot(error.to_string()))
            .and_then(|bytes| self.seal(&recipient, &bytes).map_err(|error| cannot(error.to_string())))?;
        let mut last = cannot("They collect mail at no hub. Send them a link.".into());
        for hub in hubs {
            match time::timeout(HUB_WITHIN, self.deposit(hub, recipient.identifier, &sealed)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(fault)) => last = fault,
                Err(_) => last = unreachable_hub(hub),
            }
        }
        Err(last)
    }

    fn seal(&self, recipient: &VerifiedPostalAddress, message: &[u8]) -> Result<Vec<u8>, sealed::SealedError> {
        sealed::seal(&self.key, recipient, CONTEXT, message)
    }

    /// Deposits a message at one hub, over our session with it if there is one.
    async fn deposit(&self, hub: &str, recipient: Identifier, sealed: &[u8]) -> Result<(), Fault> {
        let ours = self.hubs.up().into_iter().find(|(address, _)| address == hub).and_then(|(_, up)| up.channel);
        if let Some(channel) = ours {
            return self.deposit_over(hub, &channel, recipient, sealed).await;
        }
        let options = HubOptions { relay: None, trust: TrustPolicy::Anyone };
        let chosen_by = if self.hubs.contains(hub) { ChosenBy::User } else { ChosenBy::Peer };
        let target = dial_target(hub, chosen_by);
        let session = self.context.node.keep_connected_as(&self.context.identity, target, options).await;
        let session = session.map_err(|error| fault(hub, &error))?;
        let up = session.up().await.map_err(|error| match &*error {
            SessionError::Channel(_) => no_mailbox(hub),
            _ => unreachable_hub(hub),
        })?;
        let channel = up.channel.ok_or_else(|| unreachable_hub(hub))?;
        self.deposit_over(hub, &channel, recipient, sealed).await
    }

    async fn deposit_over(
        &self,
        hub: &str,
        channel: &SecureChannel,
        recipient: Identifier,
        sealed: &[u8],
    ) -> Result<(), Fault> {
        let deposited = self.context.node.deposit_mail(channel, recipient, sealed).await;
        deposited.map(drop).map_err(|error| fault(hub, &error))
    }

    /// Collects mail at a hub for as long as its session exists.
    pub(super) fn collect(&self, hub: &HubSession, address: &str) {
        let mut mailbox = self.context.node.keep_mailbox(hub);
        self.follow_clock(mailbox.clock_ahead(), address.to_owned());
        let transport = self.clone();
        self.context.spawn(async move {
            while let Some(mail) = mailbox.next().await {
                transport.receive(&mailbox, mail).await;
            }
        });
    }

    /// Reports what a hub says the time is, for as long as its mailbox is kept.
    fn follow_clock(&self, mut ahead: watch::Receiver<Option<i64>>, address: String) {
        let context = self.context.clone();
        self.context.spawn(async move {
            while ahead.changed().await.is_ok() {
                let ahead_ms = *ahead.borrow_and_update();
                context.emit(Event::HubClock(address.clone(), ahead_ms)).await;
            }
        });
    }

    /// Handles one message. It is acknowledged, and so deleted at the hub, only when what follows from it is on disk.
    async fn receive(&self, mailbox: &MailboxSession, mail: Mail) {
        let context = &self.context;
        match sealed::open(&self.key, CONTEXT, &mail.sealed, context.node.known_identities(), timestamp()) {
            Ok(opened) if self.is_new(opened.id) => {
                context.report_history(&opened.sender.identifier).await;
                match PeerNotification::decode(&opened.message) {
                    Ok(notification) => {
                        context.emit_and_wait(Event::PeerNotification(opened.sender.identifier, notification)).await;
                    }
                    Err(error) => tracing::debug!(%error, "mail cannot be decoded; it is deleted"),
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "mail cannot be opened; it is deleted"),
        }
        mailbox.acknowledge(mail.id);
    }

    fn is_new(&self, id: [u8; 32]) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&id) {
            return false;
        }
        if seen.len() == MAX_SEEN {
            seen.pop_front();
        }
        seen.push_back(id);
        true
    }
}

/// The wall clock in the node's unit.
fn timestamp() -> Timestamp {
    Timestamp(clock::wall().0 / 1_000)
}

fn fault(hub: &str, error: &Error) -> Fault {
    match error {
        Error::Mailbox(MailboxError::UnknownRecipient) => Fault::new(
            Code::CannotMail,
            format!("They have not been at the hub {hub} lately, so it keeps no mail for them. Send a link."),
        ),
        Error::Mailbox(MailboxError::MailboxFull | MailboxError::HubFull | MailboxError::RateLimited) => {
            Fault::new(Code::TooMany, format!("The hub {hub} takes no more mail for them now: {error}."))
        }
        Error::Mailbox(MailboxError::NotAnswered) | Error::Channel(_) => no_mailbox(hub),
        _ => unreachable_hub(hub),
    }
}

fn no_mailbox(hub: &str) -> Fault {
    Fault::new(Code::CannotMail, format!("The hub {hub} takes no mail. Send a link."))
}

fn unreachable_hub(hub: &str) -> Fault {
    Fault::new(Code::HubUnreachable, format!("The hub {hub} cannot be reached. Postern goes on trying."))
}
