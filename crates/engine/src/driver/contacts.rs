//! Who may use a service of this person now: the channels of others make room for theirs.
//!
//! In: admission rules. Out: what the secure channel listener asks for each new channel, without waiting.

use crate::api::ServiceId;
use crate::core::AdmissionRule;
use postern_node::identity::Identifier;
use postern_node::secure_channel::IsContact;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// The people that services admit; clones share them.
#[derive(Clone, Default)]
pub(super) struct Contacts(Arc<RwLock<HashMap<ServiceId, HashSet<Identifier>>>>);

impl Contacts {
    /// Sets whom a service admits from now on.
    pub(super) fn set(&self, service: ServiceId, rules: &[AdmissionRule]) {
        let admitted = rules.iter().filter(|rule| rule.refusal.is_none()).map(|rule| rule.person).collect();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(service, admitted);
    }

    /// Forgets a service.
    pub(super) fn remove(&self, service: ServiceId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&service);
    }

    /// Whether a service admits somebody now.
    pub(super) fn contains(&self, who: &Identifier) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|admitted| admitted.contains(who))
    }

    /// For the listener.
    pub(super) fn predicate(&self) -> IsContact {
        let contacts = self.clone();
        Arc::new(move |who| contacts.contains(who))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::GrantId;
    use postern_node::portal::EndReason;

    #[test]
    fn whoever_a_service_admits_is_a_contact_until_none_does() {
        let (ann, ben) = (Identifier::from_bytes([1; 32]), Identifier::from_bytes([2; 32]));
        let (first, second) = (ServiceId([1; 16]), ServiceId([2; 16]));
        let rule = |person, refusal| AdmissionRule {
            grant: GrantId([3; 16]),
            person,
            refusal,
            until: None,
            connections: None,
        };
        let contacts = Contacts::default();
        let is_contact = contacts.predicate();
        contacts.set(first, &[rule(ann, None), rule(ben, Some(EndReason::Revoked))]);
        contacts.set(second, &[rule(ann, None)]);
        assert!(is_contact(&ann) && !is_contact(&ben));
        contacts.remove(first);
        assert!(is_contact(&ann));
        contacts.set(second, &[]);
        assert!(!is_contact(&ann));
    }
}
