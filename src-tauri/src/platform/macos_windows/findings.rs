//! What `postern doctor` says about the desktop: nothing yet.

use postern_engine::api::Finding;

/// Nothing.
pub(crate) fn findings() -> Vec<Finding> {
    Vec::new()
}
