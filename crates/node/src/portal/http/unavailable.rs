//! What the inlet of a web portal says while it cannot carry a request to the service.

use super::RequestCheck;
use crate::portal::message::EndReason;
use postern_env::time::Duration;
use std::fmt;
use std::sync::Arc;

/// When it is worth asking again, if nothing else is known. Chosen: a lost channel is back within that time.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a web portal cannot be used now, for the page that its inlet answers with.
///
/// Its texts may hold names of other people: the inlet escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// The name of what cannot be used; of the service as a whole if empty.
    pub name: String,
    /// The reason, and what to do, in whole sentences.
    pub reason: String,
    /// When it is worth asking again (`Retry-After`): in whole seconds, at least one.
    pub retry_after: Duration,
    /// Whether it may work again without anything that the user does, so that the page asks again by itself.
    pub is_passing: bool,
}

/// Says why a portal cannot be used, when a request comes.
type Describe = dyn Fn(Option<EndReason>) -> Unavailable + Send + Sync;

/// Where an inlet asks why its portal cannot be used.
#[derive(Clone)]
pub(super) struct Description(Arc<Describe>);

impl Description {
    pub(super) fn get(&self, reason: Option<EndReason>) -> Unavailable {
        (self.0)(reason)
    }
}

impl Default for Description {
    fn default() -> Self {
        Self(Arc::new(general))
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Description")
    }
}

impl RequestCheck {
    /// Sets what requests are answered with that cannot be carried to the service, instead of a general sentence: status 503, for
    /// browsers a page.
    ///
    /// It is called for each such request, with why its stream was refused or ended; nothing if no stream was opened because
    /// the other side is not connected. It must not block.
    #[must_use]
    pub fn describe_unavailable(
        mut self,
        describe: impl Fn(Option<EndReason>) -> Unavailable + Send + Sync + 'static,
    ) -> Self {
        self.description = Description(Arc::new(describe));
        self
    }
}

/// What is known without a description.
fn general(reason: Option<EndReason>) -> Unavailable {
    let reason = reason.unwrap_or(EndReason::Disconnected).to_string();
    let stop = if reason.ends_with('?') { "" } else { "." };
    Unavailable {
        name: String::new(),
        reason: format!("It cannot be reached: {reason}{stop}"),
        retry_after: RETRY_AFTER,
        is_passing: true,
    }
}
