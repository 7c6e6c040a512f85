//! What of all that happens is worth a notification, and until when.

use std::time::Duration;

use postern_engine::model::{InvitationId, Notice, ReceivedState, Snapshot};
use tokio::time::Instant;

use crate::notification::Topic;

/// What a person has been told lately.
#[derive(Debug, Default)]
pub(super) struct NotificationFilter {
    last_hub_lost: Option<Instant>,
}

impl NotificationFilter {
    /// Of hubs that come and go not too much: one in `timeouts`.
    pub(super) fn should_notify(&mut self, notice: &Notice, interval: Duration) -> bool {
        match notice {
            Notice::HubLost { .. } if self.last_hub_lost.is_some_and(|last| last.elapsed() < interval) => false,
            Notice::HubLost { .. } => {
                self.last_hub_lost = Some(Instant::now());
                true
            }
            // It takes the place of the one that said that it was lost.
            Notice::HubBack { .. } => self.last_hub_lost.is_some(),
            _ => true,
        }
    }
}

/// What waited for the person and no longer does: answered in the window, the tray, or by time.
pub(super) fn resolved_topics(old: &Snapshot, new: &Snapshot) -> Vec<Topic> {
    let waiting = |snapshot: &Snapshot| -> Vec<InvitationId> {
        let new = snapshot.invitations.iter().filter(|invitation| invitation.state == ReceivedState::New);
        new.map(|invitation| invitation.id).collect()
    };
    let knocking =
        |snapshot: &Snapshot| -> Vec<InvitationId> { snapshot.knocks.iter().map(|knock| knock.invitation).collect() };
    let gone = |old: Vec<InvitationId>, new: Vec<InvitationId>| old.into_iter().filter(move |id| !new.contains(id));
    let invitations = gone(waiting(old), waiting(new)).map(Topic::Invitation);
    let knocks = gone(knocking(old), knocking(new)).map(Topic::Knock);
    invitations.chain(knocks).collect()
}
