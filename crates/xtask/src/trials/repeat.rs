//! Suites many times over, in an order that the seed decides: what fails now and then shows here.

use std::process::Command;

use anyhow::{Result, bail};

use super::figures::Figures;
use super::options::Options;
use super::random::Random;
use crate::counts::Counts;
use crate::{cargo, prerequisites, suite, ui};

pub(super) const ABOUT: &str = "suites many times over, mixed [--suite desktop,network --times 10]";

/// Suites by name, with the arguments of `cargo test` that run them. Always of the whole workspace: for a package alone cargo
/// chooses other features of dependencies, and builds again.
const SUITES: &[(&str, &[&str])] = &[
    ("desktop", &["--test", "desktop"]),
    ("people", &["--test", "desktop", "people::"]),
    ("network", &["--test", "blackbox", "--test", "alone"]),
    ("outage", &["--test", "alone"]),
    ("node", &["--test", "nodes"]),
    ("engine", &["--test", "engines"]),
    ("hub", &["--test", "hub"]),
];
const DEFAULT: &[&str] = &["desktop", "network"];

/// Runs each suite as often as asked for.
///
/// # Errors
/// When there is no such suite, or the tests do not build.
pub(super) fn run(options: &Options) -> Result<Figures> {
    let suites = suites(&options.suites)?;
    prerequisites::install()?;
    ui::build_if_stale()?;
    suite::build_programs()?;
    cargo::run(suite::workspace().arg("--no-run"))?;

    let mut order: Vec<(usize, usize)> =
        (0..suites.len()).flat_map(|suite| (1..=options.times).map(move |time| (suite, time))).collect();
    Random::seeded(options.seed).shuffle(&mut order);
    let logs = super::directory("repeat")?;
    let mut figures = Figures::default();
    for (suite, time) in order {
        let (name, arguments) = suites[suite];
        let log = logs.join(format!("{name}-{time}.log"));
        figures.add(name, super::logged(&format!("{name} {time}"), &mut test(arguments), &log, all_passed)?);
    }
    Ok(figures)
}

fn test(arguments: &[&str]) -> Command {
    cargo::command(&[&["test", "--workspace", "--no-fail-fast"], arguments].concat())
}

/// Tests ran, and none failed.
fn all_passed(output: &str) -> bool {
    let mut counts = Counts::default();
    output.lines().for_each(|line| counts.read(line));
    counts.passed > 0 && counts.failed == 0
}

fn suites(names: &[String]) -> Result<Vec<(&'static str, &'static [&'static str])>> {
    let names: Vec<&str> = if names.is_empty() { DEFAULT.to_vec() } else { names.iter().map(String::as_str).collect() };
    let find = |name: &&str| match SUITES.iter().find(|suite| suite.0 == *name) {
        Some(suite) => Ok(*suite),
        None => {
            let known: Vec<_> = SUITES.iter().map(|suite| suite.0).collect();
            bail!("there is no suite `{name}`, only {}", known.join(", "))
        }
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_tests_does_not_pass() {
        assert!(all_passed("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"));
        assert!(!all_passed("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n"));
        assert!(!all_passed("test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n"));
    }

    #[test]
    fn suites_are_found_by_name() {
        assert_eq!(suites(&[]).unwrap().len(), 2);
        assert_eq!(suites(&["people".into()]).unwrap()[0].1[1], "desktop");
        assert!(suites(&["nobody".into()]).unwrap_err().to_string().contains("desktop, people"));
    }
}
