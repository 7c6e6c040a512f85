//! The state of the identity's key, which the driver holds.

use crate::api::Fault;
use crate::core::event::{OwnIdentity, RequestId};
use crate::core::schema::Profile;

/// The state of the identity's key.
#[derive(Default)]
pub(crate) enum IdentityState {
    /// Not requested.
    #[default]
    None,
    /// Being created for the user who sets up Postern, with the request to answer and the profile to save.
    Creating(RequestId, Profile),
    /// Being loaded from the keychain.
    Loading,
    /// The keychain did not give it.
    Failed(Fault),
    /// Loaded: the node runs.
    Ready(OwnIdentity),
}
