//! What the inlet of a web portal says to a browser while the portal cannot be used.

use super::access;
use super::portal_status::{PortalStatus, status};
use crate::api::{Code, Fault, InletId};
use crate::core::effect::{Effect, InletDescription};
use crate::core::event::Refusal;
use crate::core::fault_messages;
use crate::core::records::Records;
use crate::core::schema::is_final;
use crate::core::transaction::Transaction;
use postern_node::portal::Unavailable;
use std::collections::BTreeMap;
use std::time::Duration;

/// When a page asks again while the channel is being opened. Chosen: a reconnect takes less.
const RETRY_CONNECTING: Duration = Duration::from_secs(1);
/// When a page asks again while the owner, the hub or the service cannot be reached. Chosen: as often as a service that is down is
/// checked.
const RETRY_DOWN: Duration = Duration::from_secs(5);
/// When a program may ask again whose access has ended: it takes the owner to change that. Chosen.
const RETRY_ENDED: Duration = Duration::from_secs(60);

/// What the driver was last told of each web portal that it keeps.
#[derive(Default)]
pub(crate) struct InletDescriptions(BTreeMap<InletId, InletDescription>);

impl InletDescriptions {
    /// Tells the driver what has changed.
    pub(crate) fn update(&mut self, records: &Records, tx: &mut Transaction) {
        if !records.is_running() {
            return;
        }
        let wall = tx.now.wall;
        let kept = records.inlets.all().filter(|it| records.is_wanted(it, wall));
        let kept: Vec<_> = kept.filter(|it| records.checked_host(it).is_some()).collect();
        self.0.retain(|id, _| kept.iter().any(|it| it.id == *id));
        for inlet in kept {
            let fault = match status(records, inlet, wall) {
                PortalStatus::Down(fault) => Some(fault),
                PortalStatus::Off | PortalStatus::Connecting | PortalStatus::Up(_) => None,
            };
            let next = InletDescription { name: inlet.name.clone(), owner: records.name(inlet.owner), fault };
            if self.0.get(&inlet.id) != Some(&next) {
                self.0.insert(inlet.id, next.clone());
                tx.reconciled(Effect::DescribeInlet(inlet.id, next));
            }
        }
    }
}

impl InletDescription {
    /// What a client is told whose stream was not opened, with the reason that the stream was given, if there was one.
    #[must_use]
    pub fn unavailable(&self, reason: Option<Refusal>) -> Unavailable {
        let (reason, is_passing, retry_after) = match self.cause(reason) {
            None => (format!("Postern is connecting to {}.", self.owner), true, RETRY_CONNECTING),
            Some(fault) if is_final(fault.code) => (fault.message, false, RETRY_ENDED),
            Some(fault) => (fault.message, true, RETRY_DOWN),
        };
        Unavailable { name: self.name.clone(), reason, retry_after, is_passing }
    }

    /// Why the portal cannot be used; nothing while its channel is being opened.
    fn cause(&self, reason: Option<Refusal>) -> Option<Fault> {
        let told = reason.map(access::meaning);
        match (told, &self.fault) {
            // What a stream was told just now is newer than what is known of the portal.
            (
                Some(code @ (Code::PausedByOwner | Code::Expired | Code::Revoked | Code::TooMany | Code::ServiceDown)),
                _,
            ) => Some(fault_messages::portal(code, &self.owner)),
            // What is known says more than that it is not allowed, or that the connection ended.
            (_, Some(known)) => Some(known.clone()),
            _ if matches!(reason, None | Some(Refusal::Disconnected)) => None,
            (code, None) => Some(fault_messages::portal(code.unwrap_or(Code::Failed), &self.owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(fault: Option<Fault>) -> InletDescription {
        InletDescription { name: "Wiki".to_owned(), owner: "Ann".to_owned(), fault }
    }

    #[test]
    fn the_reason_of_the_stream_counts_if_it_says_why_and_else_what_is_known() {
        let offline = fault_messages::portal(Code::OwnerOffline, "Ann");
        let hub = Fault::new(Code::HubUnreachable, "The hub cannot be reached.");
        for (known, reason, says, is_passing) in [
            (None, None, "Postern is connecting to Ann.", true),
            (None, Some(Refusal::Disconnected), "Postern is connecting to Ann.", true),
            (None, Some(Refusal::Stopping), "Ann cannot be reached", true),
            (None, Some(Refusal::Paused), "Ann paused it.", true),
            (None, Some(Refusal::NotAllowed), "Ann refused the connection.", true),
            (None, Some(Refusal::TooMany), "connection limit", true),
            (None, Some(Refusal::Refused), "the service is not responding", true),
            (None, Some(Refusal::Unspecified), "Couldn’t connect to Ann.", true),
            (None, Some(Refusal::Revoked), "Ann ended your access.", false),
            (None, Some(Refusal::Expired), "Your access has ended.", false),
            (Some(&offline), None, "computer or Postern is off", true),
            (Some(&offline), Some(Refusal::Disconnected), "computer or Postern is off", true),
            (Some(&offline), Some(Refusal::TimedOut), "the service is not responding", true),
            (Some(&hub), Some(Refusal::NotAllowed), "The hub cannot be reached.", true),
        ] {
            let told = description(known.cloned()).unavailable(reason);
            assert!(told.reason.contains(says), "{known:?} {reason:?}: {}", told.reason);
            assert_eq!((told.is_passing, told.name.as_str()), (is_passing, "Wiki"), "{known:?} {reason:?}");
        }
    }
}
