//! Which notices become desktop notifications, and when a notification is out of date.

use std::time::Duration;

use postern_engine::api::{InvitationId, Notice, ReceivedState, Snapshot};
use tokio::time::Instant;

use crate::notification::Topic;

/// Rate limit of notifications that would repeat: at most one lost hub per interval.
#[derive(Debug, Default)]
pub(super) struct NotificationFilter {
    last_hub_lost: Option<Instant>,
}

impl NotificationFilter {
    /// Whether to show this notice. A hub that is lost again within `interval` is not reported again.
    pub(super) fn should_notify(&mut self, notice: &Notice, interval: Duration) -> bool {
        match notice {
            Notice::HubLost { .. } if self.last_hub_lost.is_some_and(|last| last.elapsed() < interval) => false,
            Notice::HubLost { .. } => {
                self.last_hub_lost = Some(Instant::now());
                true
            }
            // Replaces the notification that reported the loss, so there must have been one.
            Notice::HubBack { .. } => self.last_hub_lost.is_some(),
            _ => true,
        }
    }
}

/// The topics that needed an answer in `old` and no longer do in `new`: answered elsewhere, or expired.
pub(super) fn resolved_topics(old: &Snapshot, new: &Snapshot) -> Vec<Topic> {
    let waiting = |snapshot: &Snapshot| -> Vec<InvitationId> {
        let new = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New);
        new.map(|invitation| invitation.id).collect()
    };
    let knocking =
        |snapshot: &Snapshot| -> Vec<InvitationId> { snapshot.knocks.iter().map(|knock| knock.invitation).collect() };
    let resolved = |old: Vec<InvitationId>, new: Vec<InvitationId>| old.into_iter().filter(move |id| !new.contains(id));
    let invitations = resolved(waiting(old), waiting(new)).map(Topic::Invitation);
    let knocks = resolved(knocking(old), knocking(new)).map(Topic::Knock);
    invitations.chain(knocks).collect()
}
