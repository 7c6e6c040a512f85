//! A knock that waits for the owner.

use crate::api::UnixMillis;
use crate::core::schema::KeyHistory;
use crate::peer::ContactInfo;

/// A person who has redeemed an invitation that asks the owner first.
pub(crate) struct PendingKnock {
    pub(crate) at: UnixMillis,
    pub(crate) contact: ContactInfo,
    /// The history of their keys, of which the verification words are made.
    pub(crate) history: Option<KeyHistory>,
}
