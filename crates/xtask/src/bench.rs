//! The measurements: `bench/loadtool` against release builds of the programs, and [`instructions`] of the hot path.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo;

mod instructions;
#[cfg(unix)]
mod kafka;

/// Brings loopback up in a new network namespace, and widens the range of ephemeral ports: 9,500 connections at once take one
/// for each hop.
const LOOPBACK_ONLY: &str =
    "ip link set lo up && echo 10240 65000 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";

/// `cargo xtask bench`: builds everything for release, and measures.
///
/// # Errors
/// When it does not build, or the measurements cannot be made.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.first().is_some_and(|first| first == "instructions") {
        // They are counted by valgrind.
        crate::prerequisites::install()?;
        return instructions::run(&arguments[1..]);
    }
    if arguments.first().is_some_and(|first| first == "app") {
        crate::prerequisites::install()?;
        crate::ui::build_if_stale()?;
        cargo::run(&mut cargo::command(&["build", "--release", "--locked", "--workspace", "--bins"]))?;
        return cargo::replace_process(&mut cargo::program("release", "postern-bench-app"));
    }
    #[cfg(unix)]
    if arguments.first().is_some_and(|first| first == "kafka") {
        return kafka::run(&arguments[1..]);
    }
    crate::prerequisites::install_for_build()?;
    build_for_load()?;
    cargo::replace_process(&mut load(arguments)?)
}

/// Builds `postern`, the program that measures messages, and the load generator for release.
///
/// # Errors
/// When one does not build.
pub(crate) fn build_for_load() -> Result<()> {
    // One after the other: built together, they would share features, and `postern` would not be the shipped program.
    cargo::run(&mut cargo::command(&["build", "--release", "--locked", "--package", "postern-cli"]))?;
    let messages = ["--package", "postern-bench", "--bin", "postern-bench-messages"];
    cargo::run(cargo::command(&["build", "--release", "--locked"]).args(messages))?;
    let manifest = "bench/loadtool/Cargo.toml";
    let mut build = cargo::command(&["build", "--release", "--locked", "--manifest-path", manifest]);
    cargo::run(build.arg("--target-dir").arg(cargo::target().join("loadtool")))
}

/// The command that measures what [`build_for_load`] built; it takes the arguments of `cargo xtask bench`.
///
/// # Errors
/// When the directory for its logs cannot be created.
pub(crate) fn load(arguments: &[String]) -> Result<Command> {
    let target = cargo::target();
    let work = target.join("bench");
    fs::create_dir_all(&work).context("Failed to create the directory for logs")?;
    let mut command = in_network_namespace(&target.join("loadtool/release/postern-load"));
    command.current_dir(cargo::root()).arg("bench");
    command.arg("--postern").arg(target.join("release/postern")).arg("--work").arg(work);
    command.arg("--").args(arguments);
    Ok(command)
}

/// The program in a network namespace of its own where `unshare` exists and is allowed: no traffic of others is measured.
fn in_network_namespace(program: &Path) -> Command {
    let mut attempt = Command::new("unshare");
    attempt.args(["--net", "sh", "-c", LOOPBACK_ONLY, "sh", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !attempt.status().is_ok_and(|status| status.success()) {
        println!("Measuring on this machine's own loopback: creating a network namespace needs root.");
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", LOOPBACK_ONLY, "sh"]).arg(program);
    command
}
