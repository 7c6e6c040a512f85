//! Checking the requests of a web portal at its inlet, before they reach the service of somebody else.
//!
//! ```text
//!             ┌─ head ── parsed ── rules ── Host, Origin and Referer as on localhost ─┐
//! browser ─►──┤                      │ refused: answered by the inlet                 ├─► stream ─► service
//!             └─ body, and all after an upgrade ── untouched ─────────────────────────┘
//!                                        no stream can be opened: answered by the inlet, with the reason (503)
//! ```
//!
//! A port of localhost is open to every page that the user's browser shows. The check lets requests in that the portal's own
//! pages, or programs other than browsers, have made; from the pages of others it accepts only a link that opens the portal
//! ([ADR 0017](../../../../docs/decisions/0017-web-portals.md)).
//!
//! [`guard`] owns what is known of one connection: heads are parsed with `httparse`, bodies are counted, and what a
//! service could read in two ways is refused (request smuggling, RFC 9112 §11.2). It has no socket and no clock. Portals of
//! other kinds never come here.

mod answer;
mod chunked;
mod framing;
mod guard;
mod head;
mod page;
mod rules;
mod socket;
mod unavailable;

pub(super) use answer::InletAnswer;
pub(super) use guard::{HEAD_READ, RequestGuard};
pub(super) use page::AnswerForm;
pub(super) use socket::{FirstRequest, first_request, first_request_without_path, give};
pub use unavailable::Unavailable;

use unavailable::Description;

use postern_env::time::Duration;

/// How long a request head may take, unless the check says otherwise. Chosen: browsers open connections ahead and keep them
/// unused for up to a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// What the requests through an inlet are checked against.
#[derive(Debug, Clone)]
pub struct RequestCheck {
    /// The host name of this portal alone, in lower case and without a port.
    host: String,
    /// How long a head may take.
    head_timeout: Duration,
    /// What requests are answered with that cannot be carried to the service.
    description: Description,
}

impl RequestCheck {
    /// Accepts requests for this host name, which must resolve to loopback (`wiki.ann.localhost`), besides `localhost` and
    /// loopback addresses.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into().to_ascii_lowercase(), head_timeout: HEAD_TIMEOUT, description: Description::default() }
    }

    /// Sets how long a request head may take, instead of a minute: the first from the beginning of the connection, another from
    /// its first byte.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }
}

#[cfg(test)]
mod tests;
