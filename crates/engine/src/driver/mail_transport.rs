//! Mail: news sealed for one person, left at a hub until they come.
//!
//! ```text
//! MailTransport ─► seal to their postal address ─► their hubs, one after the other ─► Posted
//! our hubs' mailboxes ─► open ─► Told ─► the heart has saved what follows ─► acknowledge
//! ```
//!
//! A hub sees for whom a message is and how long it is. It may drop or repeat one; what comes twice in a row is heard once,
//! and what comes again later changes nothing, because news say how things are and not what to do.

use crate::api::{Code, Fault};
use crate::core::Event;
use crate::driver::{NodeContext, clock};
use crate::peer::PeerNotification;
use postern_node::identity::{Identifier, TrustPolicy};
use postern_node::mailbox::{Mail, MailboxError};
use postern_node::sealed::{self, PostalAddress, PostalKey, VerifiedPostalAddress};
use postern_node::session::{HubOptions, HubSession, MailboxSession, SessionError};
use postern_node::{Error, SecureChannel};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What sealed mail of this kind is for; both sides know it.
const CONTEXT: &[u8] = b"postern news 1";
/// How long one hub may take, the way there included.
const HUB_WITHIN: Duration = Duration::from_secs(15);
/// Messages that are remembered, so that one which comes again is heard once.
const MAX_SEEN: usize = 1_024;

/// This person's mail.
pub(crate) struct MailTransport {
    key: PostalKey,
    seen: Mutex<VecDeque<[u8; 32]>>,
}

impl MailTransport {
    pub(crate) fn new(key: PostalKey) -> Self {
        Self { key, seen: Mutex::default() }
    }

    /// The encoded address that others seal mail to.
    pub(crate) fn address(&self) -> Vec<u8> {
        self.key.address().encode()
    }

    /// The person's own key for a purpose.
    pub(crate) fn self_sealing_key(&self, purpose: &[u8]) -> Result<sealed::SelfSealingKey, sealed::SealedError> {
        self.key.self_sealing_key(purpose)
    }

    /// Leaves news for somebody at the first of their hubs that takes them.
    pub(crate) async fn send(
        &self,
        net: &NodeContext,
        to: &[u8],
        hubs: &[String],
        news: &PeerNotification,
    ) -> Result<(), Fault> {
        let cannot = |why: String| Fault::new(Code::CannotMail, why);
        let known = net.node.known_identities();
        let to = PostalAddress::decode(to)
            .and_then(|address| address.verify(known, clock::timestamp()))
            .map_err(|error| cannot(format!("Their address for mail cannot be used: {error}. Send them a link.")))?;
        net.met(&to.history);
        let sealed = news
            .encode()
            .map_err(|error| cannot(error.to_string()))
            .and_then(|news| self.seal(&to, &news).map_err(|error| cannot(error.to_string())))?;
        let mut last = cannot("They collect mail at no hub. Send them a link.".into());
        for hub in hubs {
            match tokio::time::timeout(HUB_WITHIN, deposit(net, hub, to.identifier, &sealed)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(fault)) => last = fault,
                Err(_) => last = unreachable_hub(hub),
            }
        }
        Err(last)
    }

    fn seal(&self, to: &VerifiedPostalAddress, news: &[u8]) -> Result<Vec<u8>, sealed::SealedError> {
        sealed::seal(&self.key, to, CONTEXT, news)
    }

    /// Collects what waits at a hub, for as long as the hub is kept.
    pub(crate) fn collect(&self, net: &NodeContext, hub: &HubSession) {
        let mut mailbox = net.node.keep_mailbox(hub);
        let net = net.clone();
        net.clone().spawn(async move {
            while let Some(mail) = mailbox.next().await {
                net.post.take(&net, &mailbox, mail).await;
            }
        });
    }

    async fn take(&self, net: &NodeContext, mailbox: &MailboxSession, mail: Mail) {
        match sealed::open(&self.key, CONTEXT, &mail.sealed, net.node.known_identities(), clock::timestamp()) {
            Ok(opened) if self.is_new(opened.id) => {
                net.met(&opened.sender.history);
                match PeerNotification::decode(&opened.message) {
                    Ok(news) => net.tell_and_wait(Event::PeerNotification(opened.sender.identifier, news)).await,
                    Err(error) => tracing::debug!(%error, "mail was dropped"),
                }
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "mail was dropped"),
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

async fn deposit(net: &NodeContext, hub: &str, to: Identifier, sealed: &[u8]) -> Result<(), Fault> {
    let kept = net.hubs.up().into_iter().find(|(address, _)| address == hub).and_then(|(_, up)| up.channel);
    if let Some(channel) = kept {
        return leave(net, hub, &channel, to, sealed).await;
    }
    let options = HubOptions { relay: None, trust: TrustPolicy::Anyone };
    let session = net.node.keep_connected_as(&net.identity, hub, options).await;
    let session = session.map_err(|error| fault(hub, &error))?;
    let up = session.up().await.map_err(|error| match &*error {
        SessionError::Channel(_) => takes_no_mail(hub),
        _ => unreachable_hub(hub),
    })?;
    let channel = up.channel.ok_or_else(|| unreachable_hub(hub))?;
    leave(net, hub, &channel, to, sealed).await
}

async fn leave(
    net: &NodeContext,
    hub: &str,
    channel: &SecureChannel,
    to: Identifier,
    sealed: &[u8],
) -> Result<(), Fault> {
    net.node.deposit_mail(channel, to, sealed).await.map(drop).map_err(|error| fault(hub, &error))
}

fn fault(hub: &str, error: &Error) -> Fault {
    match error {
        Error::Mailbox(MailboxError::MailboxFull | MailboxError::HubFull | MailboxError::RateLimited) => {
            Fault::new(Code::TooMany, format!("The hub {hub} takes no more mail for them now: {error}."))
        }
        Error::Mailbox(MailboxError::NotAnswered) | Error::Channel(_) => takes_no_mail(hub),
        _ => unreachable_hub(hub),
    }
}

fn takes_no_mail(hub: &str) -> Fault {
    Fault::new(Code::CannotMail, format!("The hub {hub} takes no mail. Send a link."))
}

fn unreachable_hub(hub: &str) -> Fault {
    Fault::new(Code::HubUnreachable, format!("The hub {hub} cannot be reached. Postern goes on trying."))
}
