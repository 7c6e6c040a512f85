//! Why a message was not deposited, or a mailbox cannot be read.

use super::MAIL_SIZE_MAX;
use super::message::Outcome;
use crate::context::ContextError;
use crate::router::AddressTaken;
use crate::undeliverable::Undeliverable;

/// Why a message was not deposited, or a mailbox cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The recipient has no mailbox on the hub.
    #[error(
        "the recipient has not been at the hub for a long time, or never; it takes messages once they have been there"
    )]
    UnknownRecipient,
    /// The hub did not answer.
    #[error("the hub did not answer: it may have no mailboxes")]
    NotAnswered,
    /// There is no secure channel with the hub.
    #[error("there is no secure channel with the hub")]
    NoChannel,
    /// The channel could not be sent over.
    #[error("cannot deliver: {0}")]
    Undeliverable(#[from] Undeliverable),
    /// The node was stopped meanwhile.
    #[error("the node was stopped")]
    Stopped,
    /// An address in this node that the request needs is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
}

impl MailboxError {
    pub(crate) fn check(outcome: Outcome) -> Result<(), Self> {
        Err(match outcome {
            Outcome::Done => return Ok(()),
            Outcome::MailboxFull => Self::MailboxFull,
            Outcome::HubFull => Self::HubFull,
            Outcome::TooLarge => Self::TooLarge,
            Outcome::RateLimited => Self::RateLimited,
            Outcome::Unavailable => Self::Unavailable,
            Outcome::UnknownRecipient => Self::UnknownRecipient,
        })
    }
}

impl From<ContextError> for MailboxError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Undeliverable(reason) => Self::Undeliverable(reason),
            ContextError::Stopped => Self::Stopped,
            ContextError::AddressTaken(taken) => Self::AddressTaken(taken),
            ContextError::Timeout(_) | ContextError::Decode(_) | ContextError::Tcp(_) => Self::NotAnswered,
        }
    }
}
