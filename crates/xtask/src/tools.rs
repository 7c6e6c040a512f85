//! Tools of CI that are built once, into the user's cache, where they outlive the checkout.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo;

/// The directory of one tool in one version.
pub(crate) fn home(name: &str, version: &str) -> PathBuf {
    cache().join(format!("{name}-{version}"))
}

/// Whether a program is there and runs.
pub(crate) fn works(program: &Path, version_argument: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command.arg(version_argument).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The user's cache directory, or the build directory of a user who has none.
fn cache() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let cache =
        variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
    cache.map_or_else(|| cargo::root().join("target/tools"), |cache| cache.join("postern/tools"))
}
