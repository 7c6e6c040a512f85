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
        /// Their verification words; nothing if they are not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        words: Option<String>,
        /// The name of a contact, not this person, that their name can be taken for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        looks_like: Option<String>,
        /// Whether they are a contact whose words were compared.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(optional, as = "Option<bool>")]
        verified: bool,
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
        /// Its local address, as `host:port`.
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
    /// Somebody answered with another key of a contact than the one that is known, and was refused.
    KeyRefused {
        /// The name shown for the contact.
        from: String,
        /// What happened and what to do.
        fault: Fault,
    },
}
