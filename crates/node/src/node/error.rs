//! What can go wrong in a node.

use crate::context::ContextError;
use crate::identity::Error as IdentityError;
use crate::mailbox::MailboxError;
use crate::message::DecodeError;
use crate::portal::PortalError;
use crate::relay::RelayError;
use crate::reliable::DeliveryError;
use crate::request::RequestError;
use crate::router::AddressTaken;
use crate::secure_channel::ChannelError;
use crate::session::SessionError;
use crate::stream::StreamError;
use crate::tcp::TcpError;
use crate::undeliverable::Undeliverable;
use crate::vault::Error as VaultError;
use crate::worker::WorkerError;
use postern_env::time::Duration;
use std::sync::Arc;

/// The result of most of what a node does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a node. Every variant names the part of the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first hop of a route could not be reached.
    #[error("cannot deliver: {0}")]
    Undeliverable(#[from] Undeliverable),
    /// Nothing came within the time.
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    Timeout(Duration),
    /// The worker or its node was stopped.
    #[error("the node was stopped")]
    Stopped,
    /// A payload was of another type than expected.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
    /// The TCP transport.
    #[error(transparent)]
    Tcp(#[from] TcpError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// An identity, ours or the peer's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A secure channel.
    #[error(transparent)]
    Channel(ChannelError),
    /// A relay.
    #[error(transparent)]
    Relay(RelayError),
    /// A mailbox.
    #[error(transparent)]
    Mailbox(MailboxError),
    /// A portal.
    #[error(transparent)]
    Portal(PortalError),
    /// A stream.
    #[error(transparent)]
    Stream(Arc<StreamError>),
    /// A request, such as the one for a credential.
    #[error(transparent)]
    Request(RequestError),
    /// A reliable delivery.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A worker's own error.
    #[error("{0}")]
    Worker(WorkerError),
    /// The operating system: files, standard input and output of a program around the node.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<ContextError> for Error {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Undeliverable(reason) => Self::Undeliverable(reason),
            ContextError::Timeout(waited) => Self::Timeout(waited),
            ContextError::Stopped => Self::Stopped,
            ContextError::Decode(unexpected) => Self::Decode(unexpected.error),
            ContextError::AddressTaken(taken) => Self::AddressTaken(taken),
            ContextError::Tcp(error) => Self::Tcp(error),
        }
    }
}

impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::AddressTaken(taken) => Self::AddressTaken(taken),
            error => Self::Channel(error),
        }
    }
}

impl From<RelayError> for Error {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Unreachable(reason) => Self::Undeliverable(reason),
            RelayError::Stopped => Self::Stopped,
            RelayError::AddressTaken(taken) => Self::AddressTaken(taken),
            error => Self::Relay(error),
        }
    }
}

impl From<MailboxError> for Error {
    fn from(error: MailboxError) -> Self {
        match error {
            MailboxError::Undeliverable(reason) => Self::Undeliverable(reason),
            MailboxError::Stopped => Self::Stopped,
            MailboxError::AddressTaken(taken) => Self::AddressTaken(taken),
            error => Self::Mailbox(error),
        }
    }
}

impl From<PortalError> for Error {
    fn from(error: PortalError) -> Self {
        match error {
            PortalError::AddressTaken(taken) => Self::AddressTaken(taken),
            error => Self::Portal(error),
        }
    }
}

impl From<RequestError> for Error {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Context(error) => error.into(),
            error => Self::Request(error),
        }
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Tcp(error) => Self::Tcp(error),
            SessionError::Channel(error) => error.into(),
            SessionError::Relay(error) => error.into(),
            SessionError::Mailbox(error) => error.into(),
            SessionError::Request(error) => error.into(),
            SessionError::Stopped => Self::Stopped,
        }
    }
}

impl From<Arc<StreamError>> for Error {
    fn from(error: Arc<StreamError>) -> Self {
        match &*error {
            StreamError::Unreachable(reason) => Self::Undeliverable(*reason),
            StreamError::Stopped => Self::Stopped,
            _ => Self::Stream(error),
        }
    }
}

impl From<StreamError> for Error {
    fn from(error: StreamError) -> Self {
        Self::from(Arc::new(error))
    }
}
