//! The user's profile and identity.

use super::Records;
use crate::api::{Code, Fault};
use crate::core::observed::IdentityState;
use crate::core::schema::{Profile, Record, RecordKey, TicketSecret};
use crate::core::transaction::Transaction;
use postern_node::identity::Identifier;

impl Records {
    /// Whether the identity is loaded, and with it a node runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.identity, IdentityState::Ready(_))
    }

    /// The user's own identifier.
    pub(crate) fn me(&self) -> Option<Identifier> {
        self.profile.as_ref()?.identity
    }

    /// Whether the records belong to this identity, or to none yet.
    pub(crate) fn belong_to(&self, person: Identifier) -> bool {
        self.me().is_none_or(|me| me == person)
    }

    /// Why the identity could not be loaded.
    pub(crate) fn identity_fault(&self) -> Option<&Fault> {
        match &self.identity {
            IdentityState::Failed(fault) => Some(fault),
            IdentityState::None | IdentityState::Creating(..) | IdentityState::Loading | IdentityState::Ready(_) => {
                None
            }
        }
    }

    /// Fails while no secret can be sealed or opened.
    pub(crate) fn check_identity(&self) -> Result<(), Fault> {
        match &self.identity {
            IdentityState::Ready(_) => Ok(()),
            IdentityState::Failed(fault) => Err(fault.clone()),
            IdentityState::None | IdentityState::Creating(..) | IdentityState::Loading => Err(Fault::new(
                Code::KeychainLocked,
                "The keychain has not given the key yet: unlock it, or try again.",
            )),
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.profile.as_ref().is_some_and(|it| it.paused)
    }

    /// The user's hubs, in the order in which they were added.
    pub(crate) fn hub_addresses(&self) -> &[String] {
        self.profile.as_ref().map_or(&[], |it| &it.hubs)
    }

    pub(crate) fn has_hub(&self, address: &str) -> bool {
        self.hub_addresses().iter().any(|hub| hub == address)
    }
}

/// Makes the profile.
pub(crate) fn create(records: &mut Records, tx: &mut Transaction, profile: Profile) {
    tx.put(RecordKey::Profile, Record::Profile(profile.clone()));
    records.profile = Some(profile);
}

/// Changes the profile, if there is one, and saves it if that made a difference.
pub(crate) fn change(records: &mut Records, tx: &mut Transaction, change: impl FnOnce(&mut Profile)) {
    let Some(profile) = &mut records.profile else { return };
    let before = profile.clone();
    change(profile);
    if *profile != before {
        tx.put(RecordKey::Profile, Record::Profile(profile.clone()));
    }
}

/// Gives records their ticket secrets, which could not be opened before the identity was loaded.
pub(crate) fn set_secrets(records: &mut Records, secrets: Vec<(RecordKey, TicketSecret)>) {
    for (key, secret) in secrets {
        match key {
            RecordKey::Invitation(id) => records.invitations.set_transient(id, |it| it.secret = Some(secret)),
            RecordKey::Received(id) => records.received.set_transient(id, |it| it.secret = Some(secret)),
            RecordKey::Profile
            | RecordKey::Service(_)
            | RecordKey::Grant(_)
            | RecordKey::Inlet(_)
            | RecordKey::Contact(_) => {}
        }
    }
}
