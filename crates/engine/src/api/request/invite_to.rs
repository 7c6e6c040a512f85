//! Who an invitation is for.

use postern_node::identity::Identifier;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The recipient of an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum InviteTo {
    /// The first person who redeems the link.
    Link {
        /// The user's note on whom it is meant for.
        note: Option<String>,
    },
    /// The same, with a link to a web page (`https://…#join/…`), for programs that open no `postern://` links. Whoever serves the page
    /// could read it, so the user is always asked before somebody gets access.
    WebLink {
        /// The user's note on whom it is meant for.
        note: Option<String>,
        /// The page, `https://host/path`; that of the settings if absent.
        base: Option<String>,
    },
    /// A contact, by mail and without a link.
    Contact {
        /// The person.
        #[ts(type = "string")]
        person: Identifier,
    },
}
