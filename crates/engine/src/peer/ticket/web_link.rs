//! The form of a link that every program takes for one: the address of a web page, with the ticket behind its `#`.
//!
//! ```text
//! https://host/path#join/<base32>
//! ```
//!
//! Browsers send what is behind the `#` to nobody. The page (`web/join.html`) makes a `postern://` link of it; whoever serves it could read
//! the ticket by changing the page.

use super::{PREFIX, Ticket};
use crate::api::Secret;
use zeroize::Zeroizing;

/// What stands between the page and the ticket.
const SEPARATOR: &str = "#join/";

impl Ticket {
    /// The link to this page, which has no `#` of its own.
    pub fn encode_for_web(&self, page: &str) -> Secret {
        let link = self.encode();
        let code = link.reveal().strip_prefix(PREFIX).unwrap_or_default();
        let whole = Zeroizing::new([page, SEPARATOR, code].concat());
        Secret::new(whole.as_str())
    }
}
