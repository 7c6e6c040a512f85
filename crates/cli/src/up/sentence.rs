//! What happened, for whoever reads along.

use crate::table::{escaped, shown};
use postern_engine::api::Notice;

/// A notice as a sentence.
pub(super) fn of(notice: &Notice) -> String {
    match notice {
        Notice::Invited { from, service, invitation } => {
            let id = invitation.to_string();
            let id = id.get(..8).unwrap_or(&id);
            format!("{} shares {} with you: postern accept {id}", shown(from), shown(service))
        }
        Notice::Knock { from, service, invitation } => {
            let id = invitation.to_string();
            let id = id.get(..8).unwrap_or(&id);
            format!("{} asks to be let into {}: postern knock always {id}", shown(from), shown(service))
        }
        Notice::Joined { from, name, .. } => format!("{} has joined {}.", shown(from), shown(name)),
        Notice::Declined { from, name } => format!("{} has declined {}.", shown(from), shown(name)),
        Notice::GaveBack { from, name } => format!("{} has given {} back.", shown(from), shown(name)),
        Notice::PortalUp { name, address, .. } => format!("{} is on {}", shown(name), escaped(address)),
        Notice::PortalDown { name, fault, .. } => format!("{} is down: {}", shown(name), escaped(&fault.message)),
        Notice::HubLost { address, fault } => {
            format!("The hub {} is lost: {}", shown(address), escaped(&fault.message))
        }
        Notice::HubBack { address } => format!("The hub {} is back.", shown(address)),
        Notice::KeyChanged { from } => {
            format!("The key of {} has changed. Compare the words again: postern verify {}", shown(from), shown(from))
        }
    }
}
