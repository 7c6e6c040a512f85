//! What CI runs, in order.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use crate::counts::Counts;
use crate::steps::{Outcome, Steps};
use crate::{architecture, bench, cargo, deny, prerequisites, suite, ui};

/// `cargo xtask ci`: every step, then what each cost, then the closing line.
///
/// # Errors
/// None of its own: a step that fails is in the table and in the exit code.
pub(crate) fn run() -> Result<ExitCode> {
    let mut steps = Steps::default();
    let mut counts = Counts::default();

    steps.take("prerequisites", || done(prerequisites::provide()));
    steps.take("format", || done(cargo::run(&mut cargo::command(&["fmt", "--all", "--check"]))));
    steps.take("architecture", architecture::step);
    // Before anything is compiled: the app takes the page in.
    steps.take("window", || done(ui::check_and_build()));
    steps.take("lints", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        done(cargo::run(&mut cargo::command(&clippy)))
    });
    steps.take("documentation", || {
        let mut doc = cargo::command(&["doc", "--workspace", "--no-deps"]);
        done(cargo::run(doc.env("RUSTDOCFLAGS", "-D warnings")))
    });
    steps.take("cargo-deny", || done(deny::provide().map(drop)));
    steps.take("dependencies", deny::dependencies);
    steps.take("advisories", deny::advisories);
    steps.take("programs", || done(suite::build_programs()));
    steps.take("tests", || tests(&mut suite::workspace(), Counts::read, &mut counts));
    steps.take("instructions", || {
        let held = bench::run(&["instructions".into(), "--check".into()])?;
        ensure!(held == ExitCode::SUCCESS, "the hot path costs more than its baseline");
        Ok(Outcome::Passed)
    });
    steps.take("window tests", || tests(&mut ui::tests(), Counts::read_of_the_page, &mut counts));
    // Programs written against `ockam` bring a tree of dependencies of their own, hence a workspace of their own.
    let peers = |arguments: &[&str]| {
        let mut command = cargo::command(arguments);
        command.args(["--manifest-path", "tests/interop/Cargo.toml"]);
        command
    };
    steps.take("peers", || done(cargo::run(&mut peers(&["build", "--locked", "--workspace", "--bins"]))));
    steps.take("lints of peers", || {
        cargo::run(&mut peers(&["fmt", "--all", "--check"]))?;
        let clippy = &["clippy", "--locked", "--workspace", "--all-targets"];
        done(cargo::run(peers(clippy).args(["--", "-D", "warnings"])))
    });
    steps.take("interop", || {
        let test = &["test", "--locked", "--workspace", "--no-fail-fast"];
        tests(&mut peers(test), Counts::read, &mut counts)
    });

    println!("\n{steps}\n{counts}");
    Ok(if steps.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn done(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Runs a suite and adds what it counted to `counts`.
fn tests(suite: &mut std::process::Command, read: fn(&mut Counts, &str), counts: &mut Counts) -> Result<Outcome> {
    let counted = suite::run(suite, read)?;
    *counts += counted;
    ensure!(counted.failed == 0, "{counted}");
    ensure!(counted.passed > 0, "no test ran");
    Ok(Outcome::Passed)
}
