//! What a person should hear of now.

use super::{Fault, InletId, InvitationId, ServiceId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something that just happened and that a person may want to know or to answer at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// Somebody invites this person: accept or decline.
    Invited {
        /// The invitation.
        invitation: InvitationId,
        /// Who.
        from: String,
        /// To what.
        service: String,
    },
    /// Somebody asks to be let in: once, always, deny.
    Knock {
        /// The invitation they hold.
        invitation: InvitationId,
        /// Who.
        from: String,
        /// To what.
        service: String,
    },
    /// Somebody accepted an invitation.
    Joined {
        /// The service.
        service: ServiceId,
        /// Who.
        from: String,
        /// Its name.
        name: String,
    },
    /// Somebody declined an invitation.
    Declined {
        /// Who.
        from: String,
        /// The service's name.
        name: String,
    },
    /// A friend gave a grant back.
    GaveBack {
        /// Who.
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
    /// The last hub was lost.
    HubLost {
        /// `host:port`.
        address: String,
        /// Why.
        fault: Fault,
    },
    /// A hub is back after it was lost.
    HubBack {
        /// `host:port`.
        address: String,
    },
    /// Somebody's key is not the one that was verified.
    KeyChanged {
        /// Who.
        from: String,
    },
}
