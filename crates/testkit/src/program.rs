//! The workspace's own programs, built once per test process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A command that runs `postern`.
///
/// # Panics
/// As [`path`] does.
#[must_use]
pub fn postern() -> Command {
    command("postern")
}

/// A command that runs one of the workspace's binaries, such as `bob` of the examples.
///
/// # Panics
/// As [`path`] does.
#[must_use]
pub fn command(name: &str) -> Command {
    Command::new(path(name))
}

/// The command with a lower limit of file descriptors; `options` are those of `ulimit`, such as `-n 96`.
#[must_use]
pub fn with_descriptors(command: &Command, options: &str) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {options}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    limited
}

/// Where one of the workspace's binaries is, freshly built; with `POSTERN_PROGRAMS`, that of this name in that directory.
///
/// # Panics
/// When the workspace does not build or has no such binary.
#[must_use]
pub fn path(name: &str) -> &'static Path {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        if let Some(directory) = std::env::var_os("POSTERN_PROGRAMS") {
            return programs_in(Path::new(&directory));
        }
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        build(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"), profile)
    });
    programs.get(name).unwrap_or_else(|| {
        let known: Vec<_> = programs.keys().collect();
        panic!("the workspace has no program `{name}`, only {known:?}")
    })
}

/// The files of a directory, by their names.
fn programs_in(directory: &Path) -> BTreeMap<String, PathBuf> {
    let files = std::fs::read_dir(directory).expect("POSTERN_PROGRAMS names a directory").flatten();
    let files = files.map(|entry| entry.path()).filter(|path| path.is_file());
    files.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path))).collect()
}

/// Builds every binary of a workspace and takes their places from cargo's own report, so that any target directory will do.
///
/// # Panics
/// When the workspace does not build.
#[must_use]
pub fn build(manifest: &str, arguments: &[&str]) -> BTreeMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--bins", "--quiet", "--manifest-path", manifest]);
    cargo.args(["--message-format", "json-render-diagnostics"]).args(arguments);
    // What cargo tells a test about its package would make build scripts that look at it run again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_")) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.stderr(Stdio::inherit()).output();
    let output = output.expect("Failed to start cargo");
    assert!(output.status.success(), "the workspace does not build");

    let messages = output.stdout.split(|byte| *byte == b'\n');
    messages
        .filter_map(|message| serde_json::from_slice::<Value>(message).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?;
            let executable = message["executable"].as_str()?;
            Some((name.to_owned(), PathBuf::from(executable)))
        })
        .collect()
}
