//! How the window's engine is started: nothing is to be done, the system brings its own.

/// Does nothing.
pub(crate) fn prepare() {}
