//! A portal's end on the user's localhost.

use crate::api::{Code, GrantId, InletId, ServiceKind, UnixMillis};
use crate::peer::PeerAddress;
use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};

/// A portal's end on the user's localhost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inlet {
    /// Its id.
    pub id: InletId,
    /// The grant that it uses.
    pub grant: GrantId,
    /// The service's owner.
    pub owner: Identifier,
    /// Where the owner can be reached.
    pub reach: Vec<PeerAddress>,
    /// The address of the outlet on the owner's node.
    pub outlet: String,
    /// Its name here.
    pub name: String,
    /// The owner's name for the service.
    pub service_name: String,
    /// The protocol that the service speaks.
    pub service_kind: ServiceKind,
    /// The path that a browser opens.
    pub path: Option<String>,
    /// The owner's description of the service.
    pub description: Option<String>,
    /// The local port.
    pub port: u16,
    /// False while the user has switched it off.
    pub on: bool,
    /// Until when the grant is valid.
    pub until: Option<UnixMillis>,
    /// Why the owner last said that the grant cannot be used, if it cannot.
    pub refused: Option<Code>,
    /// Whether the user removed it; kept until the owner has confirmed that the grant was given back.
    pub giving_back: bool,
    /// The label of the service in the portal's host name, unique among the portals of its owner. Made once, of the service's name
    /// then; empty in records of older versions until they are loaded.
    #[serde(default)]
    pub service_label: String,
    /// Whether the user switched the check of browsers' requests off, and with it the host name.
    #[serde(default)]
    pub unchecked: bool,
    /// Bytes towards the service, as last saved.
    #[serde(default)]
    pub up_bytes: u64,
    /// Bytes from the service, as last saved.
    #[serde(default)]
    pub down_bytes: u64,
}

impl Inlet {
    /// Whether the grant's time, as the owner last gave it, is over.
    pub(crate) fn is_over(&self, wall: UnixMillis) -> bool {
        self.until.is_some_and(|until| until <= wall)
    }

    /// Whether the owner has ended the grant for good.
    pub(crate) fn is_ended(&self) -> bool {
        self.refused.is_some_and(is_final)
    }
}

/// Whether an owner's answer about a grant is final, so that nothing needs to listen for it.
pub(crate) fn is_final(code: Code) -> bool {
    matches!(code, Code::Revoked | Code::Expired | Code::ServiceClosed | Code::Blocked)
}
