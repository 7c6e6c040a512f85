//! Why a stream is not up, or was not made.

use super::protocol::{NAME_LEN_MAX, Status};
use crate::address::Address;
use crate::router::AddressTaken;
use crate::session::SessionError;
use crate::undeliverable::Undeliverable;
use postern_env::time::Duration;
use std::sync::Arc;

/// Characters of a reason that are shown: a hub may send more.
const REASON_MAX: usize = 500;

/// Why a [`Stream`](super::Stream) was not made, or is not up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A name that services refuse.
    #[error(
        "`{0}` cannot be the name of a stream or of its client: use 1 to {NAME_LEN_MAX} characters out of \
         a-z, A-Z, 0-9, `.`, `_` and `-`"
    )]
    InvalidName(String),
    /// The partition is not one of those that the stream is to have.
    #[error("a stream with {partitions} partitions has no partition {partition}: the first is 0")]
    NoSuchPartition {
        /// How many were asked for.
        partitions: u64,
        /// Which was asked for.
        partition: u64,
    },
    /// The address is in use.
    #[error(transparent)]
    AddressTaken(#[from] AddressTaken),
    /// What was to be exposed to the stream is not there.
    #[error("there is nothing at the address `{0}` in this node: start it before the stream is connected")]
    NoSuchAddress(Address),
    /// The session with the hub is down.
    #[error("the hub cannot be used: {0}")]
    Hub(Arc<SessionError>),
    /// The first hop of the route to the hub could not be reached.
    #[error("cannot send to the hub: {0}; connect again, or use a session, which reconnects by itself")]
    Unreachable(#[from] Undeliverable),
    /// The connection to the hub, or the channel with it, has ended.
    #[error("the connection to the hub, or the channel with it, has ended")]
    Disconnected,
    /// The service did not answer.
    #[error("the hub did not answer at `{service}` within {} seconds; check that it has this service", .waited.as_secs())]
    NoAnswer {
        /// Address of the service, or name of the stream.
        service: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The service refused.
    #[error("the hub refused to {operation} the stream `{stream}`: {reason}")]
    Refused {
        /// What it was asked to do: `create`, `read`, `write` or `share`.
        operation: &'static str,
        /// Name of the stream.
        stream: String,
        /// Its answer; nothing if the protocol has no status (`docs/wire.md` §15.2).
        status: Option<Status>,
        /// The hub's reason, without control characters and at most 500 characters.
        reason: String,
    },
    /// Streams that were to be shared with identities would be open to everybody.
    #[error(
        "the streams cannot be shared with identities: that takes a hub of Postern and a secure channel with it          (a session that is kept as an identity)"
    )]
    CannotShare,
    /// The stream, its session with the hub or its node was stopped.
    #[error("the stream, its session with the hub, or the node was stopped")]
    Stopped,
}

impl StreamError {
    pub(super) fn refused(operation: &'static str, stream: &str, status: Option<Status>, reason: &str) -> Self {
        let reason = match (printable(reason), status) {
            (reason, _) if !reason.is_empty() => reason,
            (_, Some(status)) => format!("{status:?}"),
            (_, None) => "it gave no reason".to_owned(),
        };
        Self::Refused { operation, stream: stream.to_owned(), status, reason }
    }
}

/// Text of a hub, so that it can be shown.
fn printable(reason: &str) -> String {
    reason.chars().filter(|character| !character.is_control()).take(REASON_MAX).collect()
}
