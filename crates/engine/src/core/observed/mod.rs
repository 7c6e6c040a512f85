//! What is known in this run only: the identity's key, and what the driver has reported.
//!
//! Plain data without decisions. A restart begins with nothing; the driver reports everything anew.

mod hub;
mod identity;
mod knock;
mod met;
mod portal;
mod usage;

pub(crate) use hub::{DirectListening, HubNotices, HubState};
pub(crate) use identity::IdentityState;
pub(crate) use knock::PendingKnock;
pub(crate) use met::MetHistories;
pub(crate) use portal::PortalRuntime;
pub(crate) use usage::{AddedUp, GrantUsage, RefusalCount, UsageBaseline, UsageBaselines};
