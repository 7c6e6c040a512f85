//! The authorization matrix of the control socket: which call is served for which user of this machine.
//!
//! One row for each call, one column for each user. The match is exhaustive, so a call without a row does not compile. A test
//! walks all of it (`control/tests.rs`).

use super::Call;

/// The user whose process is at the other end of a connection, as the system tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LocalUser {
    /// The one whose engine this is, or the administrator. On Windows, whoever could read the name of the pipe.
    Own,
    /// Anybody else, who may have connected before the socket's mode was set.
    #[cfg_attr(windows, expect(dead_code, reason = "there the pipe's name keeps others out"))]
    Other,
}

use LocalUser::{Other, Own};

/// Whether the server says anything at all to this user.
pub(super) fn greets(user: LocalUser) -> bool {
    match user {
        Own => true,
        Other => false,
    }
}

/// Whether a call is served. What a request may do beyond that, the engine decides.
pub(super) fn serves(call: &Call, user: LocalUser) -> bool {
    match (call, user) {
        // Everything that the user can do in the window.
        (Call::Request { .. }, Own) => true,
        // Names, addresses and states of everything that is shared.
        (Call::Watch, Own) => true,
        // The window is shown, or a link is opened, which accepts nothing.
        (Call::Raise { .. }, Own) => true,
        (Call::Request { .. } | Call::Watch | Call::Raise { .. }, Other) => false,
    }
}
