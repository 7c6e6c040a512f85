//! The two programs, built once per test process.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where a program of this workspace is, freshly built.
pub(crate) fn path(name: &str) -> &'static Path {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(build).get(name).expect("the workspace has this program")
}

/// Builds them and takes their places from cargo's own report, so that any target directory will do.
fn build() -> BTreeMap<String, PathBuf> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--workspace", "--bins", "--quiet"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--manifest-path", manifest]);
    // What cargo tells a test about its package would make build scripts that look at it run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.stderr(Stdio::inherit()).output().expect("Failed to start cargo");
    assert!(output.status.success(), "the workspace does not build");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let executables = messages.filter_map(|message| {
        let message: Value = serde_json::from_slice(message).ok()?;
        Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
    });
    executables.collect()
}
