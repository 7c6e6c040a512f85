//! Delivery through Kafka while everything is killed: the test of CI with fifty times as many messages, ten seeds in a row.

use anyhow::Result;

use super::figures::Figures;
use super::options::Options;
use crate::counts::Counts;
use crate::{cargo, prerequisites};

pub(super) const ABOUT: &str =
    "100,000 messages each way through Kafka while everything is killed, for seeds in a row [--times 10]";

/// Messages each way.
const MESSAGES: &str = "100000";
const TEST: &str = "delivery::everything_arrives_once_and_in_order_whatever_is_killed";
/// The packages whose programs the test starts, in one selection, so that cargo builds their dependencies once.
const PACKAGES: &[&str] = &["--package", "postern-kafka-tests", "--package", "postern-cli"];

/// Runs the test once for each seed: that of the trial and those behind it.
///
/// # Errors
/// When the programs do not build.
pub(super) fn run(options: &Options) -> Result<Figures> {
    prerequisites::install_for_kafka()?;
    // Release builds: what is tested here is what is shipped.
    cargo::run(cargo::command(&["build", "--release", "--bins"]).args(PACKAGES))?;
    let logs = super::directory("kafka")?;
    let mut figures = Figures::default();
    for seed in (options.seed..).take(options.times) {
        let mut test = cargo::command(&["test", "--release", "--test", "kafka"]);
        test.args(PACKAGES).args(["--", "--exact", TEST, "--nocapture"]);
        test.env("POSTERN_KAFKA_SEED", seed.to_string()).env("POSTERN_KAFKA_MESSAGES", MESSAGES);
        test.env("POSTERN_PROGRAMS", cargo::target().join("release"));
        let log = logs.join(format!("{seed}.log"));
        figures.add("kafka", super::logged(&format!("seed {seed}"), &mut test, &log, passed)?);
    }
    Ok(figures)
}

/// The test ran and did not fail; one that was skipped has not passed.
fn passed(output: &str) -> bool {
    let mut counts = Counts::default();
    output.lines().for_each(|line| counts.read(line));
    counts.passed == 1 && counts.failed == 0 && counts.skipped == 0
}
