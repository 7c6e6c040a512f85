//! The measurements, which live in `bench/` beside the workspace.

use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::cargo;

/// `cargo xtask bench`: builds `postern` for release and hands over to `bench/run.sh`.
///
/// # Errors
/// When it does not build, or there is nothing to run.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let script = cargo::root().join("bench/run.sh");
    ensure!(script.is_file(), "there are no benchmarks yet (bench/run.sh)");
    cargo::run(&mut cargo::command(&["build", "--release", "--package", "postern-cli"]))?;
    let mut command = Command::new("bash");
    cargo::hand_over(command.current_dir(cargo::root()).arg(script).args(arguments))
}
