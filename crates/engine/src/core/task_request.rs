//! What commands and events ask of the tasks. A [`Transaction`](super::transaction::Transaction) carries the requests
//! up; the tasks take them after reconcile.

use crate::api::{GrantId, InletId, InvitationId, ServiceId};
use crate::peer::PeerNotification;
use postern_node::identity::Identifier;

/// Something that a task is to do, now or as soon as it can.
pub(crate) enum TaskRequest {
    /// Make this call now, and once more if it is under way.
    Call(OutboundCall),
    /// Make this call at once if it waits to be retried.
    RetryCall(OutboundCall),
    /// Retry all calls and mail at once: others may be reachable again.
    RetryPeers,
    /// Mail a notification, in place of an older one on the same subject.
    Mail { subject: MailSubject, person: Identifier, notification: PeerNotification },
    /// Send no more mail on this subject.
    DropMail(MailSubject),
    /// Check a service's target soon: a stream to it failed.
    CheckService(ServiceId),
    /// Forget what is known of a service's target: it has moved.
    RestartCheck(ServiceId),
    /// Check all targets at once.
    CheckAllServices,
}

/// A call to a portal's or an invitation's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OutboundCall {
    /// Turn an invitation into a grant.
    Redeem(InvitationId),
    /// Say once that an invitation was declined, through a hub of the user.
    Decline(InvitationId),
    /// Give a grant back.
    GiveBack(InletId),
    /// Ask for the status of grants.
    Sync(Identifier),
}

/// What a piece of mail is about. Only the newest on a subject is worth sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MailSubject {
    Ticket(InvitationId),
    Grant(GrantId),
}
