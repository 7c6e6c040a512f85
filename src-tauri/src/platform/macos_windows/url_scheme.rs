//! `postern://` links reach this program: the installer's work on these systems.

/// Nothing to do: the bundle declares the scheme.
pub(crate) fn register() {}
