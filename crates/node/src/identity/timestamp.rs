use std::fmt;

use postern_env::{clock, time::Duration};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Error, Signed};

/// How far another's clock may be ahead of ours (`docs/wire.md §6.4`).
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What an identity signs about its own keys says that it was made so long ago, or as long ago as it may be: a peer whose
/// clock is behind by less than this accepts it (`docs/wire.md §6.4`).
pub const BACKDATED: Duration = Duration::from_secs(24 * 60 * 60);

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Timestamp(#[n(0)] pub u64);

impl Timestamp {
    /// The time of the wall clock. Called at the edge of a program; everything below is passed the time.
    pub fn now() -> Self {
        Self(clock::since_unix_epoch().as_secs())
    }

    /// This much later, whole seconds only, at most the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// [`BACKDATED`] earlier, at least the beginning of time.
    #[must_use]
    pub fn backdated(self) -> Self {
        Self(self.0.saturating_sub(BACKDATED.as_secs()))
    }

    /// Checks that something was signed by now and has not yet expired.
    pub(super) fn within(self, what: Signed, created: Self, expires: Self) -> Result<(), Error> {
        if created > self.plus(CLOCK_SKEW) {
            return Err(Error::FromTheFuture { what, created, now: self });
        }
        if expires < self {
            return Err(Error::Expired { what, expires, now: self });
        }
        Ok(())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
