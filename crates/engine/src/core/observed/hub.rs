//! Connections with hubs, and the direct listener.

use crate::api::{Fault, LinkState, UnixMillis};
use postern_node::identity::Identifier;

/// The addresses at which this computer listens in its network.
#[derive(Default)]
pub(crate) struct DirectListening {
    pub(crate) addresses: Vec<String>,
    pub(crate) fault: Option<Fault>,
}

/// The connection with a hub.
#[derive(Default)]
pub(crate) struct HubState {
    pub(crate) identifier: Option<Identifier>,
    pub(crate) is_up: bool,
    /// The hub has another identifier than the pinned one.
    pub(crate) is_other: bool,
    pub(crate) down: Option<(Fault, UnixMillis)>,
    /// How far its clock is ahead of this computer's, in milliseconds, as it says.
    pub(crate) clock_ahead_ms: Option<i64>,
}

impl HubState {
    /// The connection as the snapshot shows it.
    pub(crate) fn link_state(&self) -> LinkState {
        match &self.down {
            _ if self.is_up => LinkState::Up,
            Some((fault, since)) => LinkState::Down { fault: fault.clone(), since: *since },
            None => LinkState::Connecting,
        }
    }
}

/// When the user was last notified that no hub is up, which limits how often.
#[derive(Default)]
pub(crate) struct HubNotices {
    /// In ticks.
    pub(crate) lost_at: Option<u64>,
    /// Whether the loss was notified and the return was not.
    pub(crate) lost_is_notified: bool,
}
