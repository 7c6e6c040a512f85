//! Portals and received invitations, as the snapshot shows them.

use super::{Code, Fault, InletId, InvitationId, ServiceKind, UnixMillis};
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A portal to somebody else's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct InletView {
    /// Its id.
    pub id: InletId,
    /// The service's owner.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// The name shown for them.
    pub owner_name: String,
    /// Whether the verification words were compared.
    pub owner_verified: bool,
    /// Its name here.
    pub name: String,
    /// The owner's name for the service.
    pub service_name: String,
    /// The protocol it speaks.
    pub kind: ServiceKind,
    /// The owner's description.
    pub description: Option<String>,
    /// The local port.
    pub port: u16,
    /// The local address for programs, as `127.0.0.1:5432`.
    pub address: String,
    /// The URL, if a browser can open it: with the portal's own host name, or `localhost` without the check.
    pub url: Option<String>,
    /// The portal's own host name, as `wiki.ann.localhost`; only of a web portal with the check. Browsers and curl resolve it.
    #[serde(default)]
    pub host: Option<String>,
    /// Whether requests of browsers are checked, for web portals: those of other sites do not reach the service. Of `https`
    /// portals only the host name follows it.
    #[serde(default)]
    pub checked: bool,
    /// Whether it is switched on.
    pub on: bool,
    /// Its state, with the reason when it is not up.
    pub link: InletLink,
    /// Open connections.
    pub live: u32,
    /// When the grant expires.
    pub expires: Option<UnixMillis>,
    /// The invitation that it was made of, or that renewed its access; known until Postern stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub invitation: Option<InvitationId>,
}

impl InletView {
    /// Whether it should be up and is not, for a reason that the user has to know: not while it is switched off or paused, nor
    /// after its access has ended.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let InletLink::Down { fault, .. } = &self.link else { return false };
        let is_intended = matches!(fault.code, Code::Paused | Code::PausedByOwner | Code::Asked);
        !is_intended && !self.is_ended()
    }

    /// Whether its access has ended: the owner has to invite again.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        let InletLink::Down { fault, .. } = &self.link else { return false };
        matches!(fault.code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Blocked | Code::Denied)
    }
}

/// The state of a portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum InletLink {
    /// Switched off by the user.
    Off,
    /// Connecting for the first time.
    Connecting,
    /// Up: connections to the local address reach the service.
    Up {
        /// The network path that it uses.
        way: PathKind,
        /// The round-trip time to the owner in milliseconds, once measured.
        round_trip_ms: Option<u32>,
    },
    /// Down. It is retried where that can help.
    Down {
        /// Why.
        fault: Fault,
        /// Since when.
        since: UnixMillis,
    },
}

/// The network path of a portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum PathKind {
    /// Straight to the owner's computer.
    Direct {
        /// `address:port`.
        address: String,
    },
    /// Through a hub, which sees only ciphertext.
    Hub {
        /// `host:port`.
        address: String,
    },
}

/// A received invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReceivedView {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    #[ts(type = "string")]
    pub owner: Identifier,
    /// The name shown for the owner: of a contact the petname, else their own.
    pub owner_name: String,
    /// Whether they are a contact.
    pub owner_known: bool,
    /// Whether the verification words were compared.
    pub owner_verified: bool,
    /// The owner's verification words. Of somebody who was never met, those of the identity's first key.
    pub words: String,
    /// The name of a contact, not the owner, that the owner's name can be taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub looks_like: Option<String>,
    /// The service's name.
    pub service_name: String,
    /// The protocol it speaks.
    pub kind: ServiceKind,
    /// The owner's description.
    pub description: Option<String>,
    /// The local port that is proposed.
    pub port: u16,
    /// Until when it can be accepted.
    pub expires: UnixMillis,
    /// Its state.
    pub state: ReceivedState,
}

/// The state of a received invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ReceivedState {
    /// It waits for the user's answer.
    New,
    /// Accepted; the owner cannot be reached yet, or has not answered.
    Accepting {
        /// What it waits for: the owner is offline, a hub is unreachable, or the owner is being asked.
        fault: Option<Fault>,
    },
    /// It cannot be accepted: expired, used, revoked, or denied.
    Over {
        /// Why.
        fault: Fault,
    },
}
