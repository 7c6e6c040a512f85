//! A service that the user shares.

use crate::api::{ServiceId, ServiceKind, UnixMillis};
use serde::{Deserialize, Serialize};

/// A service that the user shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its name, unique among the user's services whatever the case of its letters.
    pub name: String,
    /// The protocol it speaks.
    pub kind: ServiceKind,
    /// Its address, as `host:port`.
    pub target: String,
    /// The path that a browser opens.
    pub path: Option<String>,
    /// The description that friends read.
    pub description: Option<String>,
    /// False while it is paused.
    pub on: bool,
    /// When it was shared.
    pub created: UnixMillis,
    /// Whether its target is checked. Absent in data of earlier versions, which always did.
    #[serde(default = "yes")]
    pub health_check: bool,
}

fn yes() -> bool {
    true
}

/// The address of a service's outlet on its owner's node.
pub fn outlet_address(service: ServiceId) -> String {
    format!("outlet-{service}")
}
