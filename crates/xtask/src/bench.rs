//! The measurements: `bench/loadtool` beside release builds of the programs, and [`instructions`] of the hot path.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo;

mod instructions;

/// Makes a network of its own with nothing but loopback, and ports for more connections than are measured.
const ALONE: &str = "ip link set lo up && echo 10240 65000 > /proc/sys/net/ipv4/ip_local_port_range && exec \"$@\"";

/// `cargo xtask bench`: builds everything for release, and measures.
///
/// # Errors
/// When it does not build, or the measurements cannot be made.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.first().is_some_and(|first| first == "instructions") {
        // It is valgrind that counts.
        crate::prerequisites::provide()?;
        return instructions::run(&arguments[1..]);
    }
    if arguments.first().is_some_and(|first| first == "app") {
        crate::prerequisites::provide()?;
        crate::ui::provide()?;
        cargo::run(&mut cargo::command(&["build", "--release", "--locked", "--workspace", "--bins"]))?;
        return cargo::hand_over(&mut cargo::program("release", "postern-bench-app"));
    }
    crate::prerequisites::provide_for_a_build()?;
    let target = cargo::target();
    cargo::run(&mut cargo::command(&["build", "--release", "--locked", "--package", "postern-cli"]))?;
    let manifest = "bench/loadtool/Cargo.toml";
    let mut build = cargo::command(&["build", "--release", "--locked", "--manifest-path", manifest]);
    cargo::run(build.arg("--target-dir").arg(target.join("loadtool")))?;

    let work = target.join("bench");
    fs::create_dir_all(&work).context("Failed to create the directory for logs")?;
    let mut command = in_a_network_of_its_own(&target.join("loadtool/release/postern-load"));
    command.current_dir(cargo::root()).arg("bench");
    command.arg("--postern").arg(target.join("release/postern")).arg("--work").arg(work);
    cargo::hand_over(command.arg("--").args(arguments))
}

/// The program, behind `unshare` if that is there and allowed: nothing that is measured then reaches the network.
fn in_a_network_of_its_own(program: &Path) -> Command {
    let mut attempt = Command::new("unshare");
    attempt.args(["--net", "sh", "-c", ALONE, "sh", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !attempt.status().is_ok_and(|status| status.success()) {
        println!("Measuring on this machine's own loopback: only root may make another.");
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", ALONE, "sh"]).arg(program);
    command
}
