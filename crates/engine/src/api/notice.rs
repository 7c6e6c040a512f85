//! Notices for the user.

use super::{Fault, InletId, InvitationId, ServiceId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something that just happened and that the user may want to know or to answer at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// Somebody invites the user, who can accept or decline.
    Invited {
        /// The invitation.
        invitation: InvitationId,
        /// The name shown for them.
        from: String,
        /// The service's name.
        service: String,
    },
    /// Somebody knocks: the user can answer once, always, or deny.
    Knock {
        /// The invitation they hold.
        invitation: InvitationId,
        /// The name shown for them.
        from: String,
        /// The service's name.
        service: String,
    },
    /// Somebody accepted an invitation.
    Joined {
        /// The service.
        service: ServiceId,
        /// The name shown for them.
        from: String,
        /// Its name.
        name: String,
    },
    /// Somebody declined an invitation.
    Declined {
        /// The name shown for them.
        from: String,
        /// The service's name.
        name: String,
    },
    /// A friend gave a grant back.
    GaveBack {
        /// The name shown for them.
        from: String,
        /// The service's name.
        name: String,
    },
    /// A portal is up: for the first time, or after having been down.
    PortalUp {
        /// The portal.
        inlet: InletId,
        /// Its name.
        name: String,
        /// Its local address.
        address: String,
    },
    /// A portal that was up is down.
    PortalDown {
        /// The portal.
        inlet: InletId,
        /// Its name.
        name: String,
        /// Why.
        fault: Fault,
    },
    /// The last connected hub went down.
    HubLost {
        /// `host:port`.
        address: String,
        /// Why.
        fault: Fault,
    },
    /// A hub is connected again after that.
    HubBack {
        /// `host:port`.
        address: String,
    },
    /// The key of a verified contact has changed.
    KeyChanged {
        /// The name shown for them.
        from: String,
    },
}
