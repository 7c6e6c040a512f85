//! What CI runs, in order.
//!
//! Two cores decide the order. The steps that answer in seconds come first. Lints and documentation share the metadata of
//! the dependencies, programs and tests their code. What builds in directories of its own (the peers of the interop
//! tests, the instruction counts of a release build, cargo-deny) runs beside the tests ([`background`](crate::background)),
//! except beside those that measure time.

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::counts::Counts;
use crate::steps::{Outcome, Steps};
use crate::{advisories, architecture, cargo, deny, prerequisites, sbom, suite, ui, workflows};

/// `cargo xtask ci [STEP…]`: every step or those named, then what each cost, then the closing line.
///
/// # Errors
/// When there is no step of a name; a step that fails is in the table and in the exit code.
pub(crate) fn run(only: &[String]) -> Result<ExitCode> {
    const INCREMENTAL: &str = "CARGO_INCREMENTAL";
    if env::var_os(INCREMENTAL).is_none() {
        // CI builds everything once: the data for incremental builds would cost time and gigabytes.
        let mut again = Command::new(env::current_exe().context("Failed to find this program")?);
        return cargo::replace_process(again.arg("ci").args(only).env(INCREMENTAL, "0"));
    }
    let mut steps = Steps::new(only);
    let mut counts = Counts::default();

    steps.run("prerequisites", || done(prerequisites::install()));
    steps.run("format", || {
        cargo::run(&mut cargo::command(&["fmt", "--all", "--check"]))?;
        done(cargo::run(&mut peers(&["fmt", "--all", "--check"])))
    });
    steps.run("architecture", architecture::step);
    steps.run("workflows", workflows::check);
    // Before anything is compiled, so that no step waits for another's downloads: cargo locks the directory they go to.
    steps.run("downloads", || {
        let fetch = &["fetch", "--locked", "--target", "host-tuple"];
        cargo::run(&mut cargo::command(fetch))?;
        done(cargo::run(&mut peers(fetch)))
    });
    // Before the app is compiled, which embeds the page.
    steps.run("page", || done(ui::check_and_build()));
    steps.run("lints", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        done(cargo::run(&mut cargo::command(&clippy)))
    });
    steps.run("documentation", || {
        let mut doc = cargo::command(&["doc", "--workspace", "--no-deps", "--locked"]);
        done(cargo::run(doc.env("RUSTDOCFLAGS", "-D warnings")))
    });
    steps.run("programs", || done(suite::build_programs()));
    steps.run("test programs", || done(cargo::run(suite::workspace().arg("--no-run"))));
    let background = steps.start(background_steps());
    steps.run("examples", suite::run_examples);
    steps.run("tests", || cargo_tests(&mut suite::beside_others(), &mut counts));
    steps.run("doc tests", || cargo_tests(suite::workspace().arg("--doc"), &mut counts));
    // Before the tests that measure time, which builds on the same two cores would distort.
    steps.join(background);
    steps.run("tests alone", || cargo_tests(suite::workspace().args(suite::ALONE), &mut counts));
    let [unit, browser] = &mut ui::tests();
    steps.run("page tests", || page_tests(unit, &mut counts));
    steps.run("browser tests", || page_tests(browser, &mut counts));
    steps.run("dependencies", deny::dependencies);
    steps.run("advisories", advisories::check);
    steps.run("bill of materials", sbom::step);
    steps.run("interop", || {
        let test = &["test", "--locked", "--workspace", "--no-fail-fast"];
        cargo_tests(&mut peers(test), &mut counts)
    });

    ensure!(steps.unknown().is_empty(), "there is no step {:?}; `cargo xtask ci` prints all", steps.unknown());
    println!("\n{steps}\n{counts}");
    Ok(if steps.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Builds that need neither the workspace's build directory nor what the tests measure.
fn background_steps() -> Vec<(String, Vec<Command>)> {
    // The logs of the last run.
    let _ = fs::remove_dir_all(cargo::target().join("ci"));
    let clippy = peers(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    // A process of its own: valgrind counts the same whatever else the machine does, and takes one core.
    let mut instructions = cargo::program("debug", "xtask");
    instructions.args(["bench", "instructions", "--check"]);
    vec![
        ("peers".into(), vec![peers(&["build", "--locked", "--workspace", "--bins"])]),
        ("peer tests".into(), vec![peers(&["test", "--locked", "--workspace", "--no-run"])]),
        ("instructions".into(), vec![instructions]),
        ("lints of peers".into(), vec![clippy]),
        ("cargo-deny".into(), deny::installation().into_iter().collect()),
    ]
}

/// A cargo command for the interop tests: programs written against `ockam` have dependencies of their own, hence a workspace of
/// their own.
fn peers(arguments: &[&str]) -> Command {
    let (name, rest) = arguments.split_at(1);
    let mut command = cargo::command(name);
    command.args(["--manifest-path", "tests/interop/Cargo.toml"]).args(rest);
    command
}

fn done(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Runs a suite of `cargo test` and adds what it counted to `counts`. Few tests that failed run again, one at a time.
fn cargo_tests(suite: &mut Command, counts: &mut Counts) -> Result<Outcome> {
    let mut counted = suite::run(suite, Counts::read)?;
    if !counted.repeatable().is_empty() {
        println!("\nAgain, to tell the flaky from the broken: {}", counted.repeatable().join(", "));
        let mut again = cargo::again(suite, &[]);
        let names = counted.repeatable().iter().map(|name| name.trim_end_matches(" - should panic"));
        again.args(["--", "--test-threads", "1", "--exact"]).args(names);
        counted.settle(&suite::run(&mut again, Counts::read)?);
    }
    outcome(counted, counts)
}

/// Runs a suite of the page's tests and adds what it counted to `counts`.
fn page_tests(suite: &mut Command, counts: &mut Counts) -> Result<Outcome> {
    outcome(suite::run(suite, Counts::read_page_tests)?, counts)
}

/// Adds what a suite counted to `counts`.
fn outcome(counted: Counts, counts: &mut Counts) -> Result<Outcome> {
    let (failed, passed) = (counted.failed, counted.passed);
    *counts += counted;
    ensure!(failed == 0, "{passed} passed, {failed} failed");
    ensure!(passed > 0, "no test ran");
    Ok(Outcome::Passed)
}
