//! Byte counts and rates, which change too often for the snapshot.

use super::{GrantId, InletId, UnixMillis};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Byte counts and rates, sampled at most twice a second and only sent when they changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct Traffic {
    /// When they were sampled.
    pub at: UnixMillis,
    /// By grant: traffic of friends through the user's services.
    pub grants: Vec<TrafficFlow<GrantId>>,
    /// By portal: the user's own traffic.
    pub inlets: Vec<TrafficFlow<InletId>>,
}

/// The traffic of one grant or portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct TrafficFlow<Id> {
    /// The grant or portal.
    pub id: Id,
    /// Bytes towards the service, over all runs.
    #[ts(type = "number")]
    pub up_bytes: u64,
    /// Bytes from the service, over all runs.
    #[ts(type = "number")]
    pub down_bytes: u64,
    /// Bytes per second towards the service, over the last sample.
    pub up_rate: f64,
    /// Bytes per second from the service, over the last sample.
    pub down_rate: f64,
}
