//! The authorization matrix: which message of another engine is allowed from whom.
//!
//! ```text
//! PeerRequest, PeerNotification ─► Party of the sender (`records::party`) ─► Verdict ─► the command, or a refusal
//! ```
//!
//! One row for each message, one column for each party. The matches are exhaustive, so a message without a row, and a party without
//! a column, do not compile. A verdict is about the sender as such: whether a ticket was used by somebody else, or a grant is the
//! sender's, is decided by the command behind it. A test walks all of it (`core/tests/authorization.rs`).

use crate::api::Code;
use crate::peer::{PeerNotification, PeerRequest};

/// Who sends a message, as its receiver knows them. Of several, the first in this order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// The person who shares what the message is about: towards requests the user, towards notifications somebody whose service the
    /// user has or is invited to.
    Owner,
    /// A contact whom the user has blocked.
    Blocked,
    /// Whoever holds the secret of the invitation that the request names; otherwise a contact with an open invitation.
    Invited,
    /// A contact with access to something of the user's.
    Friend,
    /// A contact without.
    FormerFriend,
    /// Anybody else.
    Stranger,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The command decides.
    Allowed,
    /// It is answered with the sender's own ended grants, and without the user's contact information.
    OwnStatusOnly,
    /// Dropped without an entry in the audit log.
    Ignored,
    /// Refused for this reason, with an entry in the audit log; a notification is dropped.
    Refused(Code),
}

use Party::{Blocked, FormerFriend, Friend, Invited, Owner, Stranger};
use Verdict::{Allowed, Ignored, OwnStatusOnly, Refused};

/// The verdict on a request.
pub(crate) fn of_request(request: &PeerRequest, party: Party) -> Verdict {
    match (request, party) {
        (PeerRequest::Redeem { .. } | PeerRequest::Seen { .. } | PeerRequest::Decline { .. }, party) => match party {
            Owner => Refused(Code::OwnInvitation),
            Blocked => Refused(Code::Blocked),
            Invited => Allowed,
            // Without the ticket's secret, nobody can say anything about an invitation.
            Friend | FormerFriend | Stranger => Refused(Code::BadTicket),
        },
        (PeerRequest::Sync { .. }, party) => match party {
            Owner => Refused(Code::NotTrusted),
            Blocked => Refused(Code::Blocked),
            Invited | Friend => Allowed,
            FormerFriend => OwnStatusOnly,
            // As to somebody whose grants were forgotten.
            Stranger => Refused(Code::Revoked),
        },
        (PeerRequest::GiveBack { .. }, party) => match party {
            Owner | Stranger => Refused(Code::NotFound),
            // It takes access away only. One that arrives twice finds an ended grant.
            Blocked | Invited | Friend | FormerFriend => Allowed,
        },
    }
}

/// The verdict on a notification. A refused one is dropped.
pub(crate) fn of_notification(notification: &PeerNotification, party: Party) -> Verdict {
    match (notification, party) {
        (_, Blocked) => Refused(Code::Blocked),
        (PeerNotification::Invitation { .. }, party) => match party {
            Owner | Blocked | Invited | Friend | FormerFriend => Allowed,
            Stranger => Refused(Code::NotTrusted),
        },
        (
            PeerNotification::Withdrawn { .. } | PeerNotification::KnockDecided { .. } | PeerNotification::Grant { .. },
            party,
        ) => match party {
            Owner => Allowed,
            // The user may have removed what it is about.
            Invited | Friend | FormerFriend => Ignored,
            Blocked | Stranger => Refused(Code::NotTrusted),
        },
        // It is about the channels with the sender only.
        (PeerNotification::GoingOffline, party) => match party {
            Owner | Invited | Friend | FormerFriend | Stranger => Allowed,
            Blocked => Refused(Code::NotTrusted),
        },
    }
}
