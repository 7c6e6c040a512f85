//! What the driver has reported about a portal that it keeps.

use crate::api::{Fault, InvitationId, PathKind};
use crate::core::event::Refusal;

/// What the driver has reported about a portal.
#[derive(Default)]
pub(crate) struct PortalRuntime {
    /// Whether the local port listens; nothing while that is not known.
    pub(crate) listening: Option<Result<(), Fault>>,
    /// Whether the channel to the owner is up; nothing while it connects.
    pub(crate) channel: Option<Result<PathKind, Fault>>,
    /// Why the outlet refused the last stream.
    pub(crate) refusal: Option<Refusal>,
    /// Round-trip time in milliseconds.
    pub(crate) round_trip: Option<u32>,
    /// Streams that are open.
    pub(crate) live: u32,
    /// Whether the portal was made in this run, so that the user is notified when it is first up.
    pub(crate) is_new: bool,
    /// The invitation that the portal was made of in this run, or that renewed it.
    pub(crate) invitation: Option<InvitationId>,
}

impl PortalRuntime {
    /// Discards what was known of the local port and, unless the channel is kept, of the channel.
    pub(crate) fn reset(&mut self, keeps_channel: bool) {
        self.listening = None;
        self.refusal = None;
        if !keeps_channel {
            self.channel = None;
            self.round_trip = None;
            self.live = 0;
        }
    }
}
