//! `cargo xtask kafka`: a real Apache Kafka in one command.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use postern_kafka_broker::{Broker, Options, Tools, selected};

use crate::{cargo, prerequisites};

mod demo;

/// `cargo xtask kafka [consume TOPIC]`.
///
/// # Errors
/// When Kafka cannot be downloaded or does not start.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    prerequisites::install_for_kafka()?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => serve(),
        ["consume", topic] => consume(topic),
        _ => bail!("it is `cargo xtask kafka` or `cargo xtask kafka consume TOPIC`"),
    }
}

/// Runs a broker until Ctrl-C, which ends this process; however that ends, the broker ends and its directory is removed.
fn serve() -> Result<ExitCode> {
    println!("Starting Apache Kafka; the first time it is downloaded (54 MB).");
    let mut broker = Broker::with(Options { optimised: true, ..Options::default() })?;
    let bootstrap = broker.bootstrap();
    fs::write(running(), &bootstrap).context("Failed to note the broker's address")?;
    println!("Apache Kafka listens on {bootstrap}. In hub.toml:\n");
    println!("{}", hub_configuration(&bootstrap));
    println!("What it has of a topic: cargo xtask kafka consume TOPIC");
    println!("The same broker for tests and the demo: export KAFKA_BOOTSTRAP={bootstrap}");
    println!("Ctrl-C ends it and removes its records.");
    let log = broker.log_path();
    let why = broker.wait();
    bail!("the broker ended: {why}\n{}", log.display())
}

/// `cargo xtask demo kafka`.
///
/// # Errors
/// When something does not start or answer, or plaintext is found in a topic.
pub(crate) fn demo() -> Result<ExitCode> {
    demo::run()
}

/// What a hub needs to use a broker for everybody.
fn hub_configuration(bootstrap: &str) -> String {
    format!("[kafka]\nbrokers = \"{bootstrap}\"\nallow_anonymous = true\n")
}

/// The console consumer, from the beginning, until Ctrl-C.
fn consume(topic: &str) -> Result<ExitCode> {
    let noted = || fs::read_to_string(running()).ok();
    let bootstrap =
        selected().or_else(noted).context("no broker runs: start `cargo xtask kafka`, or set KAFKA_BOOTSTRAP")?;
    cargo::replace_process(&mut Tools::at(&bootstrap)?.console_consumer(topic))
}

/// Where the address of the broker is noted.
fn running() -> PathBuf {
    cargo::target().join("kafka").join("running")
}
