//! Mailboxes (`docs/wire.md` §11): a hub keeps sealed messages for identities that are not there.
//!
//! ```text
//! sender ── Deposit(to, sealed) ─► hub: mailbox ── Mail ─► MailboxSession ─► program
//!        ◄───────────── Answer ──    (its disk)  ◄─ Acknowledge ── once the program has done with it
//! ```
//!
//! Everything goes through a secure channel with the hub, so the hub knows for certain whose mailbox may be read: that of
//! the identity at the other end. Whoever has a channel may deposit. A message comes **at least once**: it stays until it
//! is acknowledged or [too old](EXPIRY), and may come again after every reconnection. The hub can drop, delay and repeat
//! messages, and sees for whom they are; what is in them, and who wrote it, is for [`sealed`](crate::sealed) to protect.

mod message;
mod session;

pub use message::{Mail, MailId, MailboxReply, MailboxRequest, Outcome};
pub use session::{Acknowledger, MailboxSession};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::identity::Identifier;
use crate::node::Node;
use crate::route::Route;
use crate::sealed::SEALED_SIZE_MAX;
use crate::secure_channel::SecureChannel;
use bytes::Bytes;
use std::time::Duration;

/// Worker address of a hub's mailbox service, for secure channels with the hub.
pub const MAILBOX_SERVICE: &str = "mailbox";
/// The most bytes of a message.
pub const MAIL_SIZE_MAX: usize = SEALED_SIZE_MAX;
/// How long a hub keeps a message, unless it is told otherwise.
pub const EXPIRY: Duration = Duration::from_secs(14 * 24 * 3600);
/// Messages that a hub sends to a subscriber before it waits for the first to be acknowledged.
pub const IN_FLIGHT: usize = 32;
/// How long a request waits for its answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a message was not deposited, or a mailbox cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxError {
    /// Too much waits for that recipient.
    #[error("the recipient's mailbox on the hub is full; it takes more once they have been there")]
    MailboxFull,
    /// Too much waits on the hub.
    #[error("the hub has no room for more messages")]
    HubFull,
    /// The message is too large.
    #[error("the message is larger than the {MAIL_SIZE_MAX} bytes that a mailbox takes")]
    TooLarge,
    /// Too much was deposited in too short a time.
    #[error("too many messages in too short a time; try again in a minute")]
    RateLimited,
    /// The hub's storage failed.
    #[error("the hub cannot use its mailboxes now")]
    Unavailable,
    /// The hub did not answer.
    #[error("the hub did not answer: it may have no mailboxes")]
    NotAnswered,
    /// There is no secure channel with the hub.
    #[error("there is no secure channel with the hub")]
    NoChannel,
}

impl MailboxError {
    fn check(outcome: Outcome) -> Result<(), Self> {
        Err(match outcome {
            Outcome::Done => return Ok(()),
            Outcome::MailboxFull => Self::MailboxFull,
            Outcome::HubFull => Self::HubFull,
            Outcome::TooLarge => Self::TooLarge,
            Outcome::RateLimited => Self::RateLimited,
            Outcome::Unavailable => Self::Unavailable,
        })
    }
}

impl Node {
    /// Leaves a sealed message for `to` at the hub at the other end of this channel.
    ///
    /// When this returns `Ok` the hub keeps it. Depositing the same bytes again while it waits changes nothing, so after
    /// any error it may be repeated.
    ///
    /// # Errors
    /// [`MailboxError`], or the channel has ended.
    pub async fn deposit_mail(&self, hub: &SecureChannel, to: Identifier, sealed: &[u8]) -> Result<MailId> {
        if sealed.len() > MAIL_SIZE_MAX {
            return Err(MailboxError::TooLarge.into());
        }
        let request = MailboxRequest::Deposit { to, sealed: sealed.to_vec() };
        ask(&self.context()?, hub, &request).await?;
        Ok(MailId::of(sealed))
    }
}

/// Sends one request and waits for its answer.
async fn ask(context: &Context, hub: &SecureChannel, request: &MailboxRequest) -> Result<()> {
    /// There is one request, so any number does.
    const NUMBER: u64 = 0;
    let service = Route::from(hub).then(MAILBOX_SERVICE);
    let asked = context.send_and_receive_within::<Bytes>(ANSWER_TIMEOUT, service, request.encode(NUMBER));
    let answer = tokio::select! {
        () = hub.cut() => return Err(MailboxError::NoChannel.into()),
        answer = asked => answer,
    };
    match answer {
        Err(Error::Timeout(_)) => Err(MailboxError::NotAnswered.into()),
        answer => match MailboxReply::decode(answer?.body()) {
            Some(MailboxReply::Answer(NUMBER, outcome)) => Ok(MailboxError::check(outcome)?),
            _ => Err(MailboxError::NotAnswered.into()),
        },
    }
}
