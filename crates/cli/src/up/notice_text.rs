//! Notices of the engine as text for the terminal.

use crate::resolve;
use crate::terminal_text::{escaped, sanitized};
use crate::word_groups;
use postern_engine::api::Notice;

/// Formats a notice as one sentence.
pub(super) fn of(notice: &Notice) -> String {
    match notice {
        Notice::Invited { from, service, invitation } => {
            let id = invitation.to_string();
            let id = id.get(..8).unwrap_or(&id);
            format!("{} shares {} with you: postern accept {id}", sanitized(from), sanitized(service))
        }
        Notice::Knock { from, service, invitation, words, looks_like, verified } => {
            let id = invitation.to_string();
            let id = id.get(..8).unwrap_or(&id);
            let who =
                looks_like.as_ref().map_or_else(String::new, |name| format!(" (not the {} you know)", sanitized(name)));
            let words = word_groups::line(words.as_deref().unwrap_or_default());
            let answer = if *verified { "always" } else { "allow-once" };
            let (from, service) = (sanitized(from), sanitized(service));
            format!("{from}{who} asks for access to {service}: postern knock {answer} {id}. Their words: {words}")
        }
        Notice::Joined { from, name, .. } => format!("{} has joined {}.", sanitized(from), sanitized(name)),
        Notice::Declined { from, name } => format!("{} has declined {}.", sanitized(from), sanitized(name)),
        Notice::GaveBack { from, name } => format!("{} has given up access to {}.", sanitized(from), sanitized(name)),
        Notice::PortalUp { name, address, .. } => format!("{} is on {}", sanitized(name), escaped(address)),
        Notice::PortalDown { name, fault, .. } => format!("{} is down: {}", sanitized(name), escaped(&fault.message)),
        Notice::HubLost { address, fault } => {
            format!("Lost the connection to the hub {}: {}", sanitized(address), escaped(&fault.message))
        }
        Notice::HubBack { address } => format!("Reconnected to the hub {}.", sanitized(address)),
        Notice::KeyChanged { from } => {
            format!(
                "The key of {} has changed. Compare the words again: postern verify {}",
                sanitized(from),
                resolve::argument("person", from)
            )
        }
        Notice::KeyRefused { fault, .. } => escaped(&fault.message),
    }
}
