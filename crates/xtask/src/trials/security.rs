//! Floods of a stranger against a hub and an owner, and the search that shows what forging verification words costs.

use std::process::Command;

use anyhow::{Context, Result};

use super::figures::Figures;
use super::options::Options;
use crate::{cargo, prerequisites};

pub(super) const ABOUT: &str = "floods against a hub and an owner whose friends work; a forger's search [--times 3]";

/// What is built, in one selection, so that cargo builds the dependencies once.
const PACKAGES: &[&str] = &["--package", "postern-tests", "--package", "postern-cli", "--package", "postern-engine"];
const SEARCH: &str = "a_second_preimage_of_words_truncated_to_24_bits_is_found_in_about_2_to_the_24_tries";
/// Rounds of the flood, unless told otherwise: each takes up to five minutes.
const ROUNDS_MAX: usize = 3;

/// Runs the flood and the search once each. The tables are in their logs, and printed.
///
/// # Errors
/// When the programs do not build.
pub(super) fn run(options: &Options) -> Result<Figures> {
    prerequisites::install_for_build()?;
    cargo::run(cargo::command(&["build", "--release", "--bins"]).args(PACKAGES))?;
    let logs = super::directory("security")?;
    let mut figures = Figures::default();

    let mut flood = Command::new(cargo::target().join("release/postern-flood"));
    flood.args(["--rounds", &options.times.min(ROUNDS_MAX).to_string()]);
    flood.env("POSTERN_PROGRAMS", cargo::target().join("release"));
    let log = logs.join("flood.log");
    figures.add("flood", super::logged("flood", &mut flood, &log, |output| output.contains("\nreached"))?);
    print!("{}", std::fs::read_to_string(&log).with_context(|| format!("Failed to read {}", log.display()))?);

    let mut search = cargo::command(&["test", "--release", "--lib"]);
    search.args(PACKAGES).args([SEARCH, "--", "--ignored", "--nocapture"]);
    let found = |output: &str| output.contains("a second preimage after");
    figures.add("search", super::logged("search", &mut search, &logs.join("search.log"), found)?);
    Ok(figures)
}
