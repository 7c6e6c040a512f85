//! The user's own profile.

use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long audit entries are kept unless the user chooses otherwise, in days: three months answer "who used this
/// lately?" without keeping a history of years.
pub(crate) const RETENTION_DAYS: u32 = 90;

/// The user's own profile. There is one, made when Postern is set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The identity that the records belong to; another identity in the keychain is refused.
    #[serde(default)]
    pub identity: Option<Identifier>,
    /// The name that others see.
    pub name: String,
    /// Hubs as `host:port`, in the order in which they were added.
    pub hubs: Vec<String>,
    /// The identifier that each hub had when it was first connected.
    #[serde(default)]
    pub hub_pins: BTreeMap<String, Identifier>,
    /// The owners of the labels that host names of portals have had. None is given to another owner later: a browser may still
    /// hold cookies of the first.
    #[serde(default)]
    pub owner_labels: BTreeMap<String, Identifier>,
    /// Whether this computer can be reached directly.
    pub this_computer: bool,
    /// Whether everything is paused.
    pub paused: bool,
    /// How long audit entries are kept, in days; 0 for ever.
    pub retention_days: u32,
    /// The page that web links lead to, unless another is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_links: Option<String>,
}
