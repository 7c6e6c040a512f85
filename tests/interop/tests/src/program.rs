//! The two programs, built once per test process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use postern_testkit::program::build;

/// Where a program of this workspace is, freshly built.
pub(crate) fn path(name: &str) -> &'static Path {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let programs = PROGRAMS.get_or_init(|| build(manifest, &["--locked"]));
    programs.get(name).expect("the workspace has this program")
}
