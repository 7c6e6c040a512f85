//! The authorization matrix of the hub's services: which request is allowed from whom.
//!
//! ```text
//! MailboxRequest, StreamRequest, IndexRequest ─► Party of the sender ─► Verdict ─► the service, or a refusal
//! ```
//!
//! One row for each request, one column for each party. The matches are exhaustive, so a request without a row, and a party
//! without a column, do not compile. A verdict is about the sender as such; quotas and rate limits come after it. A test walks all
//! of it through a running hub (`authorization/tests.rs`). Relay names have one request; the rule for it is in
//! `postern_node::relay`, its table beside the test.

use postern_node::identity::Identifier;
use postern_node::mailbox::MailboxRequest;
use postern_node::stream::{IndexRequest, StreamRequest};

/// Who sends a request, as a secure channel with the hub proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    /// The identity to which the mailbox, the stream or the saved index belongs. A stream that does not exist yet will belong
    /// to whoever creates it.
    Owner,
    /// An identity that the owner shared the stream with; of a stream that belongs to nobody, every identity.
    Shared,
    /// Anybody else, with an identity or without.
    Stranger,
    /// Somebody without an identity, about something that belongs to nobody, or about a mailbox.
    Anonymous,
}

impl Party {
    /// Of the mailbox that a request is about. Only a deposit names one; otherwise it is that of the identity that asks.
    pub(crate) fn of_mailbox(request: &MailboxRequest, peer: Option<&Identifier>) -> Self {
        match (request, peer) {
            (_, None) => Self::Anonymous,
            (MailboxRequest::Deposit { to, .. }, Some(peer)) if to != peer => Self::Stranger,
            (_, Some(_)) => Self::Owner,
        }
    }

    /// Of something that the index service keeps: whoever has an identity has entries of their own.
    pub(crate) fn of_index(peer: Option<&Identifier>) -> Self {
        peer.map_or(Self::Anonymous, |_| Self::Owner)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The service decides.
    Allowed,
    /// The service decides, if it is configured to serve clients without an identity (`allow_anonymous` in `hub.toml`).
    IfConfigured,
    /// Refused.
    Refused,
}

use Party::{Anonymous, Owner, Shared, Stranger};
use Verdict::{Allowed, IfConfigured, Refused};

impl Verdict {
    /// Whether it is allowed by a service that serves clients without an identity, or does not.
    pub(crate) fn allows(self, serves_anonymous: bool) -> bool {
        match self {
            Allowed => true,
            IfConfigured => serves_anonymous,
            Refused => false,
        }
    }
}

/// The verdict on a request to the mailbox service.
pub(crate) fn of_mailbox(request: &MailboxRequest, party: Party) -> Verdict {
    match (request, party) {
        (MailboxRequest::Deposit { .. }, Owner | Shared | Stranger) => Allowed,
        (MailboxRequest::Subscribe | MailboxRequest::Acknowledge(_), Owner) => Allowed,
        (MailboxRequest::Subscribe | MailboxRequest::Acknowledge(_), Shared | Stranger) => Refused,
        (MailboxRequest::Deposit { .. } | MailboxRequest::Subscribe | MailboxRequest::Acknowledge(_), Anonymous) => {
            Refused
        }
    }
}

/// The verdict on a request to a stream, or to the service that creates and finds them.
pub(crate) fn of_stream(request: &StreamRequest, party: Party) -> Verdict {
    match (request, party) {
        (StreamRequest::Create { .. } | StreamRequest::CreatePartitioned { .. }, party) => of_creation(party),
        (
            StreamRequest::Push { .. }
            | StreamRequest::Pull { .. }
            | StreamRequest::PushBatch(_)
            | StreamRequest::HeldPull(_),
            party,
        ) => match party {
            // Whoever reached a stream without an owner was allowed to find it.
            Owner | Shared | Anonymous => Allowed,
            Stranger => Refused,
        },
        (StreamRequest::Share { .. }, party) => match party {
            Owner => Allowed,
            Shared | Stranger | Anonymous => Refused,
        },
    }
}

/// The verdict on creating a stream, or finding it by its name.
pub(crate) fn of_creation(party: Party) -> Verdict {
    match party {
        Owner | Shared => Allowed,
        Anonymous => IfConfigured,
        Stranger => Refused,
    }
}

/// The verdict on a request to an index service.
pub(crate) fn of_index(request: &IndexRequest, party: Party) -> Verdict {
    match (request, party) {
        (IndexRequest::Get(_) | IndexRequest::Save(..), party) => match party {
            Owner => Allowed,
            Anonymous => IfConfigured,
            // An entry is found by the identity that asks, so nobody can name another's.
            Shared | Stranger => Refused,
        },
    }
}

#[cfg(test)]
mod tests;
