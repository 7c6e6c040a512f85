//! Registration as the handler of `postern://` links: done by the installer on these systems.

/// Does nothing: the bundle declares the scheme.
pub(crate) fn register() {}
