//! Why a session is not up.

use crate::context::ContextError;
use crate::mailbox::MailboxError;
use crate::relay::RelayError;
use crate::request::RequestError;
use crate::secure_channel::ChannelError;
use crate::tcp::TcpError;

/// Why a session is not up. It goes on trying.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The connection.
    #[error(transparent)]
    Tcp(#[from] TcpError),
    /// The secure channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The mailbox.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// The issuer of a credential.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
}

impl From<ContextError> for SessionError {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::Stopped => Self::Stopped,
            error => Self::Mailbox(error.into()),
        }
    }
}
