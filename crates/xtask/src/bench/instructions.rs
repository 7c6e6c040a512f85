//! The instruction counts of the hot path's steps. They do not depend on what else the machine does, so CI can compare a
//! change with the committed baseline.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// How often a step runs in the first and the second measurement: the difference of both contains no start-up cost.
const TIMES: [u64; 2] = [1_000, 3_000];
/// How much a step may cost, relative to its baseline: it leaves room for inlining that changes with unrelated code.
const TOLERANCE: f64 = 1.05;

/// Adds the steps to `postern-node` (`crates/node/src/hot_path.rs`): they are not public API.
const FLAGS: &str = "--cfg postern_hot_path";

/// `cargo xtask bench instructions`: counts and writes the baselines, or with `--check` compares with them.
///
/// # Errors
/// When valgrind is missing, or a step costs over 5 % more than its baseline.
pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => bail!("`cargo xtask bench instructions` takes `--check` or nothing"),
    };
    let program = build()?;
    let steps = steps(&program)?;
    let baselines = baselines().unwrap_or_default();
    let mut counts = String::new();
    let mut above = Vec::new();
    for step in &steps {
        let [fewer, more] = TIMES;
        let per_run = (count(&program, step, more)? - count(&program, step, fewer)?) / (more - fewer);
        let change = baselines.get(step).map(|baseline| per_run as f64 / *baseline as f64);
        let shown = change.map(|change| format!("{:+.1} %", 100.0 * (change - 1.0))).unwrap_or_default();
        println!("{step:24} {per_run:>8} {shown:>8}");
        counts.push_str(&format!("{per_run:>8} {step}\n"));
        if change.is_none_or(|change| change > TOLERANCE) {
            above.push(step.to_owned());
        }
    }
    if !check {
        fs::write(file(), counts).context("Failed to write the baselines")?;
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(above.is_empty(), "over 5 % above the baseline, or without one: {}", above.join(", "));
    Ok(ExitCode::SUCCESS)
}

fn file() -> PathBuf {
    cargo::root().join("bench/instructions.txt")
}

/// The committed counts.
fn baselines() -> Option<BTreeMap<String, u64>> {
    let text = fs::read_to_string(file()).ok()?;
    let line = |line: &str| {
        let (count, step) = line.trim_start().split_once(' ')?;
        Some((step.to_owned(), count.parse().ok()?))
    };
    text.lines().map(line).collect()
}

/// Builds the steps for release; gives the program. The directory is its own, as the flag applies to every crate.
fn build() -> Result<PathBuf> {
    let target = cargo::target().join("hot-path");
    let mut build = cargo::command(&["build", "--release", "--locked", "--manifest-path", "bench/hot-path/Cargo.toml"]);
    cargo::run(build.arg("--target-dir").arg(&target).env("RUSTFLAGS", FLAGS))?;
    Ok(target.join("release").join(format!("postern-hot-path{}", env::consts::EXE_SUFFIX)))
}

/// The names of the steps, which the program prints when it is given none.
fn steps(program: &Path) -> Result<Vec<String>> {
    let listed = Command::new(program).output().context("Failed to list the steps")?;
    let steps: Vec<String> = String::from_utf8(listed.stdout)?.lines().map(str::to_owned).collect();
    ensure!(listed.status.success() && !steps.is_empty(), "there are no steps");
    Ok(steps)
}

fn count(program: &Path, step: &str, times: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).arg(step).arg(times.to_string());
    let output = valgrind.output().context("Failed to start valgrind: is it installed?")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {log}", cargo::display(&valgrind));
    let count = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.context("valgrind printed no instruction count")
}
