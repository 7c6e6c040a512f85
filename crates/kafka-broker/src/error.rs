//! Why there is no broker.

use std::fmt;
use std::io;

/// What a broker or one of its tools failed with.
#[derive(Debug)]
pub enum Error {
    /// The artifacts are not here, and Maven Central cannot be reached: a test that needs a broker is skipped.
    Unavailable(String),
    /// Everything else, with what to do about it.
    Failed(String),
}

impl Error {
    pub(crate) fn io(what: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Error {}
