//! A suite: one run of tests, printed as it happens and counted.

use std::fs;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::counts::Counts;
use crate::steps::Outcome;
use crate::{prerequisites, ui};

/// Seconds for an example, which takes less than one: that it hangs is found, not that the machine is busy.
const EXAMPLE_TIMEOUT: &str = "60";

/// `cargo xtask test`: prerequisites, programs, tests, and the closing line.
///
/// # Errors
/// When a prerequisite cannot be installed or the workspace does not build.
pub(crate) fn test(arguments: &[String]) -> Result<ExitCode> {
    prerequisites::install()?;
    ui::build_if_stale()?;
    build_programs()?;
    let counts = run(workspace().args(arguments), Counts::read)?;
    println!("{counts}");
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the programs that the black-box tests start.
///
/// # Errors
/// When they do not build.
pub(crate) fn build_programs() -> Result<()> {
    cargo::run(&mut cargo::command(&["build", "--workspace", "--bins"]))
}

/// Every test of the workspace.
pub(crate) fn workspace() -> Command {
    cargo::command(&["test", "--workspace", "--no-fail-fast"])
}

/// Selects the tests that measure time and need the machine for themselves (`tests/alone`).
pub(crate) const ALONE: [&str; 2] = ["--test", "alone"];

/// Every test of the workspace but those of the documentation and [`ALONE`]: they wait for each other much of the time, and
/// tolerate a busy machine.
pub(crate) fn beside_others() -> Command {
    let mut tests = workspace();
    tests.args(["--lib", "--bins", "--examples", "--test", "[!a]*"]);
    tests
}

/// Runs every example of the library, as [`workspace`] built them: each shows one idea and ends by itself.
///
/// # Errors
/// When one fails or takes longer than [`EXAMPLE_TIMEOUT`], or there is none.
pub(crate) fn run_examples() -> Result<Outcome> {
    let sources = cargo::root().join("crates/node/examples");
    let mut names = Vec::new();
    for entry in fs::read_dir(&sources).with_context(|| format!("Failed to list {}", sources.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_owned()));
        }
    }
    ensure!(!names.is_empty(), "there are no examples in {}", sources.display());
    names.sort();
    for name in names {
        println!("  {}", name.display());
        let program = cargo::target().join("debug/examples").join(name);
        let mut example = Command::new("timeout");
        cargo::run(example.arg(EXAMPLE_TIMEOUT).arg(program).current_dir(cargo::root()))?;
    }
    Ok(Outcome::Passed)
}

/// Runs tests to their end, whatever fails in them, and counts what they report as `read` reads it line by line.
///
/// A run that ends badly without naming a failed test (it did not compile, or a test program died) counts as
/// one failure.
///
/// # Errors
/// When the command cannot be started or its output cannot be read.
pub(crate) fn run(command: &mut Command, read: fn(&mut Counts, &str)) -> Result<Counts> {
    let name = cargo::display(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("Failed to start {name}"))?;
    let output = child.stdout.take().context("Failed to read the output of the tests")?;

    let mut counts = Counts::default();
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // By bytes, not by `lines()`: what a test prints need not be UTF-8.
    while output.read_until(b'\n', &mut line)? > 0 {
        stdout().write_all(&line)?;
        read(&mut counts, String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!("{name} ended with {status} without naming a failed test: counted as one failure.");
        counts.failed = 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_test_program_is_left_out_beside_others() {
        let metadata =
            cargo::command(&["metadata", "--no-deps", "--offline", "--format-version", "1"]).output().unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
        let programs: Vec<&str> = targets
            .filter(|target| target["kind"][0] == "test")
            .filter_map(|target| target["name"].as_str())
            .filter(|name| name.starts_with('a'))
            .collect();
        assert_eq!(programs, ["alone"]);
    }
}
