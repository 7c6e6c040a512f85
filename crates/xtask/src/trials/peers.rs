//! Tests against real peers on `ockam` (`tests/interop`), for longer than CI has time, and with what only a quiet machine shows.

use std::process::Command;

use anyhow::Result;

use super::figures::Figures;
use super::options::Options;
use crate::cargo;
use crate::counts::Counts;

pub(super) const ABOUT_SESSION: &str = "sessions of the command line of `ockam`, for 3 minutes";
pub(super) const ABOUT_SLOW: &str = "receivers that are slow for a minute, files of 200 MB, and who waits meanwhile";

/// Sessions that ping `echo` must not be replaced.
///
/// # Errors
/// When the tests cannot be started.
pub(super) fn session(_: &Options) -> Result<Figures> {
    run("session", &["sessions_of_the_command_line"], &[("SESSION_SECONDS", "180")])
}

/// Nothing may be lost, nobody else may wait, and the hub's memory is bounded. One test at a time.
///
/// # Errors
/// When the tests cannot be started.
pub(super) fn slow(_: &Options) -> Result<Figures> {
    let settings = [("SLOW_SECONDS", "60"), ("SLOW_MEBIBYTES", "200"), ("SLOW_RATIOS", "1")];
    run("slow", &["slow::", "--nocapture", "--test-threads", "1"], &settings)
}

fn run(name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Result<Figures> {
    let mut command: Command = cargo::command(&["test", "--locked", "--workspace"]);
    command.args(["--manifest-path", "tests/interop/Cargo.toml", "--test", "peers", "--"]).args(arguments);
    command.envs(settings.iter().copied());
    let log = super::directory("peers")?.join(format!("{name}.log"));
    let mut figures = Figures::default();
    figures.add(name, super::logged(name, &mut command, &log, all_passed)?);
    Ok(figures)
}

/// Tests ran, and none failed.
fn all_passed(output: &str) -> bool {
    let mut counts = Counts::default();
    output.lines().for_each(|line| counts.read(line));
    counts.passed > 0 && counts.failed == 0
}
